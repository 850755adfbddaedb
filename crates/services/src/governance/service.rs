//! Governance itself: what is known of the settings and budgets, kept fresh, and the gate over it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::Board;
use fuseboard_core::time::{Clock, WallTime};
use fuseboard_store::Letters;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::audit::AuditLog;
use super::blocks::{self, Blocks};
use super::budget::BudgetStatus;
use super::budgets::Budgets;
use super::builder::GovernanceBuilder;
use super::change::GovernanceError;
use super::check::{BlockedBy, Checking, Gate, GateRequest, GovernanceCheckResult};
use super::known::{Control, Known, Switch};
use super::level::EmergencyLevel;

/// What [`Governance`] is made of.
pub(super) struct Parts {
    pub(super) letters: Arc<dyn Letters>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audit: AuditLog,
    pub(super) board: Option<Board>,
    pub(super) budgets: Budgets,
    pub(super) refresh_every: Duration,
    pub(super) patience: Duration,
}

/// The gate that every replay passes: kill switch, emergency level, error budget. See [the module](super) for what each does.
///
/// What it goes by is in the store's settings, so that all who share the store agree within one refresh, and find it again after
/// a restart. A check reads them only if what is known is older than `refresh_every`; [`run`](Self::run) keeps it younger.
/// What cannot be read holds as it was last known.
pub struct Governance {
    pub(super) parts: Parts,
    pub(super) known: Mutex<Known>,
    /// The revisions of the budget marks that this process set.
    pub(super) own_marks: Mutex<BTreeMap<String, u64>>,
    /// Held by whoever reads or changes settings, so that nothing newer is replaced by something older.
    pub(super) asking: tokio::sync::Mutex<()>,
    blocks: Blocks,
    blocked: AtomicU64,
    overridden: AtomicU64,
}

/// How governance stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GovernanceStatus {
    /// The kill switch.
    pub kill_switch: Control<Switch>,
    /// The emergency level.
    pub emergency_level: Control<EmergencyLevel>,
    /// The error budgets of the circuits that have one and were called, by name.
    pub budgets: Vec<BudgetStatus>,
    /// When the settings were last read; `None` if never.
    pub read_at: Option<WallTime>,
    /// Why they could not be read the last time; `None` if they could.
    pub trouble: Option<String>,
    /// How often the gate was found closed by this process, dry runs aside.
    pub blocked: u64,
    /// How often it was overridden through this process.
    pub overridden: u64,
}

impl fmt::Debug for Governance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governance").field("known", &*self.known()).finish_non_exhaustive()
    }
}

impl Gate for Governance {
    fn check<'a>(&'a self, request: &'a GateRequest) -> Checking<'a> {
        Box::pin(self.decide(request))
    }
}

impl Governance {
    /// Starts the governance over that store.
    pub fn builder(
        letters: Arc<dyn Letters>,
        clock: Arc<dyn Clock>,
        audit: AuditLog,
    ) -> GovernanceBuilder {
        GovernanceBuilder::new(letters, clock, audit)
    }

    pub(super) fn assemble(parts: Parts) -> Self {
        Governance {
            parts,
            known: Mutex::new(Known::nothing()),
            own_marks: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            blocks: Blocks::default(),
            blocked: AtomicU64::new(0),
            overridden: AtomicU64::new(0),
        }
    }

    /// The audit log that it writes to.
    pub fn audit(&self) -> &AuditLog {
        &self.parts.audit
    }

    /// How it stands, as far as is known. It reads nothing: see [`refresh`](Self::refresh).
    pub fn status(&self) -> GovernanceStatus {
        let budgets = self.all_budgets();
        let known = self.known();
        GovernanceStatus {
            kill_switch: known.kill_switch.clone(),
            emergency_level: known.emergency_level.clone(),
            budgets,
            read_at: known.read_at.map(|(_, wall)| wall),
            trouble: known.trouble.clone(),
            blocked: self.blocked.load(Ordering::Relaxed),
            overridden: self.overridden.load(Ordering::Relaxed),
        }
    }

