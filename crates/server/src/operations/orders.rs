//! What an operator can do to a circuit's state: each order, who may have given it, and what it came to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::text::format_duration;
use fuseboard_core::{CircuitBreaker, Pin, State};
use fuseboard_services::circuits::{CircuitBreakerResult, Lasting, ManualControl, ServiceError};
use fuseboard_store::By;

use super::Operations;

/// What an operator can do to a circuit's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Pin `forced_open`: no call goes through.
    Open,
    /// Pin `forced_closed`: every call goes through.
    Close,
    /// End the pin.
    Auto,
    /// Go to `closed` with an empty window, whatever the state.
    Reset,
    /// Pin `disabled`: every call goes through, and none counts.
    Disable,
    /// Pin `metrics_only`: every call goes through and counts, nothing trips.
    MetricsOnly,
}

impl Order {
    /// Every order.
    pub const ALL: [Order; 6] =
        [Order::Open, Order::Close, Order::Auto, Order::Reset, Order::Disable, Order::MetricsOnly];

    /// The word for it in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Order::Open => "open",
            Order::Close => "close",
            Order::Auto => "auto",
            Order::Reset => "reset",
            Order::Disable => "disable",
            Order::MetricsOnly => "metrics-only",
        }
    }

    /// Whether it sets a pin, which holds for a while.
    pub const fn pins(self) -> bool {
        matches!(self, Order::Open | Order::Close | Order::Disable | Order::MetricsOnly)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Order::ALL.into_iter().find(|order| order.as_str() == text).ok_or(())
    }
}

impl Operations {
    /// Does what an operator orders, and hands its audit record over. `control` says who, why, for how long, and whether closing
    /// also replays the circuit's letters.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] if no pin can have that expiry.
    pub fn control(
        &self,
        breaker: &CircuitBreaker,
        order: Order,
        control: ManualControl,
    ) -> Result<CircuitBreakerResult, ServiceError> {
        let name = breaker.name();
        let lasting = match control.lasting {
            Lasting::Usual => Some(self.config.circuits.pin_for),
            Lasting::For(time) => Some(time),
            Lasting::Forever => None,
        };
        let pin = Pin::by(&control.controlled_by).because(&control.reason);
        let pin = lasting.map_or(pin.clone(), |time| pin.lasting(time));
        match order {
            Order::Open => self.circuits.force_open(name, control),
            Order::Close => self.circuits.force_close(name, control),
            Order::Auto => {
                let ManualControl { controlled_by, reason, .. } = control;
                self.circuits.manual_control(name, order.as_str(), &reason, &controlled_by)
            }
            Order::Reset => {
                let change = |breaker: &CircuitBreaker| breaker.reset();
                Ok(self.change(breaker, "circuit.reset", control, None, change))
            }
            Order::Disable => {
                let change = |breaker: &CircuitBreaker| breaker.disable(pin);
                Ok(self.change(breaker, "circuit.disable", control, Some(lasting), change))
            }
            Order::MetricsOnly => {
                let change = |breaker: &CircuitBreaker| breaker.metrics_only(pin);
                Ok(self.change(breaker, "circuit.metrics_only", control, Some(lasting), change))
            }
        }
    }

    /// Changes a circuit in a way that the circuit breaker service has no name for. `pinned` is for how long, if it is a pin.
    fn change(
        &self,
        breaker: &CircuitBreaker,
        action: &str,
        control: ManualControl,
        pinned: Option<Option<Duration>>,
        change: impl FnOnce(&CircuitBreaker),
    ) -> CircuitBreakerResult {
        let name = breaker.name();
        let before: State = breaker.state();
        change(breaker);
        let after = breaker.state();
        let message = match pinned {
            None => format!("reset: {after}, with an empty window"),
            Some(Some(time)) => format!("pinned {after} for {}", format_duration(time)),
            Some(None) => format!("pinned {after} until it is ended by hand"),
        };
        let by = By::new(control.controlled_by, control.reason);
        let detail = format!("{after}; {message}");
        self.note(action, name, by, Some(before.to_string()), Some(detail));
        let mut result = CircuitBreakerResult::succeeded(name, before, after, message);
        result.expires_at = pinned.flatten().map(|time| self.clock.wall() + time);
        result
    }
}
