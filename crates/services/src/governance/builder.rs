//! Puts the governance of a program together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::Board;
use fuseboard_core::text::format_duration;
use fuseboard_core::time::Clock;
use fuseboard_store::Letters;

use super::audit::AuditLog;
use super::budget::Slo;
use super::budgets::Budgets;
use super::service::Governance;
use crate::circuits::Invalid;

/// Puts a [`Governance`] together.
#[must_use = "it does nothing until it is built"]
pub struct GovernanceBuilder {
    letters: Arc<dyn Letters>,
    clock: Arc<dyn Clock>,
    audit: AuditLog,
    board: Option<Board>,
    slos: BTreeMap<String, Slo>,
    of_all_others: Option<Slo>,
    refresh_every: Duration,
    patience: Duration,
}

impl fmt::Debug for GovernanceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GovernanceBuilder").field("slos", &self.slos).finish_non_exhaustive()
    }
}

impl GovernanceBuilder {
    pub(super) fn new(letters: Arc<dyn Letters>, clock: Arc<dyn Clock>, audit: AuditLog) -> Self {
        GovernanceBuilder {
            letters,
            clock,
            audit,
            board: None,
            slos: BTreeMap::new(),
            of_all_others: None,
            refresh_every: Duration::from_secs(1),
            patience: Duration::from_secs(1),
        }
    }

    /// Sets the board whose circuits' outcomes are counted against their error budgets.
    pub fn board(mut self, board: Board) -> Self {
        self.board = Some(board);
        self
    }

    /// Gives a circuit an error budget, and each of its cells (`circuit@cell`) one like it. Keyed circuits (`circuit[key]`)
    /// have one together. Without a budget there is nothing to spend.
    pub fn slo(mut self, circuit: impl Into<String>, slo: Slo) -> Self {
        self.slos.insert(circuit.into(), slo);
        self
    }

    /// Gives every circuit that has none of its own an error budget like this.
    pub fn slo_of_all_others(mut self, slo: Slo) -> Self {
        self.of_all_others = Some(slo);
        self
    }

    /// Sets how old what is known of the settings may be before a check reads them again, 1 ms to 1 hour. Default 1 second.
    pub fn refresh_every(mut self, age: Duration) -> Self {
        self.refresh_every = age;
        self
    }

    /// Sets how long the store may take to answer before the last known values are used, 1 ms to 1 hour. Default 1 second.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes it. Nothing is read yet: the first check does that.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names what cannot be: a time out of range, an impossible [`Slo`], or one without a board to count on.
    pub fn build(self) -> Result<Governance, Invalid> {
        let possible = Duration::from_millis(1)..=Duration::from_secs(3600);
        for (field, time) in [("refresh_every", self.refresh_every), ("patience", self.patience)] {
            if !possible.contains(&time) {
                return Err(Invalid::new(field, format_duration(time), "1ms to 1h"));
            }
        }
        for slo in self.slos.values().chain(&self.of_all_others) {
            slo.validate()?;
            if self.board.is_none() {
                let expected = "no objective, or a board whose circuits can be counted";
                return Err(Invalid::new("objective", slo.objective, expected));
            }
        }
        let budgets = Budgets::new(self.slos, self.of_all_others);
        Ok(Governance::assemble(super::service::Parts {
            letters: self.letters,
            clock: self.clock,
            audit: self.audit,
            board: self.board,
            budgets,
            refresh_every: self.refresh_every,
            patience: self.patience,
        }))
    }
}
