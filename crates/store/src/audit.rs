//! The audit log: who did what to what, why, and what it was before and after.

use std::fmt;

use fuseboard_core::time::WallTime;

use crate::letters::Answering;

/// Who does something by hand, and why.
///
/// ```
/// use fuseboard_store::By;
///
/// let by = By::new("ops", "the address is fixed");
/// assert_eq!((by.actor.as_str(), by.reason.as_str()), ("ops", "the address is fixed"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who. Never empty where a person did it.
    pub actor: String,
    /// Why. Cut to 1,000 bytes.
    pub reason: String,
}

impl By {
    /// `actor`, because of `reason`.
    pub fn new(actor: impl Into<String>, reason: impl Into<String>) -> Self {
        By { actor: actor.into(), reason: reason.into() }
    }

    /// Fuseboard itself.
    pub fn system(reason: impl Into<String>) -> Self {
        By::new("system", reason)
    }
}

/// One thing that was done, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who did it.
    pub actor: String,
    /// What was done. The store itself writes `letter.requeue`, `letter.hasten`, `letter.set_aside`,
    /// `letter.discard` and `setting.change`; others have names of their own.
    pub action: String,
    /// To what, such as `letter/7`, `setting/kill_switch` or `circuit/payments`.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// What it was before, where that can be said: a status, a value, a state.
    pub before: Option<String>,
    /// What it was after.
    pub after: Option<String>,
    /// When.
    pub at: WallTime,
}

/// An entry's number in the log. Numbers grow and are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub i64);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number.
    pub id: AuditId,
    /// What it says.
    pub entry: AuditEntry,
}

/// Which records to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only of this subject.
    pub subject: Option<String>,
    /// Only from this time on.
    pub since: Option<WallTime>,
    /// Only from before this time.
    pub until: Option<WallTime>,
    /// Only records that come after this one in the order of [`Audit::records`]: the last of the page before.
    pub after: Option<AuditId>,
    /// At most this many. Default 100.
    pub limit: usize,
}

impl Default for AuditQuery {
    fn default() -> Self {
        AuditQuery {
            actor: None,
            action: None,
            subject: None,
            since: None,
            until: None,
            after: None,
            limit: 100,
        }
    }
}

/// An audit log that can only grow: nothing here changes a record, and records go by age alone.
///
/// ```
/// use fuseboard_core::time::WallTime;
/// use fuseboard_store::{Audit, AuditEntry, AuditQuery, Memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fuseboard_store::StoreError> {
/// let store = Memory::default();
/// let entry = AuditEntry {
///     actor: "ops".to_owned(),
///     action: "circuit.force_open".to_owned(),
///     subject: "circuit/payments".to_owned(),
///     reason: "the provider asked for it".to_owned(),
///     before: Some("closed".to_owned()),
///     after: Some("forced_open".to_owned()),
///     at: WallTime::from_unix_millis(1_000),
/// };
/// let id = store.record(entry.clone()).await?;
/// let of_ops = AuditQuery { actor: Some("ops".to_owned()), ..AuditQuery::default() };
/// let records = store.records(of_ops).await?;
/// assert_eq!((records[0].id, &records[0].entry), (id, &entry));
/// # Ok(())
/// # }
/// ```
pub trait Audit {
    /// Writes an entry, and resolves when it is as safe as a letter.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable), [`StoreError::Full`](crate::StoreError::Full).
    fn record(&self, entry: AuditEntry) -> Answering<'_, AuditId>;

    /// Records, the newest first; of those with one time, the highest number first.
    fn records(&self, query: AuditQuery) -> Answering<'_, Vec<AuditRecord>>;

    /// Removes up to `limit` records from before `before`, the oldest first; returns how many.
    fn purge_records(&self, before: WallTime, limit: usize) -> Answering<'_, u64>;
}
