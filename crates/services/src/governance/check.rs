//! The question that every replay asks before it does anything, and the answers to it.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;

use super::level::EmergencyLevel;

/// What a gate returns: a future that can be sent to other threads.
pub type Checking<'a> = Pin<Box<dyn Future<Output = GovernanceCheckResult> + Send + 'a>>;

/// Decides whether a replay may begin. There is one gate for every replay, by hand or not.
///
/// It answers; it does not fail. A replay that is blocked is a result, not an error.
///
/// # Cancel safety
///
/// A check may be dropped at any time. The audit record of what it decided may then be missing.
pub trait Gate: Send + Sync {
    /// Whether what `request` wants may be done now.
    fn check<'a>(&'a self, request: &'a GateRequest) -> Checking<'a>;
}

/// Who wants to replay what, and why.
///
/// ```
/// use fuseboard_services::governance::GateRequest;
///
/// let request = GateRequest::new("replay_single", "ops", "the address is fixed")
///     .circuit("payments")
///     .override_gate(true);
/// assert_eq!(request.circuit.as_deref(), Some("payments"));
/// assert!(request.override_gate && !request.dry_run);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateRequest {
    /// The circuit whose letters are meant. Its error budget is asked for only if it is named here: who replays letters of
    /// several circuits asks once for the whole, and then for each circuit.
    pub circuit: Option<String>,
    /// The domain whose letters are meant, for the record.
    pub domain: Option<String>,
    /// What is to be done, such as `replay_single`, `replay_batch` or `replay_on_circuit_close`.
    pub action: &'static str,
    /// Who wants it; `system` for what happens by itself.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether to go on although the gate is closed. It needs an actor and a reason.
    pub override_gate: bool,
    /// Whether the answer is all that is wanted: nothing is recorded then, and nothing may be done on it.
    pub dry_run: bool,
}

impl GateRequest {
    /// `actor` wants to do `action`, because of `reason`: of all circuits, without an override, in earnest.
    pub fn new(action: &'static str, actor: impl Into<String>, reason: impl Into<String>) -> Self {
        let (actor, reason) = (actor.into(), reason.into());
        GateRequest { action, actor, reason, ..GateRequest::default() }
    }

    /// Names the circuit.
    #[must_use]
    pub fn circuit(mut self, circuit: impl Into<String>) -> Self {
        self.circuit = Some(circuit.into());
        self
    }

    /// Names the domain.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Says whether to go on although the gate is closed.
    #[must_use]
    pub fn override_gate(mut self, go_on: bool) -> Self {
        self.override_gate = go_on;
        self
    }

    /// Says whether the answer is all that is wanted.
    #[must_use]
    pub fn dry_run(mut self, dry: bool) -> Self {
        self.dry_run = dry;
        self
    }
}

/// What keeps the gate closed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BlockedBy {
    /// The kill switch is on.
    KillSwitch,
    /// The emergency level is that high.
    EmergencyLevel(EmergencyLevel),
    /// The circuit has failed more often than its objective allows.
    ErrorBudget {
        /// The circuit.
        circuit: String,
        /// How much of the budget is spent: 1 is all of it.
        spent: f64,
        /// How fast it is being spent: at 1 it would last exactly as long as its window.
        burn_rate: f64,
    },
    /// The settings were never read since the program started, so that nobody knows whether the kill switch is on.
    Unread,
}

impl BlockedBy {
    /// The word for it in results, records and metrics: `kill_switch`, `emergency_level`, `error_budget` or `unread`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            BlockedBy::KillSwitch => "kill_switch",
            BlockedBy::EmergencyLevel(_) => "emergency_level",
            BlockedBy::ErrorBudget { .. } => "error_budget",
            BlockedBy::Unread => "unread",
        }
    }
}

impl fmt::Display for BlockedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockedBy::KillSwitch => f.write_str("the kill switch is on"),
            BlockedBy::EmergencyLevel(level) => write!(f, "the emergency level is {level}"),
            BlockedBy::ErrorBudget { circuit, spent, burn_rate } => write!(
                f,
                "the error budget of `{circuit}` is spent ({:.0} %, burn rate {burn_rate:.1})",
                spent * 100.0
            ),
            BlockedBy::Unread => f.write_str("the governance settings could not be read yet"),
        }
    }
}

/// What the gate says.
///
/// ```
/// use fuseboard_services::governance::{BlockedBy, GovernanceCheckResult};
///
/// let result = GovernanceCheckResult::blocked(BlockedBy::KillSwitch);
/// assert!(!result.allowed);
/// assert_eq!(result.message, "the kill switch is on");
/// assert_eq!(result.block_reason(), "kill_switch");
///
/// let result = GovernanceCheckResult::overridden(BlockedBy::KillSwitch);
/// assert!(result.allowed && result.overridden);
/// assert_eq!(result.message, "overridden: the kill switch is on");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GovernanceCheckResult {
    /// Whether the replay may begin.
    pub allowed: bool,
    /// What keeps the gate closed; also where it was overridden.
    pub blocked_by: Option<BlockedBy>,
    /// The answer in a sentence for people.
    pub message: String,
    /// Whether the replay may begin only because somebody said so.
    pub overridden: bool,
}

impl GovernanceCheckResult {
    /// Nothing keeps the gate closed.
    pub fn allowed() -> Self {
        let message = "allowed".to_owned();
        GovernanceCheckResult { allowed: true, blocked_by: None, message, overridden: false }
    }

    /// The gate is closed.
    pub fn blocked(by: BlockedBy) -> Self {
        let message = by.to_string();
        GovernanceCheckResult { allowed: false, blocked_by: Some(by), message, overridden: false }
    }

    /// The gate is closed, and somebody goes on all the same.
    pub fn overridden(by: BlockedBy) -> Self {
        let message = format!("overridden: {by}");
        GovernanceCheckResult { allowed: true, blocked_by: Some(by), message, overridden: true }
    }

    /// The gate is closed, and an override was asked for but is not possible, `because` of something.
    pub fn not_overridden(by: BlockedBy, because: impl fmt::Display) -> Self {
        let message = format!("{by}; it cannot be overridden: {because}");
        GovernanceCheckResult { allowed: false, blocked_by: Some(by), message, overridden: false }
    }

    /// The word for what keeps the gate closed, as results name it; empty if nothing does, or it was overridden.
    pub fn block_reason(&self) -> &'static str {
        let blocked_by = self.blocked_by.as_ref().filter(|_| !self.allowed);
        blocked_by.map_or("", BlockedBy::as_str)
    }
}

/// A gate that is always open: for tests, and for programs without governance.
///
/// ```
/// use fuseboard_services::governance::{Gate, GateRequest, Open};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let request = GateRequest::new("replay_batch", "ops", "");
/// assert!(Open.check(&request).await.allowed);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Gate for Open {
    fn check<'a>(&'a self, _: &'a GateRequest) -> Checking<'a> {
        Box::pin(ready(GovernanceCheckResult::allowed()))
    }
}
