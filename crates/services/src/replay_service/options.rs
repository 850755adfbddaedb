//! What a batch is to do.

use std::collections::BTreeMap;

use fuseboard_store::By;

use crate::circuits::Invalid;

/// As many letters as one batch may take.
const MOST: usize = 100_000;

/// Which letters a batch replays, and how.
///
/// ```
/// use fuseboard_services::replay_service::BatchOptions;
///
/// let options = BatchOptions {
///     failure_type: Some("timeout".to_owned()),
///     max_items: 50,
///     dry_run: true,
///     ..BatchOptions::by("ops", "the provider is back")
/// };
/// assert_eq!(options.domain, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchOptions {
    /// Only letters of this circuit.
    pub circuit: Option<String>,
    /// Only letters of this domain. Ignored where priority decides.
    pub domain: Option<String>,
    /// Only letters that were captured for this reason.
    pub failure_type: Option<String>,
    /// At most this many, 1 to 100,000. Ignored in an adaptive batch. Default 100.
    pub max_items: usize,
    /// Whether the batch chooses its size by itself; `None` for what the configuration says.
    pub use_adaptive: Option<bool>,
    /// Whether the most urgent letters go first: critical, normal, low; `None` for what the configuration says.
    pub use_priority: Option<bool>,
    /// Whether to tell which letters would go, and do nothing.
    pub dry_run: bool,
    /// Letters begun per second, at most; `None` for no limit.
    pub rate: Option<f64>,
    /// Who asks. Default `system`.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether to go on although the gate is closed. It needs an actor and a reason.
    pub override_gate: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions {
            circuit: None,
            domain: None,
            failure_type: None,
            max_items: 100,
            use_adaptive: None,
            use_priority: None,
            dry_run: false,
            rate: None,
            actor: "system".to_owned(),
            reason: String::new(),
            override_gate: false,
        }
    }
}

impl BatchOptions {
    /// What `actor` asks for, because of `reason`, with everything else as by default.
    pub fn by(actor: impl Into<String>, reason: impl Into<String>) -> Self {
        let (actor, reason) = (actor.into(), reason.into());
        BatchOptions { actor, reason, ..BatchOptions::default() }
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        at_most(self.max_items)?;
        match self.rate {
            Some(rate) if !(rate > 0.0 && rate.is_finite()) => {
                Err(Invalid::new("rate", rate, "letters per second, above 0"))
            }
            _ => Ok(()),
        }
    }
}

/// How the letters of a circuit are replayed when it closes.
///
/// ```
/// use fuseboard_services::replay_service::OnCircuitClose;
///
/// let options = OnCircuitClose::default();
/// assert_eq!((options.max_items, options.escalate_failures), (50, true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCircuitClose {
    /// At most this many letters, 1 to 100,000. Default 50.
    pub max_items: usize,
    /// Whether letters that fail wait for a person. Default true: a person who closes a circuit expects its letters to be
    /// done. What replays without a person should say false.
    pub escalate_failures: bool,
    /// Per circuit, the failure types to replay; `None` for the configuration's. A circuit that is not named has all of its
    /// letters replayed.
    pub service_failure_type_map: Option<BTreeMap<String, Vec<String>>>,
    /// Who asks, and why.
    pub by: By,
    /// Whether to go on although the gate is closed. It needs an actor and a reason.
    pub override_gate: bool,
}

impl Default for OnCircuitClose {
    fn default() -> Self {
        OnCircuitClose {
            max_items: 50,
            escalate_failures: true,
            service_failure_type_map: None,
            by: By::system("the circuit closed"),
            override_gate: false,
        }
    }
}

impl OnCircuitClose {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        at_most(self.max_items)
    }
}

fn at_most(max_items: usize) -> Result<(), Invalid> {
    if (1..=MOST).contains(&max_items) {
        return Ok(());
    }
    Err(Invalid::new("max_items", max_items, format!("1 to {MOST}")))
}
