//! Replay: due letters go whenever their circuit admits calls.
//!
//! A replay is a call like any other: it takes a ticket, its outcome counts, and when the circuit opens there are no
//! more tickets. Each circuit has workers of its own, so that one backlog cannot starve another. They begin with one
//! letter at a time; each success lets one more worker go, up to the circuit's concurrency, and a failure sends all but
//! one back to rest. While the circuit is not closed only that one tries: live traffic comes first.
//!
//! Delivery is at least once. A worker that dies holds its letter until the lease ends; that counts as a crash.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fuseboard_core::letter::Answer;
use fuseboard_core::random::Random;
use fuseboard_core::time::Clock;
use fuseboard_core::{CircuitBreaker, Failure, Judgement, Outcome};
use fuseboard_store::{Letter, Letters, StoredAnswer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use crate::wake::Bells;

pub(crate) mod pace;
mod worker;

use pace::Pace;
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

/// Does a letter again. It must end by itself within the lease that the circuit's [`Lane`] names.
pub trait Deliver: Send + Sync {
    /// Does it. A panic in here counts as a crash of the letter's worker.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any await when the process stops; the letter then goes back, and will be done again with
    /// the same idempotency key.
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
    /// Letters in flight at once, at most.
    pub concurrency: usize,
    /// Letters begun per second, at most.
    pub rate: f64,
    /// How long one delivery may hold its letter.
    pub lease: Duration,
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
    /// How many of the workers may go.
    allowed: AtomicUsize,
    /// Room for a probe: one at a time while the circuit is not closed.
    probe: Semaphore,
}

impl Shared {
    /// One more worker may go after a success; after anything else only one.
    fn adapt(&self, outcome: Outcome) {
        if outcome != Outcome::Success {
            self.allowed.store(1, Ordering::Relaxed);
            return;
        }
        let limit = self.lane.concurrency;
        let more = |allowed: usize| (allowed < limit).then_some(allowed + 1);
        if self.allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
            self.surroundings.bells.ring(self.lane.breaker.name());
        }
    }
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
        for lane in lanes {
            let Some(bell) = surroundings.bells.listen(lane.breaker.name()) else { continue };
            let shared = Arc::new(Shared {
                pace: Pace::new(lane.rate),
                allowed: AtomicUsize::new(1),
                probe: Semaphore::new(1),
                surroundings: surroundings.clone(),
                lane,
            });
            for number in 0..shared.lane.concurrency.max(1) {
                let (bell, phase) = (bell.clone(), phase.subscribe());
                let store_pause = worker::STORE_PAUSE;
                let shared = Arc::clone(&shared);
                let worker = Worker { number, shared, bell, phase, store_pause };
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
