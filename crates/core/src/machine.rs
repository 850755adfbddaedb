//! The first machine: a circuit breaker, as pure code.
//!
//! [`step`] takes a [`Circuit`], an [`Event`] and the [`Context`] it happens in, and gives the next circuit and its
//! [`Effects`]. It holds every rule of the breaker and nothing else: it counts nothing, reads no clock, draws no
//! number, locks nothing. Whatever counts calls, shares a circuit between threads, stores it or binds it to another
//! language calls `step` and does as told.
//!
//! | state | attempt | outcome | leaves by itself |
//! |---|---|---|---|
//! | closed | admitted; opens if calls in flight make the tripper hold | counted; opens when the tripper holds | – |
//! | open | rejected; at or after the deadline half_open, judged there | stale | – |
//! | half_open | admitted under a lease, by slots and permit | counted; recovery decides | lapsed lease: failed probe |
//! | forced_open | rejected | stale | pin ends: half_open |
//! | forced_closed | admitted | counted | pin ends: closed |
//! | metrics_only | admitted | counted; reported when the tripper turns true | pin ends: closed |
//! | disabled | admitted | not counted | pin ends: closed |
//!
//! A result whose generation is not the circuit's, or whose lease lapsed, is stale and changes nothing (the
//! generation is gobreaker's idea).

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::policy::Deadline;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Moment;

mod half_open;
mod step;
mod transition;

pub use step::step;
pub(crate) use transition::explain;
pub use transition::{Cause, Transition, Trip};

/// One circuit between two events.
#[derive(Clone, Debug)]
pub struct Circuit {
    generation: u64,
    since: Moment,
    trip: Option<Arc<Trip>>,
    mode: Mode,
}

/// A state with the data that has a meaning only there. What is seldom and large is shared: each step makes a copy.
#[derive(Clone, Debug)]
enum Mode {
    Closed,
    Open { deadline: Deadline },
    HalfOpen(Arc<Episode>),
    Pinned(Arc<Pinned>),
}

/// What an operator pinned.
#[derive(Clone, Debug)]
struct Pinned {
    to: Pinnable,
    pin: Arc<Pin>,
    /// Under `metrics_only`: whether the tripper held when it was last asked.
    tripper_held: bool,
}

/// One stay in half_open.
#[derive(Clone, Debug, Default)]
struct Episode {
    leases: Vec<Lease>,
    next_lease: u64,
    successes: u32,
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    id: u64,
    until: Moment,
}

/// A state that an operator can pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pinnable {
    /// See [`State::ForcedOpen`].
    ForcedOpen,
    /// See [`State::ForcedClosed`].
    ForcedClosed,
    /// See [`State::MetricsOnly`].
    MetricsOnly,
    /// See [`State::Disabled`].
    Disabled,
}

impl Pinnable {
    /// The state this pins.
    pub const fn state(self) -> State {
        match self {
            Pinnable::ForcedOpen => State::ForcedOpen,
            Pinnable::ForcedClosed => State::ForcedClosed,
            Pinnable::MetricsOnly => State::MetricsOnly,
            Pinnable::Disabled => State::Disabled,
        }
    }
}

/// Who pinned a state, why, and until when.
///
/// ```
/// use fuseboard_core::Pin;
/// use std::time::Duration;
///
/// let pin = Pin::by("ops@example.com").because("database migration").lasting(Duration::from_secs(3600));
/// assert_eq!(pin.actor(), "ops@example.com");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    actor: String,
    reason: String,
    lasting: Option<Duration>,
    until: Option<Moment>,
}

impl Pin {
    /// A pin set by `actor`, without an end.
    pub fn by(actor: impl Into<String>) -> Self {
        Pin { actor: actor.into(), ..Pin::default() }
    }

    /// Adds the reason, for people.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Makes the pin end by itself after `duration`.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.lasting = Some(duration);
        self
    }

    /// Who set it; empty if nobody said.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why; empty if nobody said.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When it ends by itself, on the breaker's clock; `None` for never, or for a pin that is not set yet.
    pub fn until(&self) -> Option<Moment> {
        self.until
    }
}

/// What can happen to a circuit.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody wants to make a call.
    Attempt,
    /// An admitted call ended. The context's metrics already count it.
    Settled {
        /// What the admission gave.
        stamp: Stamp,
        /// What the call came to; a cancelled one is [`Outcome::Ignored`].
        outcome: Outcome,
        /// How long it took, if that was measured.
        duration: Option<Duration>,
        /// When the service said to come back, if it did.
        retry_after: Option<Duration>,
    },
    /// The time of a [`Lapse`] came. The context's `now` is that time, whenever it is noticed.
    Lapsed(Lapse),
    /// An operator's command.
    Command(Command),
    /// An outcome is about to be counted: the context's metrics are those from before it. Under `metrics_only` a tripper
    /// that has turned false by itself, because its time window forgot, is seen here.
    Counting,
}

