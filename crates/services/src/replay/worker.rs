//! One worker of one circuit: waits until a letter is due and may go, does the letter, settles both.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::text::format_duration;
use fuseboard_core::{CircuitBreaker, Info, Outcome, State, Ticket};
use fuseboard_store::{By, ClaimFilter, ClaimOrder, Letter, Settlement, StoreError};
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::timeout;
use tracing::{error, warn};

use super::ramp::{Full, Permit};
use super::turns::Place;
use super::{Delivery, Lane, Phase, ReplayContext, Shared, set_aside};
use crate::withhold;

/// A worker looks again at least this often, whatever it waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A delivery leaves so much of its lease for the store, or a tenth of it if that is less.
const TO_WRITE_DOWN: Duration = Duration::from_secs(5);
/// A worker that waits for a free slot of a half-open circuit or for live calls to end, of which nobody tells, looks this often.
const SHORT_WAIT: Duration = Duration::from_millis(100);
/// How often it is looked whether a closed gate has opened.
const GATE_WAIT: Duration = Duration::from_secs(1);
/// How long a worker waits after the store failed once, and between two tries of writing down a result.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) bell: watch::Receiver<u64>,
    pub(super) phase: watch::Receiver<Phase>,
    /// How long to wait after the store fails the next time.
    pub(super) store_pause: Duration,
}

/// The right to replay one letter: a ticket of its circuit, and the room for it.
struct Turn<'a> {
    ticket: Ticket,
    /// The circuit's generation that the ticket is of.
    generation: u64,
    order: ClaimOrder,
    permit: Permit<'a>,
    _place: Place,
    _probe: Option<SemaphorePermit<'a>>,
}

impl Worker {
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut stopping = self.phase.clone();
        while *self.phase.borrow() == Phase::Run {
            // What rings from here on is not missed: it ends the wait below at once.
            self.bell.borrow_and_update();
            let turn = tokio::select! {
                turn = turn(&shared) => turn,
                _ = stopping.wait_for(|phase| *phase > Phase::Run) => return,
            };
            match turn {
                Ok(turn) => self.take_turn(&shared, turn).await,
                Err(wait) => self.rest(wait).await,
            }
        }
    }

    async fn take_turn(&mut self, shared: &Arc<Shared>, turn: Turn<'_>) {
        let (circuit, lease) = (shared.lane.breaker.name(), shared.lane.lease);
        let now = shared.surroundings.clock.wall();
        let filter = ClaimFilter {
            circuit: Some(circuit.to_owned()),
            order: turn.order,
            limit: 1,
            ..ClaimFilter::default()
        };
        match shared.surroundings.letters.claim_by(filter, lease, now).await {
            Ok(mut claimed) => {
                self.store_pause = STORE_PAUSE;
                match claimed.pop() {
                    Some(letter) => self.consider(shared, turn, letter).await,
                    // Another worker was faster. The ticket is given back unused.
                    None => drop(turn),
                }
            }
            Err(error) => {
                warn!(circuit, %error, "no letter can be claimed");
                // The permit stays: others of the circuit would find the same.
                let Turn { permit: _permit, .. } = turn;
                let pause = self.store_pause;
                self.store_pause = (pause * 2).min(LONGEST_WAIT);
                self.stopped_within(pause, Phase::Finish).await;
            }
        }
    }

    /// Replays a letter that was claimed, unless there is a reason not to.
    async fn consider(&mut self, shared: &Arc<Shared>, turn: Turn<'_>, letter: Letter) {
        let exhausted = shared.surroundings.domains.exhausted(&letter.domain, &letter.life);
        if let Some(by) = exhausted {
            drop(turn);
            let handed_back = self.hand_back(shared, &letter, "no attempt is left").await;
            if let Some(life) = handed_back {
                self.set_aside(shared, &letter, life, by).await;
            }
            return;
        }
        // While the store was busy with the claim, the circuit may have opened.
        if shared.lane.breaker.info().generation != turn.generation {
            drop(turn);
            self.hand_back(shared, &letter, "the circuit changed").await;
            return;
        }
        self.replay(shared, turn, letter).await;
    }

    async fn replay(&mut self, shared: &Arc<Shared>, turn: Turn<'_>, letter: Letter) {
        let Turn { ticket, mut permit, _place, _probe, .. } = turn;
        let letter = Arc::new(letter);
        let context = ReplayContext::of(&letter);
        let mut delivery = {
            let (shared, letter) = (Arc::clone(shared), Arc::clone(&letter));
            // A task of its own: a panic in there must not end the worker.
            tokio::spawn(context.within(async move {
                let delivery = deliver(&shared.lane, &letter).await;
                ticket.settle(delivery.judgement());
                delivery
            }))
        };
        let ended = tokio::select! {
            // What is done is written down, however late it is.
            biased;
            ended = &mut delivery => ended,
            () = time_to_hand_back(&mut self.phase) => {
                delivery.abort();
                // Nobody else may have the letter while it is still being done.
                delivery.await
            }
        };
        match ended {
            Ok(delivery) => {
                if permit.learn(delivery.outcome) {
                    shared.surroundings.bells.ring(shared.lane.breaker.name());
                }
                self.write_down(shared, &letter, delivery).await;
            }
            Err(error) if error.is_cancelled() => {
                self.hand_back(shared, &letter, "the process stops").await;
            }
            Err(error) => {
                permit.learn(Outcome::Failure);
                error!(letter = %letter.id, %error, "a replay crashed; its lease will end");
            }
        }
    }

    async fn write_down(&mut self, shared: &Shared, letter: &Letter, delivery: Delivery) {
        let (fence, draw) = (letter.life.fence, shared.surroundings.random.draw());
        let event = Event::Settled { fence, answer: delivery.answer, draw };
        let settlement = Settlement { event, answer: delivery.stored, note: delivery.note };
        let Some(life) = self.settle(shared, letter, settlement).await else { return };
        let exhausted = shared.surroundings.domains.exhausted(&letter.domain, &life);
        let life = match exhausted {
            Some(by) => self.set_aside(shared, letter, life, by).await,
            None => life,
        };
        shared.surroundings.observer.on_replay(shared.lane.breaker.name(), life.status);
    }

    /// Gives a letter back untried, because of something.
    async fn hand_back(&mut self, shared: &Shared, letter: &Letter, why: &str) -> Option<Life> {
        let event = Event::HandedBack { fence: letter.life.fence };
        let note = format!("handed back: {why}");
        self.settle(shared, letter, Settlement { event, answer: None, note }).await
    }

    async fn set_aside(&self, shared: &Shared, letter: &Letter, life: Life, by: By) -> Life {
        let now = shared.surroundings.clock.wall();
        set_aside(&*shared.surroundings.letters, letter.id, life, by, now).await
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

/// Does a letter, or says why it cannot be done. Who hangs is not waited for until somebody else may claim the letter.
async fn deliver(lane: &Lane, letter: &Letter) -> Delivery {
    if let Some(refusal) = withhold::refusal(letter) {
        return refusal;
    }
    // The rest of the lease is for writing the result down.
    let enough = lane.lease - (lane.lease / 10).min(TO_WRITE_DOWN);
    match timeout(enough, lane.deliver.deliver(letter)).await {
        Ok(delivery) => delivery,
        Err(_) => Delivery::unanswered(format!("no answer within {}", format_duration(enough))),
    }
}

/// The right to replay one letter now, or how long to wait.
///
/// It is asked in the order of what it costs: the circuit, the gate, the store, and in line with the other circuits. Then once
/// more the gate and the circuit, because standing in line may have taken a while.
async fn turn(shared: &Shared) -> Result<Turn<'_>, Duration> {
    let breaker = &shared.lane.breaker;
    let before = breaker.info();
    let (mut permit, probe) = match may_try(&before)? {
        Trial::Call => (may_begin(shared, &before)?, None),
        Trial::Probe => {
            let probe = shared.probe.try_acquire().map_err(|_| LONGEST_WAIT)?;
            (shared.ramp.begin_probe(before.generation), Some(probe))
        }
    };
    pass_gate(shared).await?;
    letter_due(shared).await?;
    let _in_line = shared.in_line.lock().await;
    shared.pace.take(shared.surroundings.clock.now())?;
    let place = shared.turns.take(shared.number).await;
    pass_gate(shared).await?;
    let now = breaker.info();
    if now.generation != before.generation {
        return Err(Duration::ZERO);
    }
    may_try(&now)?;
    let ticket = ticket(breaker)?;
    permit.is_call();
    let order = match probe {
        Some(_) => ClaimOrder::Due,
        None => ClaimOrder::Priority,
    };
    let generation = breaker.info().generation;
    Ok(Turn { ticket, generation, order, permit, _place: place, _probe: probe })
}

