//! The audit records of the circuit breaker service, as they are written into the store's log.

use std::fmt::Write;

use fuseboard_core::text::format_duration;
use fuseboard_store::AuditEntry;

use super::audit::AuditLog;
use crate::circuits::{AuditRecord, AuditSink, CircuitBreakerStateData, Trouble};

impl AuditSink for AuditLog {
    /// Hands the record over to the writer. It does not wait, so that no call does.
    fn record(&self, record: &AuditRecord) -> Result<(), Trouble> {
        Ok(self.write(entry(record))?)
    }
}

fn entry(record: &AuditRecord) -> AuditEntry {
    let AuditRecord { at, action, service_name, actor, reason, detail, before, after } = record;
    let after = match (after.as_ref().map(described), detail.is_empty()) {
        (state, true) => state,
        (Some(state), false) => Some(format!("{state}; {detail}")),
        (None, false) => Some(detail.clone()),
    };
    AuditEntry {
        actor: if actor.is_empty() { "unknown".to_owned() } else { actor.clone() },
        action: format!("circuit.{action}"),
        subject: format!("circuit/{service_name}"),
        reason: reason.clone(),
        before: before.as_ref().map(described),
        after,
        at: *at,
    }
}

/// A state in one line: its word first, then whatever is not nothing.
fn described(state: &CircuitBreakerStateData) -> String {
    let mut text = state.state.to_string();
    let since = state.since.as_unix_millis();
    let (successes, failures) = (state.success_count, state.failure_count);
    // Writing to a string cannot fail.
    let _ = write!(text, "; since {since}; window {successes} good, {failures} bad");
    if state.reopens > 0 {
        let _ = write!(text, "; reopened {} times", state.reopens);
    }
    if let Some(trip) = &state.trip {
        let _ = write!(text, "; opened at {} by {}", trip.opened_at.as_unix_millis(), trip.why);
    }
    if let Some(wait) = state.retry_after {
        let _ = write!(text, "; tries again in {}", format_duration(wait));
    }
    if state.manually_controlled {
        let _ = write!(text, "; pinned by {}: {}", state.controlled_by, state.control_reason);
    }
    if let Some(end) = state.manual_override_expires_at {
        let _ = write!(text, "; until {}", end.as_unix_millis());
    }
    if let Some(error) = &state.last_error {
        let _ = write!(text, "; last error {error}");
    }
    text
}
