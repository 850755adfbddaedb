//! Governance over a store and a board, on one clock that stands still, with its audit log being written.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::ManualClock;
use fuseboard_core::{Board, CircuitBreaker, Rules};
use fuseboard_services::governance::{
    AuditLog, Change, Gate, GateRequest, Governance, GovernanceBuilder, GovernanceCheckResult,
};
use fuseboard_store::{AuditEntry, AuditQuery, Letters};

use crate::troubled_store::TroubledStore;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// One process of those that share a store.
pub(crate) struct Process {
    pub(crate) governance: Arc<Governance>,
    pub(crate) board: Board,
    pub(crate) clock: Arc<ManualClock>,
}

impl Process {
    pub(crate) fn of(letters: Arc<dyn Letters>, clock: Arc<ManualClock>) -> Process {
        Process::with(letters, clock, |builder| builder)
    }

    pub(crate) fn with(
        letters: Arc<dyn Letters>,
        clock: Arc<ManualClock>,
        more: impl FnOnce(GovernanceBuilder) -> GovernanceBuilder,
    ) -> Process {
        let (audit, writer) = AuditLog::new(letters.clone());
        tokio::spawn(writer.run());
        let board = Board::builder().clock(clock.clone()).build();
        let builder = Governance::builder(letters, clock.clone(), audit).board(board.clone());
        let governance = Arc::new(more(builder).build().unwrap());
        Process { governance, board, clock }
    }

    /// A process alone with its store.
    pub(crate) fn alone() -> (Process, Arc<TroubledStore>) {
        let store = Arc::new(TroubledStore::default());
        (Process::of(store.clone(), Arc::new(ManualClock::new())), store)
    }

    pub(crate) async fn check(&self, request: GateRequest) -> GovernanceCheckResult {
        self.governance.check(&request).await
    }

    /// What `kim` is told who wants to replay letters of `payments`.
    pub(crate) async fn asks(&self) -> GovernanceCheckResult {
        self.check(request()).await
    }

    pub(crate) async fn refresh(&self) {
        self.governance.refresh().await.unwrap();
    }

    /// The records of the log, the oldest first, once all that waits is written.
    pub(crate) async fn records(&self) -> Vec<AuditEntry> {
        self.governance.audit().flush().await;
        let page = self.governance.audit().page(AuditQuery::default()).await.unwrap();
        page.records.into_iter().rev().map(|record| record.entry).collect()
    }

    /// The actions of the log, the oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        self.records().await.into_iter().map(|entry| entry.action).collect()
    }

    pub(crate) fn circuit(&self, name: &str) -> CircuitBreaker {
        self.board.get_or_create(name, Rules::default()).unwrap()
    }

    /// So many calls of a circuit that never trips.
    pub(crate) fn calls(&self, name: &str, good: u64, bad: u64) {
        let rules = Rules::builder()
            .tripper("failures(1000000)".parse().unwrap())
            .window("count(1000000)".parse().unwrap());
        let breaker = self.board.get_or_create(name, rules.build().unwrap()).unwrap();
        for _ in 0..good {
            breaker.try_acquire().unwrap().success();
        }
        for _ in 0..bad {
            breaker.try_acquire().unwrap().failure("503");
        }
    }
}

pub(crate) fn request() -> GateRequest {
    GateRequest::new("replay_single", "kim", "the address is fixed").circuit("payments")
}

pub(crate) fn change() -> Change {
    Change::by("ops", "the provider is down")
}
