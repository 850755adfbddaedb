//! Letters in one SQLite file: the embedded store.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Rules};
use fuseboard_core::time::{Clock, SystemClock, WallTime};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::audit::By;
use crate::error::StoreError;
use crate::letters::{
    Answering, Blocker, ClaimFilter, Counts, Draft, HistoryEntry, Import, Inserted, Late, Letter,
    LetterId, LetterSummary, Letters, Priority, Query, Settlement, Token,
};

mod audit;
mod connect;
mod fault;
pub(crate) mod headers;
mod import;
mod job;
mod kinds;
mod late;
mod leases;
mod ledger;
mod line;
mod owner;
#[cfg(test)]
mod plans;
mod query;
mod reader;
mod reserve;
mod room;
mod row;
mod schema;
mod settings;
mod work;
mod writer;

use connect::Setup;
use fault::Fault;
use job::{Call, reading};
use ledger::Ledger;
use owner::Owner;
use reader::{READERS, Reader, ToReader};
use reserve::Reserve;
use room::Room;
use work::Work;
use writer::{ToWriter, Writer};

#[cfg(feature = "postgres")]
pub(crate) use headers::{decode as decode_headers, encode as encode_headers};

/// Calls that wait for a thread; who comes later waits to be let in.
const QUEUE: usize = 1024;

/// How to open a [`Sqlite`] store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The data folder: `letters.db` lives here. It is created if it is missing, for its owner's eyes only.
    pub folder: PathBuf,
    /// How many letters may be pending, replaying or in review at once. Default: as many as fit.
    pub capacity: Option<u64>,
    /// How large the database may grow, in bytes. The last eighth takes no new letters, so that those which are there
    /// can be finished. The write-ahead log comes on top, as a rule some 4 MiB. Default: as large as the disk.
    pub max_bytes: Option<u64>,
    /// How many bytes of the disk are held for replay, in a file named `reserve`. When the disk is full this room is given
    /// up, so that letters can still be replayed; it is taken again before new letters are. It must hold several of the
    /// largest letters, and a long queue needs a little for each letter. Default 4 MiB; 0 for none.
    pub reserve: u64,
    /// The limits of a letter's life.
    pub rules: Rules,
    /// Where the time comes from when the store is opened, and for how often it looks for room on a full disk; calls
    /// bring their own.
    pub clock: Arc<dyn Clock>,
}

impl SqliteOptions {
    /// A store in `folder` with everything else as by default.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        SqliteOptions {
            folder: folder.into(),
            capacity: None,
            max_bytes: None,
            reserve: 4 << 20,
            rules: Rules::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Letters in one SQLite file, with one owner.
///
/// One thread writes; calls that arrive while the disk is busy share the next commit and its `fsync`. Two threads read,
/// and never wait for a write. Write-ahead log, `synchronous=FULL`.
///
/// On a full disk, and at [`SqliteOptions::max_bytes`], new letters are refused with [`StoreError::Full`], and the others
/// can be replayed, discarded and purged with the room that is held for it. As long as that is in use, the history does
/// not tell of replays, and of answers only the status is kept, as if their bodies were cut off.
///
/// Dropping the store finishes the calls that are under way, stops the threads and lets go of the folder, and blocks for
/// as long as that takes; [`Letters::close`] does the same without blocking and says how it went.
pub struct Sqlite {
    folder: PathBuf,
    setup: Arc<Setup>,
    commits: Arc<AtomicU64>,
    /// `None` only while being dropped.
    links: Option<Links>,
    writer: Option<JoinHandle<()>>,
}

/// The ways to the threads.
struct Links {
    writer: mpsc::Sender<ToWriter>,
    readers: mpsc::Sender<ToReader>,
}

impl Sqlite {
    /// Opens the store, or creates it. Letters that the owner before held are freed, each with one more crash.
    ///
    /// Blocks on the disk: call it before the runtime starts, or where blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Owned`] if another process, or another `Sqlite` of this one, has the folder;
    /// [`StoreError::Unwritable`] if the folder or a file in it cannot be created or written;
    /// [`StoreError::NotOurs`] if `letters.db` is something else or damaged;
    /// [`StoreError::Newer`] if a newer Fuseboard wrote it; [`StoreError::Full`]; [`StoreError::Unavailable`].
    pub fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let SqliteOptions { folder, capacity, max_bytes, reserve, rules, clock } = options;
        let owner = Owner::of(&folder)?;
        let mut room = Room::new(Reserve::find(&folder, reserve), clock.clone());
        let database = folder.join("letters.db");
        let setup = Arc::new(Setup { database, rules, capacity, max_bytes });
        let opening = |fault: Fault| fault.while_opening(&setup.database, setup.out_of_pages());

