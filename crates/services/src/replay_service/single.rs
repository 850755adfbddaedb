//! The replay of one letter.

use std::collections::HashSet;
use std::sync::Arc;

use fuseboard_core::letter::{Event, Status};
use fuseboard_store::{By, ClaimFilter, Letter, LetterId, Priority, StoreError};

use crate::governance::GateRequest;
use crate::withhold::{self, Given};

use super::error::ReplayError;
use super::result::ReplayResult;
use super::service::{ReplayService, Shared};
use super::turn::{Turn, Wanted, no_handler};

impl ReplayService {
    /// Replays one letter now, also if it is due later: then its wait ends, which is in its history and in the audit log. What
    /// keeps it from being tried is in the result: it is [skipped](ReplayResult::skipped) if it was done before, waits behind
    /// another letter, somebody has it, or its circuit is open; the wait does not end then.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the store did not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on by itself.
    pub async fn replay_single(&self, dlq_id: LetterId) -> Result<ReplayResult, ReplayError> {
        self.replay_single_by(dlq_id, By::system("replay_single"), false).await
    }

    /// [`replay_single`](Self::replay_single), by somebody, for a reason; with `override_gate`, although the gate is closed.
    ///
    /// # Errors
    ///
    /// As [`replay_single`](Self::replay_single).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on by itself.
    pub async fn replay_single_by(
        &self,
        dlq_id: LetterId,
        by: By,
        override_gate: bool,
    ) -> Result<ReplayResult, ReplayError> {
        let shared = Arc::clone(&self.shared);
        let task = async move { shared.single(dlq_id, &by, override_gate, None).await };
        let ended = tokio::spawn(task).await.map_err(|_| ReplayError::Interrupted)?;
        Ok(ended?)
    }

    /// Replays a letter from which headers were [withheld](crate::withhold), with the values that are given for them. It is
    /// requeued first, in the name of whoever asks, if it waits for a person. The values are written down nowhere; if the letter
    /// is not done, they have to be given again.
    ///
    /// Each withheld header needs a value, or the word that the letter may go without it; otherwise the result says what is
    /// missing and nothing was done.
    ///
    /// # Errors
    ///
    /// As [`replay_single`](Self::replay_single).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on by itself.
    pub async fn replay_single_with(
        &self,
        dlq_id: LetterId,
        given: Given,
        by: By,
        override_gate: bool,
    ) -> Result<ReplayResult, ReplayError> {
        let shared = Arc::clone(&self.shared);
        let task = async move { shared.single(dlq_id, &by, override_gate, Some(&given)).await };
        let ended = tokio::spawn(task).await.map_err(|_| ReplayError::Interrupted)?;
        Ok(ended?)
    }
}

impl Shared {
    async fn single(
        &self,
        id: LetterId,
        by: &By,
        override_gate: bool,
        given: Option<&Given>,
    ) -> Result<ReplayResult, StoreError> {
        let Some(letter) = self.letters.get(id).await? else {
            return Ok(ReplayResult::failed(id, "no such letter"));
        };
        if let Some(misfit) = given.and_then(|given| given.misfit(&withhold::withheld(&letter))) {
            return Ok(ReplayResult::failed(id, format!("cannot replay: {misfit}")));
        }
        let status = letter.life.status;
        let result = match status {
            Status::Resolved => ReplayResult::skipped_result(id, "resolved already"),
            Status::Pending | Status::Replaying => {
                self.single_in_queue(&letter, by, override_gate, given).await?
            }
            Status::RequiresReview if given.is_some() => {
                self.single_in_queue(&letter, by, override_gate, given).await?
            }
            _ => ReplayResult::failed(id, format!("cannot replay: the letter is {status}")),
        };
        if !result.skipped && result.get("blocked").is_none() {
            self.audit_single(status, &result, by).await;
        }
        Ok(result)
    }

    async fn single_in_queue(
        &self,
        letter: &Letter,
        by: &By,
        override_gate: bool,
        given: Option<&Given>,
    ) -> Result<ReplayResult, StoreError> {
        let (id, circuit, domain) = (letter.id, &letter.circuit, &letter.domain);
        let request = GateRequest::new("replay_single", &by.actor, &by.reason)
            .circuit(circuit)
            .domain(domain)
            .override_gate(override_gate);
        let checked = self.gate.check(&request).await;
        if !checked.allowed {
            return Ok(ReplayResult::blocked(id, &checked));
        }
        if self.handlers.find(circuit, domain).is_none() {
            return Ok(ReplayResult::failed(id, no_handler(circuit, domain)));
        }
        if letter.life.status == Status::RequiresReview {
            if let Some(rejected) = self.breaker(circuit).peek() {
                return Ok(ReplayResult::not_tried(id, rejected.to_string()));
            }
            self.letters.act(id, Event::Requeue, by.clone(), self.clock.wall()).await?;
        }
        let wanted = Wanted {
            circuit,
            filter: ClaimFilter { id: Some(id), ..ClaimFilter::default() },
            level: Priority::Low,
            seen: &HashSet::new(),
            escalate: None,
            given,
            hasten: self.is_early(letter).then_some((id, by)),
        };
        match self.turn(wanted).await? {
            Turn::Had { result, .. } => Ok(result),
            Turn::Rejected(rejected) => Ok(ReplayResult::not_tried(id, rejected.to_string())),
            Turn::Nothing | Turn::Again(_) => self.why_not(id).await,
        }
    }

    /// Whether nothing but its wait keeps a letter in the queue.
    fn is_early(&self, letter: &Letter) -> bool {
        let Letter { life, blocked_by, .. } = letter;
        let waits = life.status == Status::Pending && life.not_before > self.clock.wall();
        waits && blocked_by.is_none()
    }

    /// Why a letter could not be claimed.
    async fn why_not(&self, id: LetterId) -> Result<ReplayResult, StoreError> {
        let Some(letter) = self.letters.get(id).await? else {
            return Ok(ReplayResult::failed(id, "no such letter"));
        };
        let reason = match (letter.life.status, letter.blocked_by) {
            (Status::Resolved, _) => {
                return Ok(ReplayResult::skipped_result(id, "resolved meanwhile"));
            }
            (Status::Replaying, _) => "somebody else is replaying it".to_owned(),
            (Status::Pending, Some(blocker)) => {
                format!("letter {} with its order key goes first", blocker.id)
            }
            (Status::Pending, None) => {
                let wait = letter.life.not_before.since(self.clock.wall());
                format!("it is due in {wait:?}")
            }
            (status, _) => format!("the letter is {status}"),
        };
        Ok(ReplayResult::not_tried(id, reason))
    }
}
