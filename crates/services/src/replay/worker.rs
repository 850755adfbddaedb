//! One worker of one circuit: waits until a letter is due and its circuit admits a call, does the letter, settles both.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::{CircuitBreaker, State, Ticket};
use fuseboard_store::{Letter, Settlement, StoreError};
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::timeout;
use tracing::{error, warn};

use super::{Delivery, Phase, Shared};
use crate::withhold;

/// A worker looks again at least this often, whatever it waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a worker waits after the store failed once, and between two tries of writing down a result.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) bell: watch::Receiver<u64>,
    pub(super) phase: watch::Receiver<Phase>,
    /// How long to wait after the store fails the next time.
    pub(super) store_pause: Duration,
}

/// A ticket for a replay, and the room for it if it is a probe.
struct Turn<'a> {
    ticket: Ticket,
    _probe: Option<SemaphorePermit<'a>>,
}

impl Worker {
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while *self.phase.borrow() == Phase::Run {
            // What rings from here on is not missed: it ends the wait below at once.
            self.bell.borrow_and_update();
            match self.turn(&shared).await {
                Ok(turn) => self.take_turn(&shared, turn).await,
                Err(wait) => self.rest(wait).await,
            }
        }
    }

    /// The right to replay one letter now, or how long to wait.
    async fn turn<'a>(&self, shared: &'a Shared) -> Result<Turn<'a>, Duration> {
        let breaker = &shared.lane.breaker;
        if self.number >= shared.allowed.load(Ordering::Relaxed) {
            return Err(LONGEST_WAIT);
        }
        self.letter_due(shared).await?;
        let probe = match may_try(breaker)? {
            Trial::Call => None,
            Trial::Probe => Some(shared.probe.try_acquire().map_err(|_| LONGEST_WAIT)?),
        };
        shared.pace.take(shared.surroundings.clock.now())?;
        match breaker.try_acquire() {
            Ok(ticket) => Ok(Turn { ticket, _probe: probe }),
            Err(rejected) => {
                // A half-open circuit without a free slot rings when its state changes, but not when a slot is free.
                let unknown = Duration::from_millis(100);
                Err(rejected.retry_after.unwrap_or(unknown).clamp(unknown, LONGEST_WAIT))
            }
        }
    }

    async fn letter_due(&self, shared: &Shared) -> Result<(), Duration> {
        let surroundings = &shared.surroundings;
        let due = match surroundings.letters.next_due(shared.lane.breaker.name()).await {
            Ok(due) => due.ok_or(LONGEST_WAIT)?,
            Err(error) => {
                warn!(circuit = shared.lane.breaker.name(), %error, "the letters cannot be read");
                return Err(STORE_PAUSE);
            }
        };
        match due.since(surroundings.clock.wall()) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    async fn take_turn(&mut self, shared: &Arc<Shared>, turn: Turn<'_>) {
        let (circuit, lease) = (shared.lane.breaker.name(), shared.lane.lease);
        let now = shared.surroundings.clock.wall();
        match shared.surroundings.letters.claim(circuit, 1, lease, now).await {
            Ok(mut claimed) => {
                self.store_pause = STORE_PAUSE;
                match claimed.pop() {
                    Some(letter) => self.replay(shared, turn, letter).await,
                    // Another worker was faster. The ticket is given back unused.
                    None => drop(turn),
                }
            }
            Err(error) => {
                warn!(circuit, %error, "no letter can be claimed");
                drop(turn);
                let pause = self.store_pause;
                self.store_pause = (pause * 2).min(LONGEST_WAIT);
                self.stopped_within(pause, Phase::Finish).await;
            }
        }
    }

    async fn replay(&mut self, shared: &Arc<Shared>, turn: Turn<'_>, letter: Letter) {
        let Turn { ticket, _probe } = turn;
        let letter = Arc::new(letter);
        let delivery = {
            let (shared, letter) = (Arc::clone(shared), Arc::clone(&letter));
            // A task of its own: a panic in there must not end the worker.
            tokio::spawn(async move {
                let delivery = match withhold::refusal(&letter) {
                    Some(refusal) => refusal,
                    None => shared.lane.deliver.deliver(&letter).await,
                };
                ticket.settle(delivery.judgement());
                delivery
            })
        };
        let abort = delivery.abort_handle();
        tokio::select! {
            result = delivery => match result {
                Ok(delivery) => self.write_down(shared, &letter, delivery).await,
                Err(error) => error!(letter = %letter.id, %error, "a replay crashed; its lease will end"),
            },
            () = hand_back(&mut self.phase) => {
                abort.abort();
                let event = Event::HandedBack { fence: letter.life.fence };
                let note = "handed back: the process stops".to_owned();
                self.settle(shared, &letter, Settlement { event, answer: None, note }).await;
            }
        }
    }

    async fn write_down(&mut self, shared: &Shared, letter: &Letter, delivery: Delivery) {
        shared.adapt(delivery.outcome);
        let (fence, draw) = (letter.life.fence, shared.surroundings.random.draw());
        let event = Event::Settled { fence, answer: delivery.answer, draw };
        let settlement = Settlement { event, answer: delivery.stored, note: delivery.note };
        if let Some(life) = self.settle(shared, letter, settlement).await {
            shared.surroundings.observer.on_replay(shared.lane.breaker.name(), life.status);
        }
    }

    /// Writes a result down, and tries again until the lease is over or the process cannot wait any more: a result that is
    /// lost is a letter done twice.
    async fn settle(
        &mut self,
        shared: &Shared,
        letter: &Letter,
        settlement: Settlement,
    ) -> Option<Life> {
        let surroundings = &shared.surroundings;
        let until = surroundings.clock.now() + shared.lane.lease;
        loop {
            let now = surroundings.clock.wall();
            let error = match surroundings.letters.settle(letter.id, settlement.clone(), now).await
            {
                Ok(life) => return Some(life),
                Err(error) => error,
            };
            let passing = matches!(error, StoreError::Unavailable { .. } | StoreError::Full { .. });
            let in_time = surroundings.clock.now() < until;
            if !(passing && in_time) || self.stopped_within(STORE_PAUSE, Phase::HandBack).await {
                warn!(letter = %letter.id, %error, "a replay's result could not be written down");
                return None;
            }
        }
    }

    /// Waits; ends early and says so if the process is to stop as urgently as `phase`.
    async fn stopped_within(&mut self, wait: Duration, phase: Phase) -> bool {
        let urgent = self.phase.wait_for(|now| *now >= phase);
        matches!(timeout(wait, urgent).await, Ok(Ok(_)))
    }

    async fn rest(&mut self, wait: Duration) {
        let wait = wait.min(LONGEST_WAIT);
        tokio::select! {
            // The senders live as long as the replay; if one is gone, waiting the time is right.
            _ = timeout(wait, self.bell.changed()) => {}
            _ = self.phase.changed() => {}
        }
    }
}

/// What a replay would be to its circuit.
enum Trial {
    Call,
    Probe,
}

/// Looks before asking, so that a waiting backlog does not count as rejected calls; or how long to wait.
fn may_try(breaker: &CircuitBreaker) -> Result<Trial, Duration> {
    match breaker.state() {
        State::Closed | State::MetricsOnly | State::Disabled => Ok(Trial::Call),
        // An operator who forces calls through a failing circuit does not want the backlog there as well.
        State::ForcedClosed | State::ForcedOpen => Err(LONGEST_WAIT),
        State::HalfOpen => Ok(Trial::Probe),
        State::Open => match breaker.info().retry_after {
            Some(Duration::ZERO) => Ok(Trial::Probe),
            Some(wait) => Err(wait),
            None => Err(LONGEST_WAIT),
        },
    }
}

/// Ends when the process cannot wait for replays in flight any more.
async fn hand_back(phase: &mut watch::Receiver<Phase>) {
    if phase.wait_for(|phase| *phase == Phase::HandBack).await.is_err() {
        std::future::pending().await
    }
}
