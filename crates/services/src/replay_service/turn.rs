//! One letter's turn: a ticket, a claim, a delivery, and what it came to.

use std::collections::HashSet;
use std::sync::Arc;

use fuseboard_core::letter::{Event, Life, Status};
use fuseboard_core::{Rejected, Ticket};
use fuseboard_store::{By, ClaimFilter, Letter, LetterId, Priority, Settlement, StoreError};
use tokio::time::timeout;
use tracing::error;

use crate::replay::{Deliver, Delivery, ReplayContext};
use crate::withhold::{self, Given};

use super::result::ReplayResult;
use super::service::Shared;

/// Which letter is wanted next, and how it is to be done.
pub(super) struct Wanted<'a> {
    pub(super) circuit: &'a str,
    pub(super) filter: ClaimFilter,
    /// No letter that is less urgent.
    pub(super) level: Priority,
    /// Letters that had their turn.
    pub(super) seen: &'a HashSet<LetterId>,
    /// Who has letters that fail wait for a person, if anybody.
    pub(super) escalate: Option<&'a By>,
    /// Values for the headers that were withheld from the letter.
    pub(super) given: Option<&'a Given>,
    /// The letter that is to go now although it is due later, and who wants that.
    pub(super) hasten: Option<(LetterId, &'a By)>,
}

/// What a turn came to.
pub(super) enum Turn {
    /// There is no such letter.
    Nothing,
    /// The circuit admits no call.
    Rejected(Rejected),
    /// A letter came up a second time, and was put off.
    Again(LetterId),
    /// A letter, its domain, and what it came to.
    Had { domain: String, result: ReplayResult },
}

/// An empty claim may mean that the store was busy with moving letters on; it is asked again this often.
const CLAIMS: usize = 64;

impl Shared {
    /// Gives the next letter its turn.
    pub(super) async fn turn(&self, wanted: Wanted<'_>) -> Result<Turn, StoreError> {
        let ticket = match self.ticket(wanted.circuit) {
            Ok(ticket) => ticket,
            Err(rejected) => return Ok(Turn::Rejected(rejected)),
        };
        if let Some((id, by)) = wanted.hasten {
            self.hasten(id, by).await?;
        }
        let Some(mut letter) = self.claim(&wanted).await? else { return Ok(Turn::Nothing) };
        if letter.priority > wanted.level {
            self.hand_back(&letter, "handed back: others go first").await?;
            return Ok(Turn::Nothing);
        }
        if wanted.seen.contains(&letter.id) {
            self.put_off(&letter, "put off: it had its turn in this batch").await?;
            return Ok(Turn::Again(letter.id));
        }
        if let Some(given) = wanted.given {
            given.complete(&mut letter);
        }
        let domain = letter.domain.clone();
        let result = self.replay(letter, ticket, wanted.escalate).await?;
        Ok(Turn::Had { domain, result })
    }

    /// A ticket of the circuit. Where it is certain that there is none, nobody is asked: a backlog that waits is no
    /// rejected call.
    fn ticket(&self, circuit: &str) -> Result<Ticket, Rejected> {
        let breaker = self.breaker(circuit);
        if let Some(rejected) = breaker.peek() {
            return Err(rejected);
        }
        breaker.try_acquire()
    }

