//! What can go wrong with a store, in words that say what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use fuseboard_core::letter::Refused;

use crate::letters::LetterId;

/// The error beneath an error. Shared, because one failed commit is the failure of every call that was part of it.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The idempotency key came before, in the same scope, with another body. The letter that has it stays as it is.
    #[error("the idempotency key `{key}` was used before on circuit `{circuit}` with another body")]
    KeyReused {
        /// The circuit of both letters.
        circuit: String,
        /// The key of both letters.
        key: String,
        /// The letter that has the key.
        existing: LetterId,
    },
    /// A letter that was to be imported has the key, in the same scope, of one that is here.
    #[error("the idempotency key `{key}` on circuit `{circuit}` is that of letter {existing}")]
    KeyTaken {
        /// The circuit of both letters.
        circuit: String,
        /// The key of both letters.
        key: String,
        /// The letter that has the key.
        existing: LetterId,
    },
    /// The draft's token is another letter's. Tokens are drawn with [`Token::random`](crate::Token::random), once per draft.
    #[error("the token of this letter belongs to another letter: draw a new one for each draft")]
    TokenTaken,
    /// There is no room for another letter. What is kept can still be read, replayed, discarded and purged.
    #[error("no room for another letter: {reason}")]
    Full {
        /// Which limit was met.
        reason: FullReason,
    },
    /// Who settles does not hold the letter any more. Nothing changed.
    #[error("not the holder of the letter: {0}")]
    Fenced(#[source] Refused),
    /// The setting was changed by somebody else since it was read. Nothing changed now.
    #[error(
        "the setting `{name}` was changed meanwhile: seen at revision {seen}, it is at {current}; read it again"
    )]
    Outdated {
        /// The setting.
        name: String,
        /// The revision that the caller had seen.
        seen: u64,
        /// Its revision now; 0 if it was never set.
        current: u64,
    },
    /// The lease is somebody else's, or was given back. Nothing changed.
    #[error("the lease `{name}` is not held with fence {fence} any more")]
    LeaseLost {
        /// The lease.
        name: String,
        /// The fence of the late holder.
        fence: u64,
    },
    /// There is no such letter, or it was purged.
    #[error("no such letter")]
    NotFound,
    /// The letter cannot take this as it stands. Nothing changed.
    #[error(transparent)]
    Refused(Refused),
    /// The database was written by a newer version of Fuseboard.
    #[error(
        "`{}` has schema version {found}, this Fuseboard knows up to {known}: start the newer Fuseboard, or use another database",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version that is known here.
        known: u32,
    },
    /// Another process has the data folder open.
    #[error("the data folder `{}` is in use by {}", path.display(), Process(*pid))]
    Owned {
        /// The data folder.
        path: PathBuf,
        /// The process that has it, where that can be read.
        pid: Option<u32>,
    },
    /// A file or folder cannot be created or written.
    #[error("cannot write `{}`: {source}; expected a folder that this process may write to", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// The file is no Fuseboard database, or it is damaged. Its content was not touched.
    #[error("`{}` is not a sound Fuseboard database: {problem}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An option cannot be used as it is: nothing was opened.
    #[error("the store's options do not work: {problem}")]
    Misconfigured {
        /// What is wrong with which option. Without passwords.
        problem: String,
    },
    /// What is sealed of a letter cannot be opened. The letter is there, and can be listed, set aside and discarded.
    #[error("letter {letter} cannot be opened: {why}")]
    Sealed {
        /// The letter.
        letter: LetterId,
        /// Why not.
        why: Unopened,
    },
    /// The keyring has another key than the one that was used under this name. Nothing was done with it.
    #[error(
        "the key `{key}` is another one than letters were sealed with under this name: expected the same key, or another \
         name for a new one"
    )]
    WrongKey {
        /// The name of both keys.
        key: String,
    },
    /// The store did not answer as it should; it may do so again later.
    ///
    /// A write may have happened nevertheless: when the disk fails while a transaction is being committed, the letter may
    /// be on it and come back with the next start. [`StoreError::outcome_is_unknown`] tells whether that is possible;
    /// where it is, nobody may be told that the letter was not kept.
    #[error("the store is unavailable ({doing}): {source}")]
    Unavailable {
        /// What the store was doing.
        doing: &'static str,
        /// What went wrong.
        source: Cause,
    },
}

/// What a store was doing when it became unavailable. Nothing was written while it did the first of these.
pub(crate) mod doing {
    pub(crate) const TAKING_A_CALL: &str = "taking a call";
    pub(crate) const READING: &str = "reading";
    pub(crate) const WRITING: &str = "writing";
    pub(crate) const OPENING_AGAIN: &str = "opening the database again";

    pub(crate) const HARMLESS: [&str; 4] = [TAKING_A_CALL, READING, WRITING, OPENING_AGAIN];

    pub(crate) const COMMITTING: &str = "committing";
    pub(crate) const ANSWERING: &str = "answering a call";
}

impl StoreError {
    /// Whether what was asked may have been done nevertheless, now or when the store is next opened: true of
    /// [`StoreError::Unavailable`] from a call that writes, unless it failed before the transaction was committed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use fuseboard_store::StoreError;
    ///
    /// assert!(!StoreError::NotFound.outcome_is_unknown());
    /// let source = Arc::new(std::io::Error::other("fsync failed"));
    /// assert!(StoreError::Unavailable { doing: "committing", source }.outcome_is_unknown());
    /// ```
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, StoreError::Unavailable { doing, .. } if !doing::HARMLESS.contains(doing))
    }

    /// The store has been closed: it did not take the call.
    pub(crate) fn closed() -> Self {
        StoreError::Unavailable { doing: doing::TAKING_A_CALL, source: Arc::new(Closed) }
    }

    /// The store took the call and has gone without an answer.
    pub(crate) fn gone() -> Self {
        StoreError::Unavailable { doing: doing::ANSWERING, source: Arc::new(Closed) }
    }
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Fence { .. } => StoreError::Fenced(refused),
            _ => StoreError::Refused(refused),
        }
    }
}

/// Which limit a full store has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullReason {
    /// As many letters are waiting as the store's capacity allows.
    Capacity {
        /// The capacity, in letters that are not final.
        letters: u64,
    },
    /// The database is as large as it may be.
    Size {
        /// The limit, in bytes.
        max_bytes: u64,
    },
    /// The file system has no space left.
    Disk,
}

impl fmt::Display for FullReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FullReason::Capacity { letters } => write!(f, "capacity of {letters} letters reached"),
            FullReason::Size { max_bytes } => write!(f, "size limit of {max_bytes} bytes reached"),
            FullReason::Disk => f.write_str("disk full"),
        }
    }
}

/// Why something that is sealed cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unopened {
    /// The keyring does not have the key. The letter is as it was, and opens when the key is back.
    #[error(
        "the key `{key}` is not in the keyring: expected it among the older keys for as long as letters need it"
    )]
    KeyMissing {
        /// The key's name.
        key: String,
    },
    /// It was changed after it was sealed, or belongs to another letter.
    #[error("its {what} is not what {} sealed for this letter", Named(key))]
    Damaged {
        /// `content` or `answer`.
        what: &'static str,
        /// The name of the key that stands beside it; empty if that is gone.
        key: String,
    },
}

struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("any key"),
            key => write!(f, "the key `{key}`"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it is closed")]
struct Closed;

struct Process(Option<u32>);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}
