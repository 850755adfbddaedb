//! Control by hand: pins with actor, reason and expiry.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::text::format_duration;
use fuseboard_core::time::WallTime;
use fuseboard_core::{Pin, State};
use tracing::warn;

use super::audit::{AuditAction, AuditRecord};
use super::contain::attempted;
use super::error::{Invalid, ServiceError};
use super::replay_trigger::ReplayOrder;
use super::service::CircuitBreakerService;
use super::state_data::CircuitBreakerStateData;
use super::thresholds::Lasting;

/// What an operator can do to a circuit.
///
/// ```
/// use fuseboard_services::circuits::ManualAction;
///
/// assert_eq!("open".parse(), Ok(ManualAction::Open));
/// let error = "opne".parse::<ManualAction>().unwrap_err();
/// assert_eq!(error.to_string(), "action: `opne` is not possible: open, close or auto");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManualAction {
    /// Pin `forced_open`: no call goes through.
    Open,
    /// Pin `forced_closed`: every call goes through.
    Close,
    /// End the pin: `forced_open` becomes `half_open`, every other `closed`.
    Auto,
}

impl ManualAction {
    /// The word for it in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            ManualAction::Open => "open",
            ManualAction::Close => "close",
            ManualAction::Auto => "auto",
        }
    }

    const fn audited(self) -> AuditAction {
        match self {
            ManualAction::Open => AuditAction::ForceOpen,
            ManualAction::Close => AuditAction::ForceClose,
            ManualAction::Auto => AuditAction::Auto,
        }
    }
}

impl fmt::Display for ManualAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ManualAction {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "open" => Ok(ManualAction::Open),
            "close" => Ok(ManualAction::Close),
            "auto" => Ok(ManualAction::Auto),
            _ => Err(Invalid::new("action", text, "open, close or auto")),
        }
    }
}

/// Who controls a circuit by hand, why, and for how long.
///
/// A pin that does not say for how long holds as long as `manual_override_ttl` says, by default 90 minutes; one that never ends
/// has to say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManualControl {
    /// Who; may be empty.
    pub controlled_by: String,
    /// Why; may be empty.
    pub reason: String,
    /// For how long.
    pub lasting: Lasting,
    /// Whether closing a circuit also starts the replay of its letters.
    pub trigger_replay: bool,
}

impl ManualControl {
    /// Control by `actor`.
    pub fn by(actor: impl Into<String>) -> Self {
        ManualControl { controlled_by: actor.into(), ..ManualControl::default() }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Makes the pin end by itself after `time`, 1 ms and up.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Lasting::For(time);
        self
    }

    /// Makes the pin hold until somebody ends it.
    #[must_use]
    pub fn never_expiring(mut self) -> Self {
        self.lasting = Lasting::Forever;
        self
    }

    /// Says whether [`force_close`](CircuitBreakerService::force_close) also starts the replay of the circuit's letters.
    #[must_use]
    pub fn trigger_replay(mut self, trigger: bool) -> Self {
        self.trigger_replay = trigger;
        self
    }
}

/// What control by hand came to.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerResult {
    /// Whether it was done.
    pub success: bool,
    /// To which circuit.
    pub service_name: String,
    /// The state before.
    pub previous_state: Option<State>,
    /// The state after.
    pub new_state: Option<State>,
    /// What was done, for people.
    pub message: String,
    /// Why it was not.
    pub error: Option<String>,
    /// When the pin ends; `None` if there is none, or it never does.
    pub expires_at: Option<WallTime>,
    /// Whether replay of the circuit's letters was started.
    pub replay_triggered: bool,
}

impl CircuitBreakerResult {
    /// It was done.
    pub fn succeeded(
        service_name: impl Into<String>,
        previous_state: State,
        new_state: State,
        message: impl Into<String>,
    ) -> Self {
        CircuitBreakerResult {
            success: true,
            service_name: service_name.into(),
            previous_state: Some(previous_state),
            new_state: Some(new_state),
            message: message.into(),
            error: None,
            expires_at: None,
            replay_triggered: false,
        }
    }

    /// It was not: for those who hand on a [`ServiceError`] as a result.
    pub fn failed(service_name: impl Into<String>, error: impl fmt::Display) -> Self {
        CircuitBreakerResult {
            success: false,
            service_name: service_name.into(),
            previous_state: None,
            new_state: None,
            message: String::new(),
            error: Some(error.to_string()),
            expires_at: None,
            replay_triggered: false,
        }
    }
}

