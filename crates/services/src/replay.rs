//! Replay: due letters go whenever their circuit admits calls.
//!
//! A replay is a call like any other: it takes a ticket, its outcome counts, and when the circuit opens there are no
//! more tickets: a letter that was claimed already is given back. The most urgent letters go first, of these the earliest due;
//! past an open circuit's deadline the earliest due of all may be the probe, alone.
//!
//! - How many letters of a circuit go at once: [`Caution`], a canary first, and live calls before letters.
//! - What all circuits may do together, and how they take turns: [`Limits`].
//! - Whether letters may go at all: the [gate](crate::governance::Gate) is asked before each. That it is closed is recorded
//!   once for each change, for all circuits together, and for one alone whose error budget is spent.
//! - How often a letter may be tried: its store's limit, and its [domain's](crate::domains::Domains).
//! - A handler finds out with [`ReplayContext`] that it is part of a replay.
//!
//! Delivery is at least once. A worker that dies holds its letter until the lease ends; that counts as a crash.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::Answer;
use fuseboard_core::random::Random;
use fuseboard_core::time::Clock;
use fuseboard_core::{CircuitBreaker, Failure, Judgement, Outcome};
use fuseboard_store::{Letter, Letters, StoredAnswer};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use crate::domains::Domains;
use crate::governance::Gate;
use crate::wake::Bells;

mod aside;
mod context;
mod gatekeeper;
pub(crate) mod pace;
mod ramp;
mod turns;
mod worker;

pub(crate) use aside::set_aside;
pub use context::ReplayContext;
pub use ramp::Caution;
pub use turns::Limits;

use gatekeeper::{Gatekeeper, Told};
use pace::Pace;
use ramp::Ramp;
use turns::Turns;
use worker::Worker;

/// How the other side took a letter.
#[derive(Debug)]
pub struct Delivery {
    /// What it means for the letter.
    pub answer: Answer,
    /// What it means for the circuit.
    pub outcome: Outcome,
    /// What is known of it, if it was a failure.
    pub failure: Option<Failure>,
    /// The answer itself, to be kept with the letter.
    pub stored: Option<StoredAnswer>,
    /// What the letter's history says of it, such as `answered 503`.
    pub note: String,
}

impl Delivery {
    /// Nobody answered, though something was sent: a failure, and to be tried again.
    pub fn unanswered(note: String) -> Self {
        Delivery {
            answer: Answer::Again { retry_after: None },
            outcome: Outcome::Failure,
            failure: Some(Failure::new(note.clone())),
            stored: None,
            note,
        }
    }

    /// What it means for the circuit.
    pub(crate) fn judgement(&self) -> Judgement {
        Judgement { outcome: self.outcome, failure: self.failure.clone() }
    }
}

/// What [`Deliver::deliver`] returns.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Delivery> + Send + 'a>>;

/// Does a letter again. It has the lease that the circuit's [`Lane`] names, less a tenth of it or 5 s; then it is dropped, and
/// counts as not answered.
pub trait Deliver: Send + Sync {
    /// Does it. A panic in here counts as a crash of the letter's worker.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any await when the process stops or its time is over; the letter then goes back, and will be
    /// done again with the same idempotency key.
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a>;
}

/// Is told how replays went, for metrics and views.
pub trait Observer: Send + Sync {
    /// A letter of `circuit` was replayed; `result` is its status now.
    fn on_replay(&self, circuit: &str, result: fuseboard_core::letter::Status);
}

