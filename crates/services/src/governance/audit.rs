//! The audit log as services use it: written off the calling thread, read page by page.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fuseboard_store::{AuditEntry, AuditId, AuditQuery, AuditRecord, Letters, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{error, warn};

/// Records that may wait to be written, unless you say otherwise.
const WAITING: usize = 1024;
/// How often a record is tried to be written, and how long is waited between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// The most that is kept of each text of a record, in bytes.
const TEXT_KEPT: usize = 4000;

/// What became of the records that were handed in: `accepted` = `written` + `lost` + those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCounts {
    /// Taken, to be written.
    pub accepted: u64,
    /// Not taken, because too many waited or nobody writes any more.
    pub refused: u64,
    /// Written.
    pub written: u64,
    /// Taken, but the store did not take them.
    pub lost: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
}

enum Order {
    Write(AuditEntry),
    /// To be dropped when all that came before it is done.
    Tell(oneshot::Sender<()>),
}

/// The record was not kept: too many wait for the store, or the writer has ended. It was counted, and logged in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit record was not taken: too many are waiting, or nobody writes them")]
pub struct NotTaken;

/// Records of an audit log, some at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// The records, the newest first.
    pub records: Vec<AuditRecord>,
    /// What to ask for in [`AuditQuery::after`] to get the next page; `None` if this is the last.
    pub next: Option<AuditId>,
}

/// The audit log in the store of letters. Clones share its queue.
///
/// [`write`](Self::write) never waits: it hands the record to an [`AuditWriter`], which a task of the program runs. What cannot
/// be written is counted and logged in full, with the target `fuseboard::audit`. [`record`](Self::record) waits until the
/// store has it.
///
/// It is also the [`AuditSink`](crate::circuits::AuditSink) of a [circuit breaker
/// service](crate::CircuitBreakerService): its records are named `circuit.force_open` and so on, of `circuit/NAME`.
///
/// ```
/// use fuseboard_services::CircuitBreakerService;
/// use fuseboard_services::governance::AuditLog;
/// use fuseboard_store::{AuditQuery, Memory};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (log, writer) = AuditLog::new(Arc::new(Memory::default()));
/// tokio::spawn(writer.run());
///
/// let service = CircuitBreakerService::builder().audit(Arc::new(log.clone())).build()?;
/// service.manual_control("payments", "open", "maintenance", "ops")?;
///
/// log.flush().await;
/// let page = log.page(AuditQuery::default()).await?;
/// assert_eq!(page.records[0].entry.action, "circuit.force_open");
/// assert_eq!(page.records[0].entry.subject, "circuit/payments");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuditLog {
    letters: Arc<dyn Letters>,
    orders: mpsc::Sender<Order>,
    counters: Arc<Counters>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl AuditLog {
    /// The log in that store, with room for 1,024 records that wait, and its writer, which somebody has to run.
    pub fn new(letters: Arc<dyn Letters>) -> (AuditLog, AuditWriter) {
        AuditLog::with_room(letters, WAITING)
    }

    /// As [`new`](Self::new), with room for `waiting` records, at least one.
    pub fn with_room(letters: Arc<dyn Letters>, waiting: usize) -> (AuditLog, AuditWriter) {
        let (orders, ordered) = mpsc::channel(waiting.max(1));
        let counters = Arc::new(Counters::default());
        let writer = AuditWriter {
            letters: Arc::clone(&letters),
            orders: ordered,
            counters: Arc::clone(&counters),
        };
        (AuditLog { letters, orders, counters }, writer)
    }

    /// Hands a record over to be written. Each of its texts is cut to 4,000 bytes.
    ///
    /// # Errors
    ///
    /// [`NotTaken`], if there is no room.
    pub fn write(&self, entry: AuditEntry) -> Result<(), NotTaken> {
        let order = Order::Write(cut(entry));
        let Err(refused) = self.orders.try_send(order) else {
            self.counters.accepted.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if let Order::Write(entry) = refused.into_inner() {
            log_unwritten(&entry, &NotTaken);
        }
        Err(NotTaken)
    }

    /// Writes a record, and resolves when it is safe. It does not stand in line behind those that were handed over.
    ///
    /// # Errors
    ///
    /// Those of [`Audit::record`](fuseboard_store::Audit::record).
    ///
    /// # Cancel safety
    ///
    /// If dropped, the record may or may not be written.
    pub async fn record(&self, entry: AuditEntry) -> Result<AuditId, StoreError> {
        self.letters.record(cut(entry)).await
    }

    /// The records that a query is about, the newest first, and where the next page begins.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// It only reads.
    pub async fn page(&self, mut query: AuditQuery) -> Result<AuditPage, StoreError> {
        let limit = query.limit.max(1);
        query.limit = limit.saturating_add(1);
        let mut records = self.letters.records(query).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|record| record.id);
        Ok(AuditPage { records, next })
    }

    /// Waits until what was handed over before is written or lost. Somebody must be running the writer.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time; records are written all the same.
    pub async fn flush(&self) {
        let (told, done) = oneshot::channel();
        // An error on either way means that the writer has ended: there is nothing left to wait for.
        if self.orders.send(Order::Tell(told)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// What became of the records so far.
    pub fn counts(&self) -> AuditCounts {
        let Counters { accepted, refused, written, lost } = &*self.counters;
        // What is done is read first, so that it is never more than what was accepted.
        let (written, lost) = (written.load(Ordering::Acquire), lost.load(Ordering::Acquire));
        let (accepted, refused) =
            (accepted.load(Ordering::Acquire), refused.load(Ordering::Acquire));
        AuditCounts { accepted: accepted.max(written + lost), refused, written, lost }
    }
}

/// Writes what an [`AuditLog`] was handed.
#[must_use = "records are written only while somebody runs it"]
pub struct AuditWriter {
    letters: Arc<dyn Letters>,
    orders: mpsc::Receiver<Order>,
    counters: Arc<Counters>,
}

impl fmt::Debug for AuditWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditWriter").field("waiting", &self.orders.len()).finish_non_exhaustive()
    }
}

