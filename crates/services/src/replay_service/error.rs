//! Why a replay could not be asked for, or broke off.

use fuseboard_store::StoreError;

use crate::circuits::Invalid;

use super::result::BatchReplayResult;

/// Why a replay did not end as it should. A letter that fails, a circuit that is open and a gate that is closed are results,
/// and none of these.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// What was asked for cannot be. Nothing was done.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The store did not do its part.
    #[error("the replay broke off after {} letters: {source}", done.total)]
    Store {
        /// What the store said.
        source: StoreError,
        /// What was done until then.
        done: Box<BatchReplayResult>,
    },
    /// The task that replayed ended early: it panicked, or its runtime was shut down.
    #[error("the replay was interrupted")]
    Interrupted,
}

impl From<StoreError> for ReplayError {
    fn from(source: StoreError) -> Self {
        ReplayError::Store { source, done: Box::default() }
    }
}