    /// Reads the settings, takes in what the circuits counted, and tells the other processes of budgets that are spent.
    ///
    /// # Errors
    ///
    /// If the settings could not be read; what was last known holds.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn refresh(&self) -> Result<(), GovernanceError> {
        let _asking = self.asking.lock().await;
        self.read().await?;
        self.share_budgets().await;
        Ok(())
    }

    /// Refreshes every `refresh_every`, for ever. Without it, checks do so by themselves, but the process tells nobody of budgets
    /// that it sees spent, and counts against them only what it learns at checks.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn run(self: Arc<Self>) {
        loop {
            // What goes wrong is logged where it is noticed, once.
            let _ = self.refresh().await;
            sleep(self.parts.refresh_every).await;
        }
    }

    async fn decide(&self, request: &GateRequest) -> GovernanceCheckResult {
        self.refresh_if_old().await;
        let Some(by) = self.closed_by(request.circuit.as_deref()) else {
            return GovernanceCheckResult::allowed();
        };
        if !request.override_gate {
            self.note_block(request, &by);
            return GovernanceCheckResult::blocked(by);
        }
        if let Err(missing) = may_override(request) {
            self.note_block(request, &by);
            return GovernanceCheckResult::not_overridden(by, missing);
        }
        self.override_it(request, by).await
    }

    /// Goes on although the gate is closed, once that is in the log: nobody goes on unseen.
    async fn override_it(&self, request: &GateRequest, by: BlockedBy) -> GovernanceCheckResult {
        if request.dry_run {
            return GovernanceCheckResult::overridden(by);
        }
        let entry = blocks::overridden(request, &by, self.parts.clock.wall());
        let record = timeout(self.parts.patience, self.parts.audit.record(entry));
        let trouble = match record.await {
            Ok(Ok(_)) => {
                self.overridden.fetch_add(1, Ordering::Relaxed);
                return GovernanceCheckResult::overridden(by);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => GovernanceError::Late(self.parts.patience).to_string(),
        };
        self.note_block(request, &by);
        GovernanceCheckResult::not_overridden(by, format!("it cannot be recorded: {trouble}"))
    }

    fn note_block(&self, request: &GateRequest, by: &BlockedBy) {
        if request.dry_run {
            return;
        }
        self.blocked.fetch_add(1, Ordering::Relaxed);
        let clock = &self.parts.clock;
        if let Some(entry) = self.blocks.record(request, by, clock.now(), clock.wall()) {
            info!(action = request.action, subject = entry.subject, %by, "a replay was blocked");
            // One that was not taken is counted and logged by the log itself; the block stands.
            let _ = self.parts.audit.write(entry);
        }
    }

    /// What keeps the gate closed, as far as is known.
    fn closed_by(&self, circuit: Option<&str>) -> Option<BlockedBy> {
        let (switch, level) = {
            let known = self.known();
            (known.kill_switch.value, known.emergency_level.value)
        };
        match (switch, level) {
            (Some(Switch::On), _) => Some(BlockedBy::KillSwitch),
            (_, Some(level)) if level.blocks() => Some(BlockedBy::EmergencyLevel(level)),
            (None, _) | (_, None) => Some(BlockedBy::Unread),
            _ => {
                let status = self.budget(circuit?).filter(|budget| budget.exhausted)?;
                let BudgetStatus { circuit, spent, burn_rate, .. } = status;
                Some(BlockedBy::ErrorBudget { circuit, spent, burn_rate })
            }
        }
    }

    async fn refresh_if_old(&self) {
        let Some(is_unread) = self.is_old() else { return };
        let refreshing = async {
            let asking = match is_unread {
                true => Some(self.asking.lock().await),
                // Somebody else is at it: what is known is good enough meanwhile.
                false => self.asking.try_lock().ok(),
            };
            if asking.is_some() && self.is_old().is_some() {
                let _ = self.read().await;
            }
        };
        let _ = timeout(self.parts.patience, refreshing).await;
    }

    /// Whether the settings should be read again; and if so, whether they never were.
    fn is_old(&self) -> Option<bool> {
        let (now, known) = (self.parts.clock.now(), self.known());
        // What was never read is asked for at every check: who comes second must not be told less than who came first.
        let is_unread = known.read_at.is_none();
        let is_due = known.asked_at.is_none_or(|at| now.since(at) >= self.parts.refresh_every);
        (is_unread || is_due).then_some(is_unread)
    }

    /// Reads all settings and all circuits. The caller holds `asking`.
    pub(super) async fn read(&self) -> Result<(), GovernanceError> {
        let Parts { letters, clock, budgets, patience, .. } = &self.parts;
        self.known().asked_at = Some(clock.now());
        self.sample();
        let error = match timeout(*patience, letters.settings()).await {
            Ok(Ok(settings)) => {
                let resets = self.known().absorb_all(&settings, clock.now(), clock.wall());
                resets.iter().for_each(|circuit| budgets.clear(circuit));
                return Ok(());
            }
            Ok(Err(error)) => GovernanceError::Store(error),
            Err(_) => GovernanceError::Late(*patience),
        };
        if self.known().trouble.replace(error.to_string()).is_none() {
            warn!(%error, "the governance settings could not be read; the last known values hold");
        }
        Err(error)
    }

    /// Takes in what the circuits counted since the last time.
    pub(super) fn sample(&self) {
        let Parts { clock, budgets, board, .. } = &self.parts;
        if let Some(board) = board {
            budgets.sample(board, clock.now());
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an override lacks.
fn may_override(request: &GateRequest) -> Result<(), &'static str> {
    match (request.actor.trim().is_empty(), request.reason.trim().is_empty()) {
        (true, _) => Err("nobody says who asks for it"),
        (false, true) => Err("it needs a reason"),
        (false, false) => Ok(()),
    }
}