impl AuditWriter {
    /// Writes records one after the other, each tried three times, until every clone of the log is gone. A record that the
    /// store may or may not have taken is tried again, too: twice in the log is better than not at all.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the records that wait are not written. Call [`AuditLog::flush`] before.
    pub async fn run(mut self) {
        while let Some(order) = self.orders.recv().await {
            match order {
                Order::Write(entry) => self.write(entry).await,
                Order::Tell(told) => drop(told.send(())),
            }
        }
    }

    async fn write(&self, entry: AuditEntry) {
        let mut tries = 1;
        loop {
            match self.letters.record(entry.clone()).await {
                Ok(_) => {
                    self.counters.written.fetch_add(1, Ordering::Release);
                    return;
                }
                Err(error) if tries < TRIES => {
                    warn!(%error, "an audit record could not be written; it is tried again");
                    tries += 1;
                    sleep(PAUSE).await;
                }
                Err(error) => {
                    self.counters.lost.fetch_add(1, Ordering::Release);
                    log_unwritten(&entry, &error);
                    return;
                }
            }
        }
    }
}

/// What the log of records could not keep, the program's log does.
fn log_unwritten(entry: &AuditEntry, error: &dyn fmt::Display) {
    let AuditEntry { actor, action, subject, reason, before, after, at } = entry;
    let at = at.as_unix_millis();
    error!(
        target: "fuseboard::audit",
        %error, actor, action, subject, reason, ?before, ?after, at, "an audit record was not written"
    );
}

fn cut(mut entry: AuditEntry) -> AuditEntry {
    let AuditEntry { actor, action, subject, reason, before, after, .. } = &mut entry;
    for text in [actor, action, subject, reason].into_iter().chain(before).chain(after) {
        text.truncate(text.floor_char_boundary(TEXT_KEPT));
    }
    entry
}