fn may_begin<'a>(shared: &'a Shared, circuit: &Info) -> Result<Permit<'a>, Duration> {
    shared.ramp.begin(circuit.generation, circuit.in_flight).map_err(|full| match full {
        Full::Letters => LONGEST_WAIT,
        Full::Live => SHORT_WAIT,
    })
}

/// Passes if the gate is open. A gate that keeps a due letter from going is on record.
async fn pass_gate(shared: &Shared) -> Result<(), Duration> {
    let (circuit, gatekeeper) = (shared.lane.breaker.name(), &shared.gatekeeper);
    let Some(closed_by) = gatekeeper.closed_by(circuit, &shared.told).await else { return Ok(()) };
    if !gatekeeper.is_recorded(&closed_by, &shared.told) && letter_due(shared).await.is_ok() {
        gatekeeper.record(&closed_by, circuit, &shared.told).await;
    }
    Err(GATE_WAIT)
}

async fn letter_due(shared: &Shared) -> Result<(), Duration> {
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

/// What a replay would be to its circuit.
enum Trial {
    Call,
    Probe,
}

/// Looks before asking, so that a waiting backlog does not count as rejected calls; or how long to wait.
fn may_try(circuit: &Info) -> Result<Trial, Duration> {
    match circuit.state {
        State::Closed | State::MetricsOnly | State::Disabled => Ok(Trial::Call),
        // An operator who forces calls through a failing circuit does not want the backlog there as well.
        State::ForcedClosed | State::ForcedOpen => Err(LONGEST_WAIT),
        State::HalfOpen => Ok(Trial::Probe),
        State::Open => match circuit.retry_after {
            Some(Duration::ZERO) => Ok(Trial::Probe),
            Some(wait) => Err(wait),
            None => Err(LONGEST_WAIT),
        },
    }
}

fn ticket(breaker: &CircuitBreaker) -> Result<Ticket, Duration> {
    breaker.try_acquire().map_err(|rejected| {
        // A half-open circuit without a free slot rings when its state changes, but not when a slot is free.
        rejected.retry_after.unwrap_or(SHORT_WAIT).clamp(SHORT_WAIT, LONGEST_WAIT)
    })
}

/// Ends when the process cannot wait for replays in flight any more.
async fn time_to_hand_back(phase: &mut watch::Receiver<Phase>) {
    if phase.wait_for(|phase| *phase == Phase::HandBack).await.is_err() {
        std::future::pending().await
    }
}
