//! The metrics by name: what `metrics` and OpenTelemetry have in common.

pub(super) const CIRCUIT_STATE: &str = "fuseboard_circuit_state";
pub(super) const CIRCUIT_STATE_HELP: &str =
    "1 for the state that the circuit is in, 0 for the others";

pub(super) const CALLS: &str = "fuseboard_calls_total";
pub(super) const CALLS_HELP: &str = "Calls, by what they came to";

pub(super) const STATE_SECONDS: &str = "fuseboard_state_seconds_total";
pub(super) const STATE_SECONDS_HELP: &str = "Time spent in each state";

pub(super) const TRANSITIONS: &str = "fuseboard_transitions_total";
pub(super) const TRANSITIONS_HELP: &str = "Changes of state";