        let connect = || connect::writer(&setup, !owner.found_closed);
        let connection = room.connect(connect).map_err(opening)?;
        owner::sync_folder(&folder).map_err(|error| owner::unwritable(&folder, error))?;
        let ledger = Ledger::load(&connection).map_err(Fault::from).map_err(opening)?;
        let mut opened = Opened { connection, ledger, room };
        opened.free_letters(&setup, clock.wall()).map_err(opening)?;
        let Opened { connection, ledger, room } = opened;

        let (to_readers, queue) = mpsc::channel(QUEUE);
        let readers = start_readers(&setup, queue).map_err(opening)?;
        let commits = Arc::new(AtomicU64::new(0));
        let (to_writer, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            setup: setup.clone(),
            connection: Some(connection),
            ledger,
            room,
            commits: commits.clone(),
            owner,
            readers,
        };
        let writer = Some(writer.start(queue).map_err(no_thread)?);
        let links = Some(Links { writer: to_writer, readers: to_readers });
        Ok(Sqlite { folder, setup, commits, links, writer })
    }

    /// How many transactions were committed since the store was opened. Calls that come together share one.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn links(&self) -> Result<&Links, StoreError> {
        self.links.as_ref().ok_or_else(StoreError::closed)
    }

    /// Has the writer do what is about letters that are there.
    fn write<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Work<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answering<'_, T> {
        self.write_bringing(None, run)
    }

    /// Has the writer do what brings so many bytes of a new letter.
    fn write_bringing<T: Send + 'static>(
        &self,
        brings: Option<usize>,
        run: impl FnMut(&mut Work<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answering<'_, T> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let job = ToWriter::Do(Box::new(Call::new(brings, run, reply)));
            self.links()?.writer.send(job).await.map_err(|_| StoreError::closed())?;
            answer.await.map_err(|_| StoreError::gone())?
        })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answering<'_, T> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let job = ToReader::Read(reading(read, &self.setup, reply));
            self.links()?.readers.send(job).await.map_err(|_| StoreError::closed())?;
            answer.await.map_err(|_| StoreError::closed())?
        })
    }
}

/// What the writer will have.
struct Opened {
    connection: Connection,
    ledger: Ledger,
    room: Room,
}

impl Opened {
    /// Frees every letter that is held: whoever held it is dead, because only the owner of the folder could. On a full
    /// disk those for which there is no room stay held until their leases run out.
    fn free_letters(&mut self, setup: &Setup, now: WallTime) -> Result<(), Fault> {
        for _ in 0..2 {
            match self.try_to_free_letters(setup, now) {
                Err(fault) if fault.is_full() => {
                    self.ledger.rolled_back();
                    self.room.make_for_replay(&self.connection);
                }
                freed => {
                    freed?;
                    break;
                }
            }
        }
        self.room.look(&self.connection);
        Ok(())
    }

    fn try_to_free_letters(&mut self, setup: &Setup, now: WallTime) -> Result<(), Fault> {
        let Opened { connection, ledger, room } = self;
        let short = room.is_short();
        let transaction = connection.unchecked_transaction()?;
        Work { connection, ledger, setup, short }.owner_started(now)?;
        ledger.keep_job();
        ledger.write(connection)?;
        transaction.commit()?;
        ledger.committed();
        Ok(())
    }
}

