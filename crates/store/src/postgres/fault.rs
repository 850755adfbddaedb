//! Faults inside the PostgreSQL store, and what they are called outside.

use std::sync::Arc;

use fuseboard_core::letter::Refused;
use tokio_postgres::error::{Severity, SqlState};

use crate::error::{FullReason, StoreError};

/// What went wrong with an errand.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Something with a name outside.
    Store(StoreError),
    /// Something in PostgreSQL or on the way to it.
    Sql(tokio_postgres::Error),
    /// A row that is not as this store writes it.
    Row(String),
    /// Something else got in between: the errand is to be run again.
    Again,
    /// No answer in time.
    TimedOut,
}

/// The server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the server in time")]
pub(crate) struct TimedOut;

/// A row that is not as this store writes it.
#[derive(Debug, thiserror::Error)]
#[error("the database holds what this store does not write: {0}")]
struct OddRow(String);

/// The errand met something else each time.
#[derive(Debug, thiserror::Error)]
#[error("other transactions got in between each time")]
struct Contended;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Store(error)
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Fault::Store(refused.into())
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::Sql(error)
    }
}

impl Fault {
    /// Whether the transaction was undone through no fault of its own.
    pub(crate) fn is_worth_repeating(&self) -> bool {
        let conflicts = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        match self {
            Fault::Again => true,
            _ => self.code().is_some_and(|code| conflicts.contains(code)),
        }
    }

    /// Whether the server has said that it undid what it was asked last, and the connection goes on.
    pub(crate) fn was_undone(&self) -> bool {
        match self {
            Fault::Sql(error) => error.as_db_error().is_some_and(|error| {
                // A server that translates its words may leave the parsed form out.
                error
                    .parsed_severity()
                    .map_or(error.severity() == "ERROR", |severity| severity == Severity::Error)
            }),
            Fault::Store(_) | Fault::Row(_) | Fault::Again => true,
            Fault::TimedOut => false,
        }
    }

    /// Whether what was to be committed may have been: nothing else was said of it. A row that cannot be read may be one
    /// that came with the commit.
    pub(crate) fn may_be_committed(&self) -> bool {
        !self.was_undone() || matches!(self, Fault::Row(_))
    }

    /// Whether the server takes no writes: it is, or has become, another's standby.
    pub(crate) fn is_of_a_standby(&self) -> bool {
        self.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            Fault::Sql(error) => error.code(),
            _ => None,
        }
    }

    /// What it is called outside.
    pub(crate) fn outside(self, doing: &'static str) -> StoreError {
        if self.code() == Some(&SqlState::DISK_FULL) {
            return StoreError::Full { reason: FullReason::Disk };
        }
        match self {
            Fault::Store(error) => error,
            Fault::Sql(error) => StoreError::Unavailable { doing, source: Arc::new(error) },
            Fault::Row(what) => StoreError::Unavailable { doing, source: Arc::new(OddRow(what)) },
            Fault::Again => StoreError::Unavailable { doing, source: Arc::new(Contended) },
            Fault::TimedOut => StoreError::Unavailable { doing, source: Arc::new(TimedOut) },
        }
    }
}
