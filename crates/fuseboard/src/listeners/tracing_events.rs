//! Transitions as `tracing` events.

use std::time::Duration;

use fuseboard_core::{Listener, State, Transition};
use tracing::Level;

/// Emits one [`tracing`] event for each transition, and for each time a circuit under `metrics_only` would have opened.
///
/// It is emitted on the thread that made the transition, inside the span of its call, so that the trace of that call
/// shows which of them opened the circuit. Your subscriber runs there, as for any event; if it writes to something
/// that may block, wrap this in [`Elsewhere`](crate::Elsewhere), which costs the span.
///
/// The target is `fuseboard`. The level is `WARN` where calls are rejected from now on (open, forced_open) or would be
/// (`would trip`), otherwise `INFO`. The names of fields are stable:
///
/// | field | type | what |
/// |---|---|---|
/// | `message` | text | `transition`, or `would trip` |
/// | `circuit` | text | its name |
/// | `from`, `to`, `cause` | text | the words that metrics and the API use |
/// | `why` | text | what opened the circuit, or who pinned it; empty once it is closed |
/// | `generation` | u64 | grows by one at each transition |
/// | `reopens` | u64 | how often half_open ended in open since the circuit was last closed |
/// | `retry_after_ms` | u64 | until an attempt may succeed; absent if it may now, or if that is not known |
/// | `total`, `failures`, `streak` | u64 | what the window of the state before held: calls, failures, failures in a row |
/// | `actor`, `reason` | text | of the pin; absent without one |
///
/// A `would trip` event has `circuit` and `why` only.
///
/// ```
/// use fuseboard::{Board, listeners::TracingEvents};
///
/// let board = Board::builder().listener(TracingEvents).build();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingEvents;

/// A level must be known when the event is compiled, so there is one event for each.
macro_rules! transition_event {
    ($level:expr, $circuit:expr, $transition:expr) => {{
        let transition: &Transition = $transition;
        let pin = transition.pin.as_deref();
        tracing::event!(
            target: "fuseboard",
            $level,
            circuit = $circuit,
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            cause = transition.cause.as_str(),
            why = transition.why().unwrap_or_default(),
            generation = transition.generation,
            reopens = u64::from(transition.reopens),
            retry_after_ms = transition.retry_after.map(millis),
            total = transition.metrics.total,
            failures = transition.metrics.failures,
            streak = transition.metrics.streak,
            actor = pin.map(|pin| pin.actor()),
            reason = pin.map(|pin| pin.reason()),
            "transition"
        );
    }};
}

impl Listener for TracingEvents {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        if matches!(transition.to, State::Open | State::ForcedOpen) {
            transition_event!(Level::WARN, circuit, transition);
        } else {
            transition_event!(Level::INFO, circuit, transition);
        }
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        tracing::event!(target: "fuseboard", Level::WARN, circuit, why, "would trip");
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
