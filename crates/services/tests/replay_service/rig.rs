//! A replay service over a store, circuits, a gate and an other side that do as told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Life, Rules as LetterRules, Status};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, ManualClock};
use fuseboard_core::{Board, CircuitBreaker, Failure, Outcome, Rules};
use fuseboard_services::circuits::BoardRepository;
use fuseboard_services::governance::{
    BlockedBy, Checking, Gate, GateRequest, GovernanceCheckResult,
};
use fuseboard_services::replay::{Deliver, Delivering, Delivery};
use fuseboard_services::replay_service::*;
use fuseboard_store::*;

use crate::troubled_store::TroubledStore;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// How the other side takes a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Again,
    Never,
    Refused,
    Crash,
    Hang,
}

type Decide = Box<dyn FnMut(&Letter) -> Reply + Send>;

/// The other side: decides by letter, and remembers what it did.
pub(crate) struct Upstream {
    decide: Mutex<Decide>,
    /// Keys in the order in which they came, and what was answered.
    pub(crate) came: Mutex<Vec<(String, Reply)>>,
    pub(crate) contexts: Mutex<Vec<Option<ReplayContext>>>,
}

impl Deliver for Upstream {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            let reply = (self.decide.lock().unwrap())(letter);
            self.came.lock().unwrap().push((letter.key.clone(), reply));
            self.contexts.lock().unwrap().push(ReplayContext::current());
            tokio::task::yield_now().await;
            let (answer, outcome, note) = match reply {
                Reply::Done => (Answer::Done, Outcome::Success, "answered 200"),
                Reply::Again => {
                    let again = Answer::Again { retry_after: None };
                    (again, Outcome::Failure, "answered 503")
                }
                Reply::Never => (Answer::Never, Outcome::Success, "answered 422"),
                Reply::Refused => (Answer::NotReached, Outcome::Failure, "connection refused"),
                Reply::Crash => panic!("poison"),
                Reply::Hang => std::future::pending().await,
            };
            let failure = (outcome == Outcome::Failure).then(|| Failure::new(note));
            Delivery { answer, outcome, failure, stored: None, note: note.to_owned() }
        })
    }
}

/// A gate that is closed as long as something is said to close it.
#[derive(Default)]
pub(crate) struct Switch {
    pub(crate) closed_by: Mutex<Option<BlockedBy>>,
    /// Requests in earnest, as a gate would record them.
    pub(crate) asked: Mutex<Vec<GateRequest>>,
}

impl Switch {
    pub(crate) fn set(&self, closed_by: Option<BlockedBy>) {
        *self.closed_by.lock().unwrap() = closed_by;
    }
}

impl Gate for Switch {
    fn check<'a>(&'a self, request: &'a GateRequest) -> Checking<'a> {
        if !request.dry_run {
            self.asked.lock().unwrap().push(request.clone());
        }
        let closed_by = match self.closed_by.lock().unwrap().clone() {
            Some(BlockedBy::ErrorBudget { circuit, .. })
                if request.circuit.as_deref() != Some(&circuit) =>
            {
                None
            }
            other => other,
        };
        let result = match closed_by {
            None => GovernanceCheckResult::allowed(),
            Some(by) if request.override_gate => GovernanceCheckResult::overridden(by),
            Some(by) => GovernanceCheckResult::blocked(by),
        };
        Box::pin(std::future::ready(result))
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("replay_service-{}-{number}", std::process::id());
        Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Rig {
    pub(crate) name: &'static str,
    pub(crate) service: ReplayService,
    pub(crate) letters: Arc<dyn Letters>,
    pub(crate) board: Board,
    pub(crate) circuits: Arc<BoardRepository>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) gate: Arc<Switch>,
    captured: AtomicUsize,
    _folder: Option<Folder>,
}

impl Rig {
    /// One rig for each store.
    pub(crate) fn all(decide: impl FnMut(&Letter) -> Reply + Send + Clone + 'static) -> Vec<Rig> {
        Rig::all_with(ReplayConfig::default(), decide)
    }

    pub(crate) fn all_with(
        config: ReplayConfig,
        decide: impl FnMut(&Letter) -> Reply + Send + Clone + 'static,
    ) -> Vec<Rig> {
        let retry = "cooldown(10s)".parse().unwrap();
        let rules = LetterRules { max_attempts: 4, retry, ..LetterRules::default() };
        let memory = || Memory::new(MemoryOptions { rules: rules.clone(), capacity: None });
        let keys = Keyring::new(SealingKey::new("k", [1; 32]).unwrap());
        let sealed = Sealed::new(Arc::new(memory()), keys);
        let memory = memory();
        let folder = Folder::new();
        let sqlite =
            Sqlite::open(SqliteOptions { rules: rules.clone(), ..SqliteOptions::new(&folder.0) })
                .unwrap();
        vec![
            Rig::over("sealed", Arc::new(sealed), None, config.clone(), Box::new(decide.clone())),
            Rig::over("memory", Arc::new(memory), None, config.clone(), Box::new(decide.clone())),
            Rig::over("sqlite", Arc::new(sqlite), Some(folder), config, Box::new(decide)),
        ]
    }

    /// A rig over a store that fails as told.
    pub(crate) fn troubled(store: TroubledStore, reply: Reply) -> Rig {
        let config = ReplayConfig::default();
        Rig::over("troubled", Arc::new(store), None, config, Box::new(move |_| reply))
    }