    /// Has a letter be due now. One that cannot is somebody's already, or done: the claim will tell.
    async fn hasten(&self, id: LetterId, by: &By) -> Result<(), StoreError> {
        let now = self.clock.wall();
        match self.letters.act(id, Event::Hasten, by.clone(), now).await {
            Ok(_) | Err(StoreError::Refused(_) | StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn claim(&self, wanted: &Wanted<'_>) -> Result<Option<Letter>, StoreError> {
        let Wanted { circuit, filter, .. } = wanted;
        for _ in 0..CLAIMS {
            let filter =
                ClaimFilter { circuit: Some((*circuit).to_owned()), limit: 1, ..filter.clone() };
            let whole_circuit =
                filter.id.is_none() && filter.domain.is_none() && filter.failures.is_empty();
            let now = self.clock.wall();
            if let Some(letter) = self.letters.claim_by(filter, self.lease(), now).await?.pop() {
                return Ok(Some(letter));
            }
            let due = match whole_circuit {
                true => self.letters.next_due(circuit).await?,
                false => None,
            };
            if due.is_none_or(|due| due > now) {
                break;
            }
        }
        Ok(None)
    }

    /// Replays a letter that was claimed.
    async fn replay(
        &self,
        letter: Letter,
        ticket: Ticket,
        escalate: Option<&By>,
    ) -> Result<ReplayResult, StoreError> {
        if let Some(by) = self.config.domains.exhausted(&letter.domain, &letter.life) {
            drop(ticket);
            return self.give_up(&letter, by).await;
        }
        let Some(handler) = self.handlers.find(&letter.circuit, &letter.domain) else {
            drop(ticket);
            let reason = no_handler(&letter.circuit, &letter.domain);
            self.put_off(&letter, &format!("put off: {reason}")).await?;
            return Ok(ReplayResult::not_tried(letter.id, reason));
        };
        let letter = Arc::new(letter);
        let result = match self.deliver(handler, &letter, ticket).await {
            Some(delivery) => self.write_down(&letter, delivery, escalate).await,
            None => ReplayResult::failed(
                letter.id,
                "the handler crashed; when its lease ends the letter is due again, or waits for a person",
            )
            .with("status", Status::Replaying.as_str()),
        };
        Ok(result)
    }

    /// The letter was tried as often as its domain allows.
    async fn give_up(&self, letter: &Letter, by: By) -> Result<ReplayResult, StoreError> {
        let life = self.hand_back(letter, "handed back: no attempt is left").await?;
        let life = self.set_aside(letter, life, by).await;
        let result = ReplayResult::failed(letter.id, "max_retries_exceeded");
        Ok(with_life(result, &life))
    }

    /// Does it, in a task of its own: a panic in there must not end the batch. `None` if it crashed.
    async fn deliver(
        &self,
        handler: Arc<dyn Deliver>,
        letter: &Arc<Letter>,
        ticket: Ticket,
    ) -> Option<Delivery> {
        let context = ReplayContext::of(letter);
        let mine = Arc::clone(letter);
        let task = tokio::spawn(context.within(async move {
            match withhold::refusal(&mine) {
                Some(refusal) => refusal,
                None => handler.deliver(&mine).await,
            }
        }));
        let abort = task.abort_handle();
        let delivery = match timeout(self.config.delivery_timeout, task).await {
            Ok(Ok(delivery)) => delivery,
            Ok(Err(crash)) => {
                error!(letter = %letter.id, error = %crash, "a replay crashed; its lease will end");
                ticket.failure("the handler crashed");
                return None;
            }
            Err(_) => {
                abort.abort();
                self.no_answer()
            }
        };
        ticket.settle(delivery.judgement());
        Some(delivery)
    }

    fn no_answer(&self) -> Delivery {
        let timeout = self.config.delivery_timeout;
        Delivery::unanswered(format!("no answer within {timeout:?}"))
    }

    async fn write_down(
        &self,
        letter: &Letter,
        delivery: Delivery,
        escalate: Option<&By>,
    ) -> ReplayResult {
        let (fence, draw) = (letter.life.fence, self.random.draw());
        let event = Event::Settled { fence, answer: delivery.answer, draw };
        let answer = delivery.stored.as_ref().map(|stored| stored.status.to_string());
        let note = delivery.note.clone();
        let settlement = Settlement { event, answer: delivery.stored, note: delivery.note };
        let mut life = match self.settle(letter, settlement).await {
            Ok(life) => life,
            Err(error) => {
                error!(letter = %letter.id, %error, "a replay's result could not be written down");
                let error = format!("{note}, which could not be written down: {error}");
                return ReplayResult::failed(letter.id, error);
            }
        };
        let exhausted = self.config.domains.exhausted(&letter.domain, &life);
        if let Some(by) = exhausted.or_else(|| escalate.cloned()) {
            life = self.set_aside(letter, life, by).await;
        }
        if let Some(observer) = &self.observer {
            observer.on_replay(&letter.circuit, life.status);
        }
        let result = match life.status {
            Status::Resolved => ReplayResult::succeeded(letter.id, note),
            _ => ReplayResult::failed(letter.id, note),
        };
        let result = with_life(result, &life);
        answer.into_iter().fold(result, |result, answer| result.with("answer", answer))
    }
}

fn with_life(result: ReplayResult, life: &Life) -> ReplayResult {
    result.with("status", life.status.as_str()).with("attempts", life.attempts.to_string())
}

pub(super) fn no_handler(circuit: &str, domain: &str) -> String {
    format!("no handler is registered for domain `{domain}` or circuit `{circuit}`")
}