fn start_readers(
    setup: &Arc<Setup>,
    queue: mpsc::Receiver<ToReader>,
) -> Result<Vec<JoinHandle<()>>, Fault> {
    let queue = Arc::new(Mutex::new(queue));
    let mut readers = Vec::with_capacity(READERS);
    for _ in 0..READERS {
        let reader = Reader::open(setup.clone(), queue.clone())?;
        readers.push(reader.start().map_err(no_thread)?);
    }
    Ok(readers)
}

fn no_thread(error: std::io::Error) -> StoreError {
    StoreError::Unavailable { doing: "starting a thread", source: Arc::new(error) }
}

impl Letters for Sqlite {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        self.write_bringing(Some(draft.size()), move |work| work.insert(&draft))
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        let import = Import::from(letter);
        self.write_bringing(Some(import.size()), move |work| work.import(&import, &note, now))
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        let circuit = circuit.to_owned();
        self.write(move |work| work.claim(&circuit, limit, lease, now))
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        self.write(move |work| work.claim_by(&filter, lease, now))
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        self.write(move |work| work.settle(id, &settlement, now))
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        self.write(move |work| work.act(id, event, &by, now))
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.read(move |connection| query::snapshot(connection, |now| row::letter(now, id)))
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        let find = move |now: &Connection| row::letter_by_token(now, token);
        self.read(move |connection| query::snapshot(connection, find))
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.read(move |connection| query::history(connection, id))
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.read(move |connection| query::list(connection, &query))
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.read(move |connection| query::export(connection, &query))
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.read(query::counts)
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.read(move |connection| late::late(connection, now))
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.write(move |work| work.raise_late(to, now, limit))
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        let (circuit, order_key) = (circuit.to_owned(), order_key.to_owned());
        self.read(move |connection| Ok(line::first(connection, &circuit, &order_key)?))
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        let circuit = circuit.to_owned();
        self.read(move |connection| query::next_due(connection, &circuit))
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.read(query::circuits_with_letters)
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.write(move |work| work.purge(finished_before, limit))
    }

    fn close(&self) -> Answering<'_, ()> {
        Box::pin(async move {
            let links = self.links()?;
            let (reply, answer) = oneshot::channel();
            for _ in 0..READERS {
                // A reader that has stopped already needs no telling.
                let _ = links.readers.send(ToReader::Stop).await;
            }
            match links.writer.send(ToWriter::Close(reply)).await {
                Ok(()) => answer.await.unwrap_or(Ok(())),
                Err(_) => Ok(()),
            }
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.links = None;
        if let Some(writer) = self.writer.take() {
            // If it panicked, the lock went with it: there is nothing left to do here.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use fuseboard_core::time::WallTime;

    use super::{Fault, Letters, Sqlite, SqliteOptions};
    use crate::conformance::draft;
    use crate::error::StoreError;

    #[tokio::test]
    async fn a_job_that_fails_halfway_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let capacity = Some(1);
        let options = SqliteOptions { capacity, ..SqliteOptions::new(folder.path()) };
        let letters = Sqlite::open(options).unwrap();
        let now = WallTime::from_unix_millis(1_000);
        let half = draft("payments", "half", now);
        let failed = letters.write(move |work| {
            work.insert(&half)?;
            Err::<(), Fault>(StoreError::NotFound.into())
        });
        assert!(matches!(failed.await, Err(StoreError::NotFound)));
        let id = letters.insert(draft("payments", "whole", now)).await.unwrap().id();
        let listed = letters.list(crate::Query::default()).await.unwrap();
        assert_eq!(listed.iter().map(|summary| summary.id).collect::<Vec<_>>(), [id]);
        assert_eq!(letters.counts().await.unwrap().captured, 1);
    }
}
