//! The thread that writes: whatever has gathered while the disk was busy goes to disk together.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connect::{self, Setup};
use super::fault::Fault;
use super::job::{Job, Verdict};
use super::ledger::Ledger;
use super::owner::Owner;
use super::room::Room;
use super::work::Work;
use crate::error::{FullReason, StoreError, doing};

/// Calls that share one commit at most.
const GROUP: usize = 256;

/// What the writer is told.
pub(crate) enum ToWriter {
    Do(Box<dyn Job>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The only connection that writes, and all that goes with it.
pub(crate) struct Writer {
    pub(crate) setup: Arc<Setup>,
    /// `None` after a fault that made it doubtful, until the next call.
    pub(crate) connection: Option<Connection>,
    pub(crate) ledger: Ledger,
    pub(crate) room: Room,
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) owner: Owner,
    pub(crate) readers: Vec<JoinHandle<()>>,
}

/// How a group of jobs went.
enum Group {
    Committed,
    /// One job's fault took the whole transaction with it; no other job is to blame.
    Spoiled,
    /// There was no room for what the jobs wrote, of which nothing is left.
    DiskFull,
    Failed(StoreError),
}

impl Writer {
    pub(crate) fn start(self, queue: mpsc::Receiver<ToWriter>) -> io::Result<JoinHandle<()>> {
        Builder::new().name("fuseboard-write".to_owned()).spawn(move || self.run(queue))
    }

    fn run(mut self, mut queue: mpsc::Receiver<ToWriter>) {
        let mut gathered = Vec::with_capacity(GROUP);
        while queue.blocking_recv_many(&mut gathered, GROUP) > 0 {
            let mut jobs = Vec::with_capacity(gathered.len());
            for message in gathered.drain(..) {
                match message {
                    ToWriter::Do(job) => jobs.push(job),
                    ToWriter::Close(reply) => {
                        self.commit_in_portions(jobs);
                        queue.close();
                        // A caller who has gone does not hear of it.
                        let _ = reply.send(self.close());
                        return;
                    }
                }
            }
            self.commit_in_portions(jobs);
        }
        // Dropped without having been closed: in order all the same, but there is nobody to tell how it went.
        let _ = self.close();
    }

    /// Does `jobs` in as few transactions as the log may grow by at once.
    fn commit_in_portions(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut portion = Vec::with_capacity(jobs.len());
        let mut bytes = 0_u64;
        for job in jobs {
            let brings = job.brings().unwrap_or(0) as u64;
            if !self.room.is_one_transaction(portion.len() + 1, bytes + brings) {
                self.commit(std::mem::take(&mut portion));
                bytes = 0;
            }
            bytes += brings;
            portion.push(job);
        }
        self.commit(portion);
    }

