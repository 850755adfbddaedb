//! Writing down how a replay went, for as long as it takes: a result that is lost is a letter done twice.

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Status};
use fuseboard_store::{By, Letter, Settlement, StoreError};
use tokio::time::sleep;
use tracing::warn;

use super::service::Shared;

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(200);

impl Shared {
    /// Ends a claim; tries again for as long as the claim may last.
    pub(super) async fn settle(
        &self,
        letter: &Letter,
        settlement: Settlement,
    ) -> Result<Life, StoreError> {
        let tries = self.lease().as_millis() / PAUSE.as_millis();
        for _ in 1..tries {
            let now = self.clock.wall();
            match self.letters.settle(letter.id, settlement.clone(), now).await {
                Err(StoreError::Unavailable { .. } | StoreError::Full { .. }) => {
                    sleep(PAUSE).await;
                }
                settled => return settled,
            }
        }
        self.letters.settle(letter.id, settlement, self.clock.wall()).await
    }

    /// Gives a letter back untried: it is due now.
    pub(super) async fn hand_back(&self, letter: &Letter, note: &str) -> Result<Life, StoreError> {
        let event = Event::HandedBack { fence: letter.life.fence };
        self.settle(letter, Settlement { event, answer: None, note: note.to_owned() }).await
    }

    /// Gives a letter back untried, for later: others go first. No attempt is counted.
    pub(super) async fn put_off(&self, letter: &Letter, note: &str) -> Result<Life, StoreError> {
        let (fence, draw) = (letter.life.fence, self.random.draw());
        let event = Event::Settled { fence, answer: Answer::NotReached, draw };
        self.settle(letter, Settlement { event, answer: None, note: note.to_owned() }).await
    }

    /// Has a pending letter wait for a person. If that cannot be written down it stays in the queue, which loses nothing.
    pub(super) async fn set_aside(&self, letter: &Letter, life: Life, by: By) -> Life {
        if life.status != Status::Pending {
            return life;
        }
        let now = self.clock.wall();
        match self.letters.act(letter.id, Event::SetAside, by, now).await {
            Ok(life) => life,
            Err(error) => {
                warn!(letter = %letter.id, %error, "a letter could not be set aside for review");
                life
            }
        }
    }

    /// Whether letters of its domain may not be tried as often as this one was.
    pub(super) fn is_exhausted(&self, letter: &Letter, life: &Life) -> bool {
        let max = self.config.domain_max_retries.get(&letter.domain);
        max.is_some_and(|max| life.attempts >= *max)
    }
}
