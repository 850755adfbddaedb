//! A program with one protected call, whose other side does what the test says, and remembers what it got.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{Board, CircuitBreaker, Pin, Rules};
use fuseboard_services::capture::{Call, CaptureBuilder, Captured, Captures, Undone};
use fuseboard_services::circuits::BoardRepository;
use fuseboard_services::replay_service::{ReplayContext, ReplayService};
use fuseboard_store::{Letter, LetterId, Letters, Query};

use crate::troubled_store::TroubledStore;

/// The key that callers send.
pub(crate) const KEY: &str = "order-42";
/// A payload that is no text.
pub(crate) const BYTES: &[u8] = b"\0\x01\r\n\xff {}";

/// The other side's error: why it was not done, or that it never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble(pub(crate) Option<Undone>);

/// A call as the other side saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) payload: Vec<u8>,
    pub(crate) key: String,
    pub(crate) replay: Option<u32>,
    /// What the context says, if there is one.
    pub(crate) context: Option<(LetterId, String, u32)>,
}

/// The other side.
#[derive(Debug, Default)]
pub(crate) struct OtherSide {
    trouble: Mutex<Option<Trouble>>,
    seen: Mutex<Vec<Seen>>,
}

impl OtherSide {
    pub(crate) fn has(&self, trouble: impl Into<Option<Trouble>>) {
        *self.trouble.lock().unwrap() = trouble.into();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Takes a call.
    pub(crate) fn take(&self, payload: Vec<u8>, call: &Call) -> Result<&'static str, Trouble> {
        let context = ReplayContext::current();
        let context = context.map(|replay| (replay.dlq_id, replay.key, replay.attempt));
        let seen = Seen { payload, key: call.key().to_owned(), replay: call.replay(), context };
        self.seen.lock().unwrap().push(seen);
        self.trouble.lock().unwrap().map_or(Ok("done"), Err)
    }
}

pub(crate) type Charge = fuseboard_services::capture::Capture<Vec<u8>, &'static str, Trouble>;
pub(crate) type Building = CaptureBuilder<Vec<u8>, &'static str, Trouble>;

pub(crate) struct Rig {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) letters: Arc<TroubledStore>,
    pub(crate) captures: Captures,
    pub(crate) other_side: Arc<OtherSide>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) replays: ReplayService,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::over(TroubledStore::default())
    }

    pub(crate) fn over(store: TroubledStore) -> Rig {
        let (letters, clock) = (Arc::new(store), Arc::new(ManualClock::new()));
        let board = Board::builder().clock(clock.clone()).build();
        let rules = Rules::builder().tripper(failure_streak(1000)).retry(Retry::Never);
        let breaker = board.get_or_create("payments", rules.build().unwrap()).unwrap();
        let captures = Captures::builder().letters(letters.clone()).clock(clock.clone());
        let captures = captures.patience(Duration::from_secs(2)).build().unwrap();
        let replays = ReplayService::builder(letters.clone())
            .circuits(Arc::new(BoardRepository::new(board)))
            .build()
            .unwrap();
        replays.register_circuit_handler("payments", Arc::new(captures.clone()));
        Rig { breaker, letters, captures, other_side: Arc::default(), clock, replays }
    }

    /// The call, not built yet.
    pub(crate) fn charge(&self) -> Building {
        let other_side = Arc::clone(&self.other_side);
        let handler = move |payload: Vec<u8>, call: Call| {
            let other_side = Arc::clone(&other_side);
            async move { other_side.take(payload, &call) }
        };
        self.captures
            .protect("charge", &self.breaker, handler)
            .classify(|trouble: &Trouble| trouble.0)
    }

    /// Makes what `undone` says happen to the next calls.
    pub(crate) fn fails(&self, undone: Undone) {
        match undone {
            Undone::Rejected => self.breaker.force_open(Pin::by("test")),
            undone => self.other_side.has(Trouble(Some(undone))),
        }
    }

    /// Everything works again.
    pub(crate) fn recovers(&self) {
        self.breaker.reset();
        self.other_side.has(None);
        self.clock.advance(Duration::from_secs(3600));
    }

    pub(crate) async fn all_letters(&self) -> Vec<Letter> {
        self.letters.inner.export(Query { limit: 100, ..Query::default() }).await.unwrap()
    }

    pub(crate) async fn only_letter(&self) -> Letter {
        let letters = self.all_letters().await;
        let [letter] = letters.try_into().expect("there is one letter");
        letter
    }

    pub(crate) async fn letter(&self, id: LetterId) -> Letter {
        self.letters.inner.get(id).await.unwrap().unwrap()
    }

    /// What must hold at the end of every test: no letter went missing.
    pub(crate) async fn conserved(&self, captured: u64) {
        let counts = self.letters.inner.counts().await.unwrap();
        let here: u64 = Status::ALL.into_iter().map(|status| counts.of(status)).sum();
        assert_eq!((counts.captured, here + counts.purged), (captured, captured));
    }
}

/// The word for what a call came to.
pub(crate) fn word<T, E>(captured: &Captured<T, E>) -> &'static str {
    match captured {
        Captured::Done(_) => "done",
        Captured::Served(_, Ok(_)) => "served and queued",
        Captured::Served(_, Err(_)) => "served",
        Captured::Queued(_) => "queued",
        Captured::Failed(_) => "failed",
    }
}