    /// Does `jobs` in one transaction, or each in its own if one of them spoils it, and answers their callers.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        match self.together(&mut jobs) {
            Group::Spoiled if jobs.len() > 1 => self.commit_each(jobs),
            Group::DiskFull => self.commit_on_a_full_disk(jobs),
            group => answer(jobs, group),
        }
    }

    fn commit_each(&mut self, jobs: Vec<Box<dyn Job>>) {
        jobs.into_iter().for_each(|job| self.commit(vec![job]));
    }

    /// The disk has no room for `jobs` together. What is about letters that are there gets the room that is held for it,
    /// new letters get what else there is.
    fn commit_on_a_full_disk(&mut self, jobs: Vec<Box<dyn Job>>) {
        let (new, old): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.brings().is_some());
        match (new.is_empty(), old.is_empty()) {
            (true, _) => self.commit_after(Room::make_for_replay, old),
            (_, true) => self.commit_after(Room::make_for_letters, new),
            (false, false) => {
                self.commit(old);
                self.commit(new);
            }
        }
    }

    /// Does `jobs` after `making` room, one by one if it is too little for all at once.
    fn commit_after(&mut self, making: fn(&mut Room, &Connection), mut jobs: Vec<Box<dyn Job>>) {
        if let Some(connection) = &self.connection {
            making(&mut self.room, connection);
        }
        let group = match self.room.is_one_transaction(jobs.len(), 0) {
            true => self.together(&mut jobs),
            false => Group::DiskFull,
        };
        match group {
            Group::Spoiled | Group::DiskFull if jobs.len() > 1 => {
                jobs.into_iter().for_each(|job| self.commit_after(making, vec![job]));
            }
            group => answer(jobs, group),
        }
    }

    fn together(&mut self, jobs: &mut [Box<dyn Job>]) -> Group {
        if let Err(fault) = self.reconnect() {
            return self.failed(fault, doing::OPENING_AGAIN);
        }
        if let Some(connection) = &self.connection {
            self.room.look_again(connection);
        }
        match self.transact(jobs) {
            Ok(true) => self.commit_transaction(),
            Ok(false) => {
                self.roll_back();
                Group::Spoiled
            }
            Err(fault) => self.failed(fault, doing::WRITING),
        }
    }

    fn commit_transaction(&mut self) -> Group {
        let Some(connection) = &self.connection else { return Group::Spoiled };
        if let Err(fault) = run(connection, "COMMIT") {
            return self.failed(fault, doing::COMMITTING);
        }
        self.room.mind_the_log(connection, &self.setup);
        self.ledger.committed();
        self.commits.fetch_add(1, Ordering::Relaxed);
        Group::Committed
    }

    /// Runs `jobs` in a transaction that is ready to be committed; `false` if it was lost to one of them.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, Fault> {
        let Writer { setup, connection: Some(connection), ledger, room, .. } = self else {
            return Ok(false);
        };
        let short = room.is_short();
        run(connection, "BEGIN IMMEDIATE")?;
        let mut broken = false;
        for job in jobs {
            run(connection, "SAVEPOINT job")?;
            let verdict = job.run(&mut Work { connection, ledger, setup, short });
            broken = verdict == Verdict::Broken;
            if broken || connection.is_autocommit() {
                break;
            }
            if verdict == Verdict::Done {
                ledger.keep_job();
            } else {
                ledger.forget_job();
                run(connection, "ROLLBACK TO job")?;
            }
            run(connection, "RELEASE job")?;
        }
        if broken {
            self.distrust();
            return Ok(false);
        }
        if connection.is_autocommit() {
            return Ok(false);
        }
        ledger
            .write(connection)
            .map_err(|error| Fault::from(error).named_if_full(setup.out_of_pages()))?;
        Ok(true)
    }

    fn failed(&mut self, fault: Fault, doing: &'static str) -> Group {
        if fault.breaks_the_connection() {
            self.distrust();
        }
        self.roll_back();
        if fault.is_full() {
            return Group::DiskFull;
        }
        Group::Failed(fault.outside(doing, FullReason::Disk))
    }

    fn roll_back(&mut self) {
        self.ledger.rolled_back();
        if let Some(connection) = &self.connection
            && !connection.is_autocommit()
            && run(connection, "ROLLBACK").is_err()
        {
            self.distrust();
        }
    }

    fn distrust(&mut self) {
        self.connection = None;
    }

    fn reconnect(&mut self) -> Result<(), Fault> {
        if self.connection.is_some() {
            return Ok(());
        }
        let connection = self.room.connect(|| connect::writer_again(&self.setup))?;
        // What could not be appended to the log may find room once the log starts over; if not, the next commit says so.
        let _ = connect::empty_the_log(&connection);
        self.ledger = Ledger::load(&connection)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Ends the readers, moves the log into the database, and lets go of the data folder.
    fn close(self) -> Result<(), StoreError> {
        for reader in self.readers {
            // A reader that panicked has closed its connection too.
            let _ = reader.join();
        }
        let Some(connection) = self.connection else {
            return Err(StoreError::closed());
        };
        let outside = |fault: Fault| fault.outside("closing", FullReason::Disk);
        match connect::empty_the_log(&connection) {
            // The log stays beside the database, for the next owner to move.
            Err(fault) if fault.is_full() => {}
            emptied => emptied.map_err(outside)?,
        }
        connection.close().map_err(|(_, error)| outside(error.into()))?;
        self.owner
            .close()
            .map_err(|error| StoreError::Unavailable { doing: "closing", source: Arc::new(error) })
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, group: Group) {
    let committed = match group {
        // Each job knows for itself how it went, also the one that spoiled the transaction.
        Group::Committed | Group::Spoiled => Ok(()),
        Group::DiskFull => Err(StoreError::Full { reason: FullReason::Disk }),
        Group::Failed(error) => Err(error),
    };
    jobs.into_iter().for_each(|job| job.answer(committed.clone()));
}

fn run(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