impl CircuitBreakerService {
    /// Pins the circuit `forced_open`: no call goes through until the pin ends. Pinning again renews actor, reason and expiry.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] if no circuit can have that name, or no pin that expiry.
    pub fn force_open(
        &self,
        service_name: &str,
        control: ManualControl,
    ) -> Result<CircuitBreakerResult, ServiceError> {
        self.control(service_name, ManualAction::Open, &control)
    }

    /// Pins the circuit `forced_closed`: every call goes through until the pin ends. With
    /// [`trigger_replay`](ManualControl::trigger_replay) its letters are replayed; if that cannot be started, the circuit is
    /// closed all the same, and the result's message says so.
    ///
    /// # Errors
    ///
    /// As [`force_open`](Self::force_open).
    pub fn force_close(
        &self,
        service_name: &str,
        control: ManualControl,
    ) -> Result<CircuitBreakerResult, ServiceError> {
        self.control(service_name, ManualAction::Close, &control)
    }

    /// Does what `action` says: `open`, `close` or `auto`, and nothing else. `auto` ends a pin.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if `action` is another word; otherwise as [`force_open`](Self::force_open).
    ///
    /// ```
    /// use fuseboard_core::State;
    /// use fuseboard_services::circuits::CircuitBreakerService;
    ///
    /// let service = CircuitBreakerService::default();
    /// let result = service.manual_control("payments", "open", "maintenance", "ops")?;
    /// assert_eq!(result.new_state, Some(State::ForcedOpen));
    /// assert!(service.manual_control("payments", "atuo", "", "ops").is_err());
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn manual_control(
        &self,
        service_name: &str,
        action: &str,
        reason: &str,
        controlled_by: &str,
    ) -> Result<CircuitBreakerResult, ServiceError> {
        let control = ManualControl::by(controlled_by).because(reason);
        self.control(service_name, action.parse()?, &control)
    }

    fn control(
        &self,
        service_name: &str,
        action: ManualAction,
        control: &ManualControl,
    ) -> Result<CircuitBreakerResult, ServiceError> {
        let lasting = control.lasting.resolve(self.config.manual_override_ttl)?;
        let breaker = self.circuit(service_name)?;
        let before = self.read(&breaker);
        let pin = Pin::by(&control.controlled_by).because(&control.reason);
        let pin = lasting.map_or(pin.clone(), |time| pin.lasting(time));
        match action {
            ManualAction::Open => breaker.force_open(pin),
            ManualAction::Close => breaker.force_closed(pin),
            ManualAction::Auto => breaker.auto(),
        }
        let after = self.read(&breaker);
        let message = match (action, lasting) {
            (ManualAction::Auto, _) if !before.manually_controlled => {
                format!("no pin to end: {}", after.state)
            }
            (ManualAction::Auto, _) => format!("the pin is ended: {}", after.state),
            (_, Some(time)) => format!("pinned {} for {}", after.state, format_duration(time)),
            (_, None) => format!("pinned {} until it is ended by hand", after.state),
        };
        let (from, to) = (before.state, after.state);
        let mut result = CircuitBreakerResult::succeeded(service_name, from, to, message);
        result.expires_at = after.manual_override_expires_at;
        if !self.is_enabled() {
            result.message += "; the service is disabled, so that calls are allowed all the same";
        }
        self.audit_control(action, control, before, after, &result.message);
        if action == ManualAction::Close && control.trigger_replay {
            self.start_replay(control, &mut result);
        }
        Ok(result)
    }

    fn audit_control(
        &self,
        action: ManualAction,
        control: &ManualControl,
        before: CircuitBreakerStateData,
        after: CircuitBreakerStateData,
        detail: &str,
    ) {
        self.audit(&AuditRecord {
            at: self.clock.wall(),
            action: action.audited(),
            service_name: after.service_name.clone(),
            actor: control.controlled_by.clone(),
            reason: control.reason.clone(),
            detail: detail.to_owned(),
            before: Some(before),
            after: Some(after),
        });
    }

    fn start_replay(&self, control: &ManualControl, result: &mut CircuitBreakerResult) {
        let service_name = &result.service_name;
        let Some(replay) = &self.replay else {
            result.message += "; no replay was started: nothing replays letters here";
            return;
        };
        let order = ReplayOrder {
            service_name: service_name.clone(),
            actor: control.controlled_by.clone(),
            reason: control.reason.clone(),
            escalate_failures: true,
        };
        match attempted("replay trigger", || replay.replay_on_circuit_close(&order)) {
            Ok(()) => {
                result.replay_triggered = true;
                result.message += "; replay was started";
            }
            Err(error) => {
                warn!(%error, %service_name, "the replay that an operator asked for did not start");
                result.message += &format!("; no replay was started: {error}");
            }
        }
    }
}
