//! Why a call that was not done did not become a letter.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_store::{LetterId, StoreError};

use super::kind::{Kind, Undone};

/// Why a call that was not done did not become a letter.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotQueued {
    /// The owner's policy does not want it.
    #[error("the policy does not name `{0}`")]
    NotNamed(Kind),
    /// It may have been done, and nobody vouches for doing it twice.
    #[error("it may have been done, and is not idempotent")]
    MayBeDone(Undone),
    /// The other side answered that it will not do it: another try is of no use.
    #[error("it was answered, and another try would be answered the same")]
    Answered,
    /// Requests of this method change nothing.
    #[error("{0} is not kept")]
    Method(String),
    /// There is more of it than is kept.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It could not be written down, or its body did not arrive whole.
    #[error("it cannot be written down: {0}")]
    Unwritable(Arc<dyn std::error::Error + Send + Sync>),
    /// It is part of the replay of this letter, which is tried again by itself.
    #[error("it is part of the replay of letter {0}")]
    Replaying(LetterId),
    /// The store did not keep it.
    #[error(transparent)]
    Store(StoreError),
    /// The store did not answer within this time. It may keep the letter nevertheless.
    #[error("the store did not answer within {0:?}")]
    NoAnswer(Duration),
}

impl NotQueued {
    /// Whether there may be a letter nevertheless, now or when the store is next opened. Then nobody may be told that there is
    /// none.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            NotQueued::NoAnswer(_) => true,
            NotQueued::Store(error) => error.outcome_is_unknown(),
            _ => false,
        }
    }
}
