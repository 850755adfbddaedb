//! All there is to know of a circuit at one moment.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{Inner, Shared};
use crate::machine::{Pin, Trip, explain};
use crate::metrics::Metrics;
use crate::state::State;
use crate::time::{Moment, WallTime};

/// Calls since the breaker was made, by what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that did what they should.
    pub success: u64,
    /// Calls that failed.
    pub failure: u64,
    /// Calls that came to neither.
    pub ignored: u64,
    /// Calls whose ticket was dropped.
    pub cancelled: u64,
    /// Calls that were not made.
    pub rejected: u64,
    /// Results that came too late to change anything.
    pub stale: u64,
}

impl Totals {
    /// Each total with its word in metrics.
    pub fn by_outcome(&self) -> [(&'static str, u64); 6] {
        [
            ("success", self.success),
            ("failure", self.failure),
            ("ignored", self.ignored),
            ("cancelled", self.cancelled),
            ("rejected", self.rejected),
            ("stale", self.stale),
        ]
    }
}

/// The last failure that said what it was.
///
/// [`call`](crate::CircuitBreaker::call), [`call_async`](crate::CircuitBreaker::call_async) and
/// [`Guard::check`](crate::Guard::check) take errors of any type, so they know the text of common ones only: `&str`,
/// `String`, `Cow<'static, str>`, [`std::io::Error`] and boxed errors. Of any other the message is the *name of its type*, such as
/// `shop::PaymentError`. Its text comes along where you give it in a [`Failure`](crate::Failure): with
/// [`call_judged_by`](crate::CircuitBreaker::call_judged_by), [`Ticket::failure`](crate::Ticket::failure) or
/// [`Guard::failure`](crate::Guard::failure). The attribute `#[circuit_breaker]` gives the text of whatever is an
/// [`Error`](std::error::Error).
///
/// ```
/// use fuseboard_core::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("payments").build()?;
/// let last = || breaker.info().last_error.map(|error| error.message.into_owned());
///
/// let _ = breaker.call(|| "x".parse::<u32>());
/// assert!(last().is_some_and(|message| message.ends_with("::ParseIntError")));
///
/// if let (Ok(ticket), Err(error)) = (breaker.try_acquire(), "x".parse::<u32>()) {
///     ticket.failure(error.to_string());
/// }
/// assert_eq!(last().as_deref(), Some("invalid digit found in string"));
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What it said, or what type it was of.
    pub message: Cow<'static, str>,
    /// When.
    pub at: WallTime,
}

/// What a pin says, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinInfo {
    /// Who set it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// How long it still holds; `None` for ever.
    pub remaining: Option<Duration>,
}

/// All there is to know of a circuit at one moment.
#[derive(Clone, Debug)]
pub struct Info {
    /// The circuit's name.
    pub name: Arc<str>,
    /// The state.
    pub state: State,
    /// When the state began, for people.
    pub since: WallTime,
    /// How long it has lasted.
    pub lasted: Duration,
    /// How often half_open ended in open since the circuit was last closed.
    pub reopens: u32,
    /// How many transitions there were.
    pub generation: u64,
    /// What the window holds.
    pub metrics: Metrics,
    /// Admitted calls that are not settled.
    pub in_flight: u64,
    /// Calls since the breaker was made.
    pub totals: Totals,
    /// The last failure that said what it was.
    pub last_error: Option<LastError>,
    /// How long until an attempt may succeed, in a state that rejects and where that is known.
    pub retry_after: Option<Duration>,
    /// What opened the circuit, while it is not closed again.
    pub trip: Option<Arc<Trip>>,
    /// The pin, in a pinned state.
    pub pin: Option<PinInfo>,
}

impl Info {
    pub(super) fn of(shared: &Shared, inner: &mut Inner, now: Moment) -> Self {
        let counted = inner.absorb_all();
        let metrics = inner.engine.metrics(now);
        let circuit = inner.engine.circuit();
        Info {
            name: Arc::clone(&shared.name),
            state: circuit.state(),
            since: shared.wall(circuit.since(), now),
            lasted: now.since(circuit.since()),
            reopens: circuit.reopens(),
            generation: circuit.generation(),
            metrics,
            in_flight: inner.in_flight(&counted),
            totals: inner.totals(&counted),
            last_error: inner.extra.as_ref().and_then(|extra| extra.last_error.clone()),
            retry_after: circuit.retry_after(now),
            trip: circuit.trip().cloned(),
            pin: circuit.pin().map(|pin| PinInfo::of(pin, now)),
        }
    }

    /// Why the circuit is not closed, in a sentence for people; `None` if it is.
    pub fn why(&self) -> Option<String> {
        let pin = self.pin.as_ref().map(|pin| (pin.actor.as_str(), pin.reason.as_str()));
        explain(pin, self.trip.as_deref())
    }
}

impl PinInfo {
    fn of(pin: &Pin, now: Moment) -> Self {
        PinInfo {
            actor: pin.actor().to_owned(),
            reason: pin.reason().to_owned(),
            remaining: pin.until().map(|until| until.since(now)),
        }
    }
}
