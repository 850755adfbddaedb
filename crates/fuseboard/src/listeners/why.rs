//! Why a circuit's state is what it is, in a sentence.

use fuseboard_core::{Cause, Transition};

/// Why the circuit is not closed any more, as `Info::why` says it; empty if it is, and then the cause says all.
pub(super) fn why(transition: &Transition) -> String {
    if let Some(pin) = &transition.pin {
        let who = if pin.actor().is_empty() { "somebody" } else { pin.actor() };
        let colon = if pin.reason().is_empty() { "" } else { ": " };
        return format!("pinned by {who}{colon}{}", pin.reason());
    }
    let Some(trip) = &transition.trip else { return String::new() };
    match (trip.cause, trip.why.as_str()) {
        (Cause::Tripped, why) => why.to_owned(),
        (cause, "") => cause.to_string(),
        (cause, why) => format!("{cause}, after {why}"),
    }
}
