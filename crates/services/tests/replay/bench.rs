//! Circuits, a store and upstreams that behave as told, on tokio's paused time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::letter::{Answer, Rules, Status};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, Moment, WallTime};
use fuseboard_core::{Board, CircuitBreaker, Failure, Outcome};
use fuseboard_services::domains::Domains;
use fuseboard_services::governance::{Gate, Open};
use fuseboard_services::replay::{
    Caution, Deliver, Delivering, Delivery, Lane, Limits, Observer, Replay, ReplayContext,
    Surroundings,
};
use fuseboard_services::wake::Bells;
use fuseboard_services::withhold::HeaderRules;
use fuseboard_store::*;

use crate::troubled_store::TroubledStore;

/// Tokio's clock, which stands still but for sleeping.
#[derive(Debug)]
pub(crate) struct TokioClock(tokio::time::Instant);

impl TokioClock {
    /// A clock that is at its beginning.
    pub(crate) fn start() -> Arc<dyn Clock> {
        Arc::new(TokioClock(tokio::time::Instant::now()))
    }
}

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
    Panics,
}

/// The other side of one circuit.
struct Upstream {
    behaviour: Mutex<Behaviour>,
    /// The keys of the letters that came, and when.
    came: Mutex<Vec<(String, Duration)>>,
    contexts: Mutex<Vec<Option<ReplayContext>>>,
    /// The latest letter that came.
    latest: Mutex<Option<Letter>>,
    /// How many of the next letters fail.
    failing: AtomicUsize,
    began: tokio::time::Instant,
    in_flight: AtomicUsize,
    most: AtomicUsize,
    /// How many were in flight when each letter came.
    crowds: Mutex<Vec<usize>>,
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
            let at = self.began.elapsed();
            self.came.lock().unwrap().push((letter.key.clone(), at));
            *self.latest.lock().unwrap() = Some(letter.clone());
            self.contexts.lock().unwrap().push(ReplayContext::current());
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.crowds.lock().unwrap().push(now);
            let _in_flight = InFlight(self);
            let behaviour = *self.behaviour.lock().unwrap();
            let one_less = |failing: usize| failing.checked_sub(1);
            if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                return answered(503);
            }
            match behaviour {
                Behaviour::Answers(status) => answered(status),
                Behaviour::Refuses => refused(),
                Behaviour::Takes(duration) => {
                    tokio::time::sleep(duration).await; // waits for: the paused clock
                    answered(200)
                }
                Behaviour::PanicsOn(key) if letter.key == key => panic!("poison"),
                Behaviour::PanicsOn(_) => answered(200),
                Behaviour::Panics => panic!("poison"),
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

/// What a bench is made of.
pub(crate) struct Setup {
    pub(crate) circuits: Vec<&'static str>,
    pub(crate) behaviour: Behaviour,
    pub(crate) concurrency: usize,
    pub(crate) rate: f64,
    pub(crate) caution: Caution,
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) domains: Domains,
    pub(crate) letters: Arc<dyn Letters>,
    /// By default, tokio's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            circuits: vec!["payments"],
            behaviour: Behaviour::Answers(200),
            concurrency: 4,
            rate: 1000.0,
            caution: Caution::default(),
            limits: Limits::default(),
            gate: Arc::new(Open),
            domains: Domains::default(),
            letters: Arc::new(store()),
            clock: None,
        }
    }
}

pub(crate) struct Bench {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) letters: Arc<dyn Letters>,
    bells: Bells,
    pub(crate) clock: Arc<dyn Clock>,
    upstreams: BTreeMap<&'static str, Arc<Upstream>>,
    replay: Replay,
}

impl Bench {
    pub(crate) fn start(behaviour: Behaviour) -> Bench {
        Bench::of(Setup { behaviour, ..Setup::default() })
    }

    pub(crate) fn with_rate(behaviour: Behaviour, rate: f64) -> Bench {
        Bench::of(Setup { behaviour, rate, ..Setup::default() })
    }

    pub(crate) fn with_store_faults(behaviour: Behaviour, store: TroubledStore) -> Bench {
        Bench::of(Setup { behaviour, letters: Arc::new(store), ..Setup::default() })
    }

