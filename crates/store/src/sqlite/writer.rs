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
use super::work::Work;
use crate::error::{FullReason, StoreError};

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
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) owner: Owner,
    pub(crate) readers: Vec<JoinHandle<()>>,
}

/// How a group of jobs went.
enum Group {
    Committed,
    /// One job's fault took the whole transaction with it; no other job is to blame.
    Spoiled,
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
                        self.commit(jobs);
                        queue.close();
                        // A caller who has gone does not hear of it.
                        let _ = reply.send(self.close());
                        return;
                    }
                }
            }
            self.commit(jobs);
        }
        // Dropped without having been closed: in order all the same, but there is nobody to tell how it went.
        let _ = self.close();
    }

    /// Does `jobs` in one transaction, or each in its own if one of them spoils it, and answers their callers.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        match self.together(&mut jobs) {
            Group::Committed => jobs.into_iter().for_each(|job| job.answer(Ok(()))),
            Group::Failed(error) => {
                jobs.into_iter().for_each(|job| job.answer(Err(error.clone())));
            }
            Group::Spoiled if jobs.len() == 1 => {
                jobs.into_iter().for_each(|job| job.answer(Ok(())));
            }
            Group::Spoiled => jobs.into_iter().for_each(|job| self.commit(vec![job])),
        }
    }

    fn together(&mut self, jobs: &mut [Box<dyn Job>]) -> Group {
        if let Err(fault) = self.reconnect() {
            return self.failed(fault, "opening the database again");
        }
        match self.transact(jobs) {
            Ok(true) => {
                self.ledger.committed();
                self.commits.fetch_add(1, Ordering::Relaxed);
                Group::Committed
            }
            Ok(false) => {
                self.roll_back();
                Group::Spoiled
            }
            Err(fault) => self.failed(fault, "committing"),
        }
    }

    /// Runs `jobs` and commits; `false` if the transaction was lost to one of them.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool, Fault> {
        let Writer { setup, connection: Some(connection), ledger, .. } = self else {
            return Ok(false);
        };
        run(connection, "BEGIN IMMEDIATE")?;
        let mut broken = false;
        for job in jobs {
            run(connection, "SAVEPOINT job")?;
            let verdict = job.run(&mut Work { connection, ledger, setup });
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
        run(connection, "COMMIT")?;
        Ok(true)
    }

    fn failed(&mut self, fault: Fault, doing: &'static str) -> Group {
        if fault.breaks_the_connection() {
            self.distrust();
        }
        self.roll_back();
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
        let connection = connect::writer_again(&self.setup)?;
        // What could not be appended to the log may find room once the log starts over; if not, the next commit says so.
        let _ = checkpoint(&connection);
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
        checkpoint(&connection).map_err(outside)?;
        connection.close().map_err(|(_, error)| outside(error.into()))?;
        self.owner
            .close()
            .map_err(|error| StoreError::Unavailable { doing: "closing", source: Arc::new(error) })
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn checkpoint(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
