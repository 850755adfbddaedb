//! The audit trail: what was done to circuits by hand or for good, by whom, and why.

use std::fmt;

use fuseboard_core::time::WallTime;
use tracing::info;

use super::error::Trouble;
use super::state_data::CircuitBreakerStateData;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditAction {
    /// A circuit was pinned `forced_open`.
    ForceOpen,
    /// A circuit was pinned `forced_closed`.
    ForceClose,
    /// A pin was ended by hand.
    Auto,
    /// Thresholds were overridden.
    OverrideApplied,
    /// An override was ended by hand.
    OverrideRemoved,
    /// An override ended by itself.
    OverrideLapsed,
    /// A circuit whose cell is gone was deleted; the record holds its last state.
    Archived,
}

impl AuditAction {
    /// The word for it in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            AuditAction::ForceOpen => "force_open",
            AuditAction::ForceClose => "force_close",
            AuditAction::Auto => "auto",
            AuditAction::OverrideApplied => "override_applied",
            AuditAction::OverrideRemoved => "override_removed",
            AuditAction::OverrideLapsed => "override_lapsed",
            AuditAction::Archived => "archived",
        }
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was done to a circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// When.
    pub at: WallTime,
    /// What.
    pub action: AuditAction,
    /// To which circuit.
    pub service_name: String,
    /// By whom; `system` for what happens by itself.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What changed, where states do not say it: the thresholds of an override.
    pub detail: String,
    /// The circuit before.
    pub before: Option<CircuitBreakerStateData>,
    /// The circuit after; `None` if it is gone.
    pub after: Option<CircuitBreakerStateData>,
}

/// Where audit records go.
///
/// Records are written by the thread that did the thing, after it was done; only a circuit's archive record is written before,
/// and without it the circuit is not deleted. An error or a panic elsewhere is logged and stops nothing.
pub trait AuditSink: Send + Sync {
    /// Keeps a record.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being kept.
    fn record(&self, record: &AuditRecord) -> Result<(), Trouble>;
}

/// Writes each record as a `tracing` event of target `fuseboard::audit`, last state and all: what there is when nobody lent
/// the service a sink.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggedAudit;

impl AuditSink for LoggedAudit {
    fn record(&self, record: &AuditRecord) -> Result<(), Trouble> {
        let AuditRecord { action, service_name, actor, reason, detail, before, after, .. } = record;
        info!(
            target: "fuseboard::audit",
            %action, %service_name, %actor, %reason, %detail, ?before, ?after, "audit"
        );
        Ok(())
    }
}