    pub(crate) fn of(setup: Setup) -> Bench {
        let began = tokio::time::Instant::now();
        let clock = setup.clock.unwrap_or_else(TokioClock::start);
        let bells = Bells::new(setup.circuits.iter().copied());
        let board = Board::builder().clock(Arc::clone(&clock)).listener(bells.clone()).build();
        let upstream = |_| {
            Arc::new(Upstream {
                behaviour: Mutex::new(setup.behaviour),
                came: Mutex::default(),
                contexts: Mutex::default(),
                latest: Mutex::default(),
                failing: AtomicUsize::new(0),
                began,
                in_flight: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                crowds: Mutex::default(),
            })
        };
        let upstreams: BTreeMap<_, _> =
            setup.circuits.iter().map(|circuit| (*circuit, upstream(circuit))).collect();
        let lane = |circuit: &&'static str| Lane {
            breaker: breaker(&board, circuit),
            deliver: upstreams[circuit].clone(),
            concurrency: setup.concurrency,
            rate: setup.rate,
            lease: Duration::from_secs(30),
            caution: setup.caution,
        };
        let lanes = setup.circuits.iter().map(lane).collect();
        let surroundings = Surroundings {
            letters: Arc::clone(&setup.letters),
            bells: bells.clone(),
            clock: Arc::clone(&clock),
            random: Arc::new(SeededRandom::new(1)),
            observer: Arc::new(Nobody),
            gate: setup.gate,
            domains: Arc::new(setup.domains),
            limits: setup.limits,
        };
        let replay = Replay::start(lanes, &surroundings);
        let breaker = breaker(&board, setup.circuits[0]);
        Bench { breaker, letters: setup.letters, bells, clock, upstreams, replay }
    }

    /// Captures letters of `payments` with the keys `key-1` and so on.
    pub(crate) async fn capture(&self, letters: usize) {
        self.capture_of("payments", letters).await;
    }

    /// Captures letters of a circuit.
    pub(crate) async fn capture_of(&self, circuit: &str, letters: usize) {
        for number in 1..=letters {
            self.insert(circuit, &format!("key-{number}"), |_| {}).await;
        }
        self.bells.ring(circuit);
    }

    /// Captures a letter, and tells nobody.
    pub(crate) async fn insert(
        &self,
        circuit: &str,
        key: &str,
        change: impl FnOnce(&mut Draft),
    ) -> LetterId {
        let mut draft = conformance::draft(circuit, key, self.clock.wall());
        draft.domain = "orders".to_owned();
        change(&mut draft);
        self.letters.insert(draft).await.unwrap().id()
    }

    pub(crate) fn ring(&self, circuit: &str) {
        self.bells.ring(circuit);
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        for upstream in self.upstreams.values() {
            *upstream.behaviour.lock().unwrap() = behaviour;
        }
    }

    /// Has the next letter of `payments` fail.
    pub(crate) fn fail_once(&self) {
        self.upstreams["payments"].failing.fetch_add(1, Ordering::SeqCst);
    }

    /// Captures a letter that came with this header and must not keep it.
    pub(crate) async fn capture_withholding(&self, header: &str) {
        let rules: HeaderRules = header.parse().unwrap();
        self.insert("payments", "withholding", |draft| {
            draft.headers = vec![(header.to_owned(), b"secret".to_vec())];
            assert_eq!(rules.withhold(&mut draft.headers), [header]);
        })
        .await;
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
            wait(Duration::from_secs(10)).await;
            if self.count(Status::Pending).await + self.count(Status::Replaying).await == 0 {
                return;
            }
        }
    }

    pub(crate) async fn count(&self, status: Status) -> usize {
        self.letters.counts().await.unwrap().of(status) as usize
    }

    pub(crate) async fn letter(&self, id: i64) -> Letter {
        self.letters.get(LetterId(id)).await.unwrap().unwrap()
    }

    pub(crate) fn deliveries(&self) -> usize {
        self.came("payments").len()
    }

    /// The keys of the letters of a circuit that came to its other side, in order, and when.
    pub(crate) fn came(&self, circuit: &str) -> Vec<(String, Duration)> {
        self.upstreams[circuit].came.lock().unwrap().clone()
    }

    pub(crate) fn contexts(&self) -> Vec<Option<ReplayContext>> {
        self.upstreams["payments"].contexts.lock().unwrap().clone()
    }

    /// The latest letter of `payments` that came to its other side.
    pub(crate) fn latest(&self) -> Option<Letter> {
        self.upstreams["payments"].latest.lock().unwrap().clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight_of("payments")
    }

    pub(crate) fn in_flight_of(&self, circuit: &str) -> usize {
        self.upstreams[circuit].in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.upstreams["payments"].most.load(Ordering::SeqCst)
    }

    /// How many letters of `payments` were in flight when each of them came.
    pub(crate) fn crowds(&self) -> Vec<usize> {
        self.upstreams["payments"].crowds.lock().unwrap().clone()
    }

    /// Counts the deliveries, also when the bench is gone.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + use<> {
        let upstream = Arc::clone(&self.upstreams["payments"]);
        move || upstream.came.lock().unwrap().len()
    }

    pub(crate) async fn stop(self, grace: Duration) -> Arc<dyn Letters> {
        self.replay.stop(grace).await;
        self.letters
    }
}

/// The circuit, whose deadline is 10 s.
fn breaker(board: &Board, circuit: &str) -> CircuitBreaker {
    let retry = "cooldown(10s)".parse().unwrap();
    let rules = fuseboard_core::Rules::builder().retry(retry).build().unwrap();
    board.get_or_create(circuit, rules).unwrap()
}

/// Lets the paused clock go on.
pub(crate) async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await; // waits for: the paused clock
}

/// A store of letters that have ten attempts.
pub(crate) fn store() -> TroubledStore {
    let rules = Rules { max_attempts: 10, ..Rules::default() };
    TroubledStore::over(Memory::new(MemoryOptions { rules, ..MemoryOptions::default() }))
}