/// What ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// A probe's lease: the probe has failed. The context's metrics already count that failure.
    Lease(u64),
    /// An operator's pin.
    Pin,
}

/// What an operator can order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Pins a state. Pinning the present one again only renews the pin.
    Pin(Pinnable, Pin),
    /// Ends a pin: forced_open becomes half_open, every other closed. Without a pin nothing happens.
    Auto,
    /// Goes to closed with an empty window, whatever the state.
    Reset,
}

/// What an admission leaves with the caller: by which generation it was let in, and under which lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The circuit's generation at the admission.
    pub generation: u64,
    /// The lease, in half_open.
    pub lease: Option<u64>,
}

/// What surrounds an event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When it happens.
    pub now: Moment,
    /// The circuit's policies.
    pub rules: &'a Rules,
    /// What the window holds, the event's own outcome included.
    pub metrics: &'a Metrics,
    /// A uniform draw from `0.0..1.0`. One is enough for any step.
    pub draw: f64,
}

/// What a step asks of its caller, beside putting the next circuit in place.
#[derive(Debug)]
pub struct Effects {
    /// The answer to the event.
    pub reply: Reply,
    /// The transition to tell of. The window must start afresh.
    pub transition: Option<Transition>,
    /// Under `metrics_only` the tripper has just turned true: what held.
    pub would_trip: Option<String>,
}

/// The answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The call may be made.
    Admitted(Stamp),
    /// The call may not be made.
    Rejected {
        /// When an attempt may succeed, where that is known.
        retry_after: Option<Duration>,
        /// Why calls are rejected.
        cause: Cause,
    },
    /// The event was taken.
    Taken,
    /// The result came too late and changed nothing.
    Stale,
}

impl Circuit {
    /// A closed circuit, since `now`.
    pub fn new(now: Moment) -> Self {
        Circuit { generation: 0, since: now, trip: None, mode: Mode::Closed }
    }

    /// The state it is in, without looking at the time.
    pub fn state(&self) -> State {
        match &self.mode {
            Mode::Closed => State::Closed,
            Mode::Open { .. } => State::Open,
            Mode::HalfOpen(_) => State::HalfOpen,
            Mode::Pinned(pinned) => pinned.to.state(),
        }
    }

    /// How many transitions there were.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When the state began.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// How often half_open ended in open since the circuit was last closed.
    pub fn reopens(&self) -> u32 {
        self.trip.as_ref().map_or(0, |trip| trip.reopens)
    }

    /// What opened the circuit; kept until it is closed.
    pub fn trip(&self) -> Option<&Arc<Trip>> {
        self.trip.as_ref()
    }

    /// The pin, in a pinned state.
    pub fn pin(&self) -> Option<&Arc<Pin>> {
        match &self.mode {
            Mode::Pinned(pinned) => Some(&pinned.pin),
            _ => None,
        }
    }

    /// When an open circuit may try again.
    pub fn deadline(&self) -> Option<Deadline> {
        match &self.mode {
            Mode::Open { deadline } => Some(*deadline),
            _ => None,
        }
    }

    /// How long until an attempt may succeed, in a state that rejects and where that is known.
    pub fn retry_after(&self, now: Moment) -> Option<Duration> {
        match &self.mode {
            Mode::Open { deadline: Deadline::At(at) } => Some(at.since(now)),
            Mode::Open { deadline: Deadline::Ask { not_before } } if *not_before > now => {
                Some(not_before.since(now))
            }
            Mode::Pinned(pinned) if pinned.to == Pinnable::ForcedOpen => {
                Some(pinned.pin.until?.since(now))
            }
            _ => None,
        }
    }

    /// Whether outcomes count in this state.
    pub fn counts(&self) -> bool {
        !matches!(self.state(), State::Open | State::ForcedOpen | State::Disabled)
    }

    /// Whether a result with `stamp` still changes something.
    pub fn accepts(&self, stamp: &Stamp) -> bool {
        if stamp.generation != self.generation {
            return false;
        }
        match &self.mode {
            Mode::HalfOpen(episode) => {
                episode.leases.iter().any(|lease| Some(lease.id) == stamp.lease)
            }
            mode => !matches!(mode, Mode::Open { .. }) && stamp.lease.is_none(),
        }
    }

    /// What ends by itself next, and when: at that time an [`Event::Lapsed`] is due, before any later event.
    pub fn next_lapse(&self) -> Option<(Moment, Lapse)> {
        match &self.mode {
            Mode::HalfOpen(episode) => {
                let first = episode.leases.iter().min_by_key(|lease| (lease.until, lease.id))?;
                Some((first.until, Lapse::Lease(first.id)))
            }
            Mode::Pinned(pinned) => Some((pinned.pin.until?, Lapse::Pin)),
            Mode::Closed | Mode::Open { .. } => None,
        }
    }
}
