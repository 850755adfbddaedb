//! A service on a board with a clock that stands still, and notes of all that it tells others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::time::ManualClock;
use fuseboard_core::{Board, Cause, State, Transition};
use fuseboard_services::circuits::{
    AuditRecord, AuditSink, BoardRepository, CircuitBreakerConfig, CircuitBreakerService,
    CircuitBreakerServiceBuilder, Trouble,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// An audit sink that keeps records, or cannot.
#[derive(Default)]
pub(crate) struct Audit {
    pub(crate) records: Mutex<Vec<AuditRecord>>,
    pub(crate) broken: Mutex<bool>,
}

impl AuditSink for Audit {
    fn record(&self, record: &AuditRecord) -> Result<(), Trouble> {
        if *self.broken.lock().unwrap() {
            return Err("the disk is full".into());
        }
        self.records.lock().unwrap().push(record.clone());
        Ok(())
    }
}

pub(crate) type Told = (String, State, State, Cause);

pub(crate) struct Rig {
    pub(crate) service: Arc<CircuitBreakerService>,
    pub(crate) board: Board,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) told: Arc<Mutex<Vec<Told>>>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Rig::with(CircuitBreakerConfig::default(), |builder| builder)
    }

    pub(crate) fn of(config: CircuitBreakerConfig) -> Self {
        Rig::with(config, |builder| builder)
    }

    pub(crate) fn with(
        config: CircuitBreakerConfig,
        more: impl FnOnce(CircuitBreakerServiceBuilder) -> CircuitBreakerServiceBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new());
        let (audit, told) = (Arc::new(Audit::default()), Arc::new(Mutex::new(Vec::new())));
        let notes = Arc::clone(&told);
        let listener = move |circuit: &str, transition: &Transition| {
            let Transition { from, to, cause, .. } = transition;
            notes.lock().unwrap().push((circuit.to_owned(), *from, *to, *cause));
        };
        let board = Board::builder().clock(clock.clone()).listener(listener).build();
        let repository = Arc::new(BoardRepository::new(board.clone()));
        let builder = CircuitBreakerService::builder()
            .config(config)
            .repository(repository)
            .audit(audit.clone());
        let service = Arc::new(more(builder).build().unwrap());
        Rig { service, board, clock, audit, told }
    }

    /// Makes so many calls that fail, one after the other.
    pub(crate) fn fail(&self, circuit: &str, calls: usize) {
        for _ in 0..calls {
            assert!(self.service.should_allow(circuit).unwrap());
            self.service.record_failure(circuit, Some("503".into()), None).unwrap();
        }
    }

    /// Makes so many calls that succeed, one after the other.
    pub(crate) fn succeed(&self, circuit: &str, calls: usize) {
        for _ in 0..calls {
            assert!(self.service.should_allow(circuit).unwrap());
            self.service.record_success(circuit, None).unwrap();
        }
    }

    pub(crate) fn trip(&self, circuit: &str) {
        self.fail(circuit, self.service.config().failure_threshold as usize);
        assert_eq!(self.service.get_state(circuit), State::Open);
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn records(&self) -> Vec<AuditRecord> {
        self.audit.records.lock().unwrap().clone()
    }

    pub(crate) fn totals(&self, circuit: &str) -> fuseboard_core::Totals {
        self.board.get(circuit).unwrap().info().totals
    }
}
