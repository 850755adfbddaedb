//! Faults inside the SQLite store, and what they are called outside.

use std::path::Path;
use std::sync::Arc;

use fuseboard_core::letter::Refused;
use rusqlite::ErrorCode;

use crate::error::{FullReason, StoreError};

/// What went wrong with a job: something with a name outside, or something in SQLite that is yet to be classified.
#[derive(Debug)]
pub(crate) enum Fault {
    Store(StoreError),
    Sql(rusqlite::Error),
}

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

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl Fault {
    /// Whether the connection's idea of the file may be wrong from now on. After a failed fsync the kernel may have
    /// thrown the pages away and call the next fsync a success, so only a new connection knows what is there.
    pub(crate) fn breaks_the_connection(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::OutOfMemory
                    | ErrorCode::FileLockingProtocolFailed
            )
        )
    }

    pub(crate) fn is_unique_violation(&self) -> bool {
        let Fault::Sql(rusqlite::Error::SqliteFailure(error, _)) = self else { return false };
        error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
    }

    /// Whether the disk had no room for a page.
    pub(crate) fn is_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
            || matches!(self, Fault::Store(StoreError::Full { reason: FullReason::Disk }))
    }

    /// Whether a database cannot be opened for what may be want of room: its files cannot be made or extended.
    pub(crate) fn may_want_room(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
        )
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Fault::Sql(error) => error.sqlite_error_code(),
            Fault::Store(_) => None,
        }
    }

    /// Names the limit that was met, if that is what it is.
    pub(crate) fn named_if_full(self, reason: FullReason) -> Self {
        match self.code() {
            Some(ErrorCode::DiskFull) => Fault::Store(StoreError::Full { reason }),
            _ => self,
        }
    }

    /// What it is called outside. `full` is what running out of pages means here.
    pub(crate) fn outside(self, doing: &'static str, full: FullReason) -> StoreError {
        match (self.code(), self) {
            (_, Fault::Store(error)) => error,
            (Some(ErrorCode::DiskFull), _) => StoreError::Full { reason: full },
            (_, Fault::Sql(error)) => StoreError::Unavailable { doing, source: Arc::new(error) },
        }
    }

    /// What it is called while the database at `path` is being opened.
    pub(crate) fn while_opening(self, path: &Path, full: FullReason) -> StoreError {
        match (self.code(), self) {
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), Fault::Sql(error)) => {
                StoreError::NotOurs { path: path.to_owned(), problem: error.to_string() }
            }
            (
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied),
                Fault::Sql(error),
            ) => StoreError::Unwritable { path: path.to_owned(), source: Arc::new(error) },
            (_, fault) => fault.outside("opening the database", full),
        }
    }
}