    fn over(
        name: &'static str,
        letters: Arc<dyn Letters>,
        folder: Option<Folder>,
        config: ReplayConfig,
        decide: Decide,
    ) -> Rig {
        let clock = Arc::new(ManualClock::new());
        clock.advance(1000 * SECOND);
        let board = Board::builder().clock(clock.clone()).build();
        for circuit in ["payments", "mails"] {
            board.get_or_create(circuit, Rules::default()).unwrap();
        }
        let circuits = Arc::new(BoardRepository::new(board.clone()));
        let upstream = Arc::new(Upstream {
            decide: Mutex::new(decide),
            came: Mutex::default(),
            contexts: Mutex::default(),
        });
        let gate = Arc::new(Switch::default());
        let service = ReplayService::builder(letters.clone())
            .config(config)
            .circuits(circuits.clone())
            .gate(gate.clone())
            .random(Arc::new(SeededRandom::new(1)))
            .build()
            .unwrap();
        for circuit in ["payments", "mails"] {
            service.register_circuit_handler(circuit, upstream.clone());
        }
        let captured = AtomicUsize::new(0);
        Rig {
            name,
            service,
            letters,
            board,
            circuits,
            clock,
            upstream,
            gate,
            captured,
            _folder: folder,
        }
    }

    /// Has the other side decide anew; what came before is kept.
    pub(crate) fn decided_by(
        &self,
        decide: impl FnMut(&Letter) -> Reply + Send + 'static,
    ) -> Arc<Upstream> {
        *self.upstream.decide.lock().unwrap() = Box::new(decide);
        self.upstream.clone()
    }

    pub(crate) fn breaker(&self, circuit: &str) -> CircuitBreaker {
        self.board.get(circuit).unwrap()
    }

    /// Opens a circuit by failing calls.
    pub(crate) fn trip(&self, circuit: &str) {
        for _ in 0..5 {
            self.breaker(circuit).try_acquire().unwrap().failure("down");
        }
    }

    /// Captures one letter, due at once; each a second after the one before.
    pub(crate) async fn capture_one(&self, change: impl FnOnce(&mut Draft)) -> LetterId {
        let number = self.captured.fetch_add(1, Ordering::Relaxed) + 1;
        self.clock.advance(SECOND);
        let now = self.clock.wall();
        let mut draft = Draft {
            token: Token::random(),
            circuit: "payments".to_owned(),
            domain: "orders".to_owned(),
            failure: "rejected".to_owned(),
            method: "POST".to_owned(),
            uri: "/".to_owned(),
            headers: vec![],
            content_type: None,
            body: vec![],
            key: format!("key-{number}"),
            scope: vec![],
            order_key: None,
            priority: Priority::Normal,
            sla_deadline: None,
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(now),
            captured_at: now,
        };
        change(&mut draft);
        self.letters.insert(draft).await.unwrap().id()
    }

    /// Captures letters of `payments`.
    pub(crate) async fn capture(&self, letters: usize) -> Vec<LetterId> {
        let mut ids = Vec::new();
        for _ in 0..letters {
            ids.push(self.capture_one(|_| {}).await);
        }
        ids
    }

    /// Captures a letter with that circuit, domain, failure type and priority.
    pub(crate) async fn capture_as(
        &self,
        circuit: &str,
        domain: &str,
        failure: &str,
        priority: Priority,
    ) -> LetterId {
        let change = |draft: &mut Draft| {
            (draft.circuit, draft.domain) = (circuit.to_owned(), domain.to_owned());
            (draft.failure, draft.priority) = (failure.to_owned(), priority);
        };
        self.capture_one(change).await
    }

    pub(crate) async fn life(&self, id: LetterId) -> Life {
        self.letters.get(id).await.unwrap().unwrap().life
    }

    pub(crate) async fn count(&self, status: Status) -> u64 {
        self.letters.counts().await.unwrap().of(status)
    }

    pub(crate) async fn history(&self, id: LetterId) -> Vec<String> {
        let history = self.letters.history(id).await.unwrap();
        history.into_iter().map(|entry| entry.what).collect()
    }

    /// The keys that came to the other side, in order.
    pub(crate) fn came(&self) -> Vec<String> {
        self.upstream.came.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    /// What the audit log says, oldest first: `actor action subject`.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let mut records = self.letters.records(AuditQuery::default()).await.unwrap();
        records.sort_by_key(|record| record.id);
        let told = records.into_iter().map(|record| {
            let AuditEntry { actor, action, subject, .. } = record.entry;
            format!("{actor} {action} {subject}")
        });
        told.collect()
    }

    /// What must hold at the end of every test: no letter went missing, and none was done twice.
    pub(crate) async fn conserved(&self) {
        let counts = self.letters.counts().await.unwrap();
        for (circuit, counts) in &counts.circuits {
            let here: u64 = counts.by_status.values().sum();
            assert_eq!(counts.captured, here + counts.purged, "{}: {circuit}", self.name);
        }
        let captured = self.captured.load(Ordering::Relaxed) as u64;
        assert_eq!(counts.captured, captured, "{}", self.name);
        let mut done = BTreeMap::<String, usize>::new();
        for (key, reply) in &*self.upstream.came.lock().unwrap() {
            *done.entry(key.clone()).or_default() += usize::from(*reply == Reply::Done);
        }
        assert!(done.values().all(|times| *times <= 1), "{}: {done:?}", self.name);
        let resolved = done.values().sum::<usize>() as u64;
        assert_eq!(counts.of(Status::Resolved), resolved, "{}", self.name);
        for job in self.service.jobs() {
            let result = job.result;
            let sum = result.success_count + result.failed_count + result.skipped_count;
            assert_eq!((result.total, result.results.len()), (sum, sum), "{}", self.name);
        }
    }
}