/// The replay of one circuit.
pub struct Lane {
    /// The circuit.
    pub breaker: CircuitBreaker,
    /// Who does its letters again.
    pub deliver: Arc<dyn Deliver>,
    /// Letters in flight at once, at most; at least 1.
    pub concurrency: usize,
    /// Letters begun per second, at most.
    pub rate: f64,
    /// How long one delivery may hold its letter.
    pub lease: Duration,
    /// How it begins, and how it gives way to live calls.
    pub caution: Caution,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

/// What all circuits' replays share.
#[derive(Clone)]
pub struct Surroundings {
    /// The letters.
    pub letters: Arc<dyn Letters>,
    /// Wakes the circuits' workers.
    pub bells: Bells,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The dice, for the jitter between tries of one letter.
    pub random: Arc<dyn Random>,
    /// Who is told how replays went.
    pub observer: Arc<dyn Observer>,
    /// What every letter has to pass; [`Open`](crate::governance::Open) in programs without governance.
    pub gate: Arc<dyn Gate>,
    /// What is said of domains: of these, `max_retries` counts here.
    pub domains: Arc<Domains>,
    /// What all circuits may do together.
    pub limits: Limits,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("letters", &self.letters).finish_non_exhaustive()
    }
}

/// What the workers of one circuit share.
struct Shared {
    lane: Lane,
    surroundings: Surroundings,
    pace: Pace,
    ramp: Ramp,
    /// Room for a probe: one at a time while the circuit is not closed.
    probe: Semaphore,
    /// Held by the worker that stands in line for the circuit.
    in_line: Mutex<()>,
    /// The circuit's number among those that share `turns`.
    number: usize,
    turns: Arc<Turns>,
    gatekeeper: Arc<Gatekeeper>,
    /// What was recorded of the gate for this circuit alone.
    told: Told,
}

/// How long giving back may take, if the store does not answer.
const HAND_BACK: Duration = Duration::from_secs(1);

/// How urgently the workers are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Run,
    /// Begin nothing new.
    Finish,
    /// Give back what is in flight.
    HandBack,
}

/// The running replay of all circuits.
#[derive(Debug)]
pub struct Replay {
    phase: watch::Sender<Phase>,
    workers: JoinSet<()>,
}

impl Replay {
    /// Starts the workers of each lane, on the present tokio runtime. A lane whose circuit has no bell is left out.
    pub fn start(lanes: Vec<Lane>, surroundings: &Surroundings) -> Self {
        let phase = watch::Sender::new(Phase::Run);
        let mut workers = JoinSet::new();
        let (limits, clock) = (surroundings.limits, Arc::clone(&surroundings.clock));
        let turns = Arc::new(Turns::new(limits, lanes.len(), clock));
        let gatekeeper = Arc::new(Gatekeeper::new(Arc::clone(&surroundings.gate)));
        for (number, lane) in lanes.into_iter().enumerate() {
            let Some(bell) = surroundings.bells.listen(lane.breaker.name()) else { continue };
            let shared = Arc::new(Shared {
                pace: Pace::new(lane.rate),
                ramp: Ramp::new(lane.concurrency, lane.caution),
                probe: Semaphore::new(1),
                in_line: Mutex::default(),
                number,
                turns: Arc::clone(&turns),
                gatekeeper: Arc::clone(&gatekeeper),
                told: Told::default(),
                surroundings: surroundings.clone(),
                lane,
            });
            for _ in 0..shared.lane.concurrency.max(1) {
                let (bell, phase) = (bell.clone(), phase.subscribe());
                let store_pause = worker::STORE_PAUSE;
                let shared = Arc::clone(&shared);
                let worker = Worker { shared, bell, phase, store_pause };
                workers.spawn(worker.run());
            }
        }
        Replay { phase, workers }
    }

    /// Begins no more letters, lets those in flight end until `grace` is over, then gives the rest back, within a second.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the workers end at once; a letter in flight then waits for its lease to end.
    pub async fn stop(mut self, grace: Duration) {
        self.phase.send_replace(Phase::Finish);
        if timeout(grace, self.ended()).await.is_err() {
            self.phase.send_replace(Phase::HandBack);
            if timeout(HAND_BACK, self.ended()).await.is_err() {
                warn!(
                    "letters in flight could not be given back; the next start frees their leases"
                );
            }
        }
    }

    async fn ended(&mut self) {
        while self.workers.join_next().await.is_some() {}
    }
}
