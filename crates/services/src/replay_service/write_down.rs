//! Writing down how a replay went, for as long as it takes: a result that is lost is a letter done twice.

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life};
use fuseboard_store::{By, Letter, Settlement, StoreError};
use tokio::time::sleep;

use crate::replay::set_aside;

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

    /// Has a pending letter wait for a person.
    pub(super) async fn set_aside(&self, letter: &Letter, life: Life, by: By) -> Life {
        set_aside(&*self.letters, letter.id, life, by, self.clock.wall()).await
    }
}
