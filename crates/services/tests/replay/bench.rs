//! A circuit, a store and an upstream that behaves as told, on tokio's paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Life, Rules, Status};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, Moment, WallTime};
use fuseboard_core::{Board, CircuitBreaker, Failure, Outcome};
use fuseboard_services::replay::{
    Deliver, Delivering, Delivery, Lane, Observer, Replay, Surroundings,
};
use fuseboard_services::wake::Bells;
use fuseboard_services::withhold::HeaderRules;
use fuseboard_store::*;

use crate::troubled_store::TroubledStore;

/// Tokio's clock, which stands still but for sleeping.
#[derive(Debug)]
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.0.elapsed()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_millis(1_000_000) + self.0.elapsed()
    }
}

/// What the upstream does with a letter.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    Answers(u16),
    Refuses,
    Takes(Duration),
    PanicsOn(&'static str),
}

struct Upstream {
    behaviour: Behaviour,
    deliveries: AtomicUsize,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

/// Counts a delivery in flight until it ends, however it ends.
struct InFlight<'a>(&'a Upstream);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Deliver for Upstream {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            self.deliveries.fetch_add(1, Ordering::SeqCst);
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let _in_flight = InFlight(self);
            match self.behaviour {
                Behaviour::Answers(status) => answered(status),
                Behaviour::Refuses => refused(),
                Behaviour::Takes(duration) => {
                    tokio::time::sleep(duration).await; // waits for: the paused clock
                    answered(200)
                }
                Behaviour::PanicsOn(key) if letter.key == key => panic!("poison"),
                Behaviour::PanicsOn(_) => answered(200),
            }
        })
    }
}

fn answered(status: u16) -> Delivery {
    let failed = status >= 500 || status == 429;
    let at = WallTime::default();
    let stored = StoredAnswer {
        status,
        headers: vec![],
        body: vec![],
        at,
        truncated: false,
        sealed_by: None,
    };
    Delivery {
        answer: Answer::from_http(status, None),
        outcome: if failed { Outcome::Failure } else { Outcome::Success },
        failure: failed.then(|| Failure::new("failed")),
        stored: Some(stored),
        note: format!("answered {status}"),
    }
}

fn refused() -> Delivery {
    Delivery {
        answer: Answer::NotReached,
        outcome: Outcome::Failure,
        failure: Some(Failure::new("refused")),
        stored: None,
        note: "connection refused".to_owned(),
    }
}

struct Nobody;

impl Observer for Nobody {
    fn on_replay(&self, _circuit: &str, _result: Status) {}
}

pub(crate) struct Bench {
    pub(crate) breaker: CircuitBreaker,
    letters: Arc<dyn Letters>,
    bells: Bells,
    clock: Arc<dyn Clock>,
    upstream: Arc<Upstream>,
    replay: Replay,
}

impl Bench {
    pub(crate) async fn start(behaviour: Behaviour) -> Bench {
        Bench::build(behaviour, 1000.0, store()).await
    }

    pub(crate) async fn with_rate(behaviour: Behaviour, rate: f64) -> Bench {
        Bench::build(behaviour, rate, store()).await
    }

    pub(crate) async fn with_store_faults(behaviour: Behaviour, store: TroubledStore) -> Bench {
        Bench::build(behaviour, 1000.0, store).await
    }

    async fn build(behaviour: Behaviour, rate: f64, faults: TroubledStore) -> Bench {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(tokio::time::Instant::now()));
        let letters: Arc<dyn Letters> = Arc::new(faults);
        let bells = Bells::new(["payments"]);
        let board = Board::builder().clock(Arc::clone(&clock)).listener(bells.clone()).build();
        let retry = "cooldown(10s)".parse().unwrap();
        let rules = fuseboard_core::Rules::builder().retry(retry).build().unwrap();
        let breaker = board.get_or_create("payments", rules).unwrap();
        let upstream = Arc::new(Upstream {
            behaviour,
            deliveries: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let lane = Lane {
            breaker: breaker.clone(),
            deliver: upstream.clone(),
            concurrency: 4,
            rate,
            lease: Duration::from_secs(30),
        };
        let surroundings = Surroundings {
            letters: Arc::clone(&letters),
            bells: bells.clone(),
            clock: Arc::clone(&clock),
            random: Arc::new(SeededRandom::new(1)),
            observer: Arc::new(Nobody),
        };
        let replay = Replay::start(vec![lane], &surroundings);
        Bench { breaker, letters, bells, clock, upstream, replay }
    }

    /// Captures letters with the keys `key-1` and so on.
    pub(crate) async fn capture(&self, letters: usize) {
        for number in 1..=letters {
            self.letters.insert(self.draft(format!("key-{number}"))).await.unwrap();
        }
        self.bells.ring("payments");
    }

    /// Captures a letter that came with this header and must not keep it.
    pub(crate) async fn capture_withholding(&self, header: &str) {
        let mut draft = self.draft("withholding".to_owned());
        draft.headers = vec![(header.to_owned(), b"secret".to_vec())];
        let rules: HeaderRules = header.parse().unwrap();
        assert_eq!(rules.withhold(&mut draft.headers), [header]);
        self.letters.insert(draft).await.unwrap();
    }

    fn draft(&self, key: String) -> Draft {
        let now = self.clock.wall();
        Draft {
            token: Token::random(),
            circuit: "payments".to_owned(),
            domain: "payments".to_owned(),
            failure: "rejected".to_owned(),
            method: "POST".to_owned(),
            uri: "/".to_owned(),
            headers: vec![],
            content_type: None,
            body: vec![],
            key,
            scope: vec![],
            order_key: None,
            priority: Priority::Normal,
            sla_deadline: None,
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(now),
            captured_at: now,
        }
    }

    /// Opens the circuit by failing calls.
    pub(crate) fn trip(&self) {
        for _ in 0..5 {
            self.breaker.try_acquire().unwrap().failure("down");
        }
    }

    /// Lets hours go by.
    pub(crate) async fn settle_down(&self) {
        for _ in 0..3600 {
            tokio::time::sleep(Duration::from_secs(10)).await; // waits for: the paused clock
            if self.count(Status::Pending).await + self.count(Status::Replaying).await == 0 {
                return;
            }
        }
    }

    pub(crate) async fn count(&self, status: Status) -> usize {
        let query = Query { status: Some(status), limit: 1000, ..Query::default() };
        self.letters.list(query).await.unwrap().len()
    }

    pub(crate) async fn letter(&self, id: i64) -> Letter {
        self.letters.get(LetterId(id)).await.unwrap().unwrap()
    }

    pub(crate) fn deliveries(&self) -> usize {
        self.upstream.deliveries.load(Ordering::SeqCst)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.upstream.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.upstream.most.load(Ordering::SeqCst)
    }

    /// Counts the deliveries, also when the bench is gone.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + use<> {
        let upstream = Arc::clone(&self.upstream);
        move || upstream.deliveries.load(Ordering::SeqCst)
    }

    pub(crate) async fn stop(self, grace: Duration) -> Arc<dyn Letters> {
        self.replay.stop(grace).await;
        self.letters
    }
}

/// A store of letters that have ten attempts.
pub(crate) fn store() -> TroubledStore {
    let rules = Rules { max_attempts: 10, ..Rules::default() };
    TroubledStore::over(Memory::new(MemoryOptions { rules, ..MemoryOptions::default() }))
}
