//! A few connections, and how an errand gets one, again if need be.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{Either, ready};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Setup;
use super::fault::{Fault, TimedOut};
use super::session::{Link, Session};
use super::skew::Offset;
use crate::error::{StoreError, doing};

/// How often an errand is run when something else gets in between.
const TRIES: usize = 5;

/// Connections that reading does not take, so that captures and settles go on while somebody reads a lot.
const KEPT_FOR_WRITES: u32 = 2;

/// Something to do over one connection. It may be run again, if nothing came of it.
pub(crate) trait Errand: Send + Sync {
    type Answer: Send;

    /// Whether it leaves nothing behind.
    const READS: bool;

    fn run(&self, visit: &Visit<'_>) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// What an errand has while it runs.
pub(crate) struct Visit<'a> {
    pub(crate) session: &'a Session,
    pub(crate) setup: &'a Setup,
    pub(crate) offset: Offset,
    committing: AtomicBool,
}

impl Visit<'_> {
    /// Begins a transaction. Each of its statements sees what was committed before that statement.
    pub(crate) fn begin(&self) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send {
        self.session.command("BEGIN ISOLATION LEVEL READ COMMITTED")
    }

    /// Runs a statement outside a transaction, which is its own commit.
    pub(crate) fn alone<F: Future>(&self, statement: F) -> F {
        self.committing.store(true, Ordering::Relaxed);
        statement
    }

    /// The server has said that it undid what was to be committed.
    pub(crate) fn undone(&self) {
        self.committing.store(false, Ordering::Relaxed);
    }

    /// Commits. If something that was sent before has failed, the server undoes the transaction instead and calls that a
    /// success: only who has seen all of it succeed may believe this.
    pub(crate) fn commit(&self) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send {
        self.committing.store(true, Ordering::Relaxed);
        self.session.command("COMMIT")
    }
}

pub(crate) struct Pool {
    link: Arc<Link>,
    setup: Setup,
    idle: Mutex<Vec<Session>>,
    permits: Semaphore,
    /// As many as may be used at once for what leaves nothing behind.
    readers: Semaphore,
    size: u32,
}

/// A connection, and whether it lay idle before.
struct Taken {
    session: Session,
    reused: bool,
}

impl Pool {
    pub(crate) fn new(link: Arc<Link>, setup: Setup, size: u32, first: Session) -> Self {
        let permits = Semaphore::new(size as usize);
        let readers = Semaphore::new(size.saturating_sub(KEPT_FOR_WRITES).max(1) as usize);
        Pool { link, setup, idle: Mutex::new(vec![first]), permits, readers, size }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) async fn run<E: Errand>(&self, errand: &E) -> Result<E::Answer, StoreError> {
        let permits = timeout(self.link.limit, self.permits(E::READS));
        let late =
            || StoreError::Unavailable { doing: doing::TAKING_A_CALL, source: Arc::new(TimedOut) };
        let _permits = permits.await.map_err(|_| late())?.map_err(|_| StoreError::closed())?;
        let mut tries = 0;
        loop {
            tries += 1;
            let taken = self.take().await.map_err(|fault| fault.outside(doing::TAKING_A_CALL))?;
            let (reused, committing, fault) = match self.visit(taken, errand).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let lost_before_use = reused && !committing && is_lost(&fault);
            if lost_before_use {
                // Whatever cut it may have cut the others.
                self.idle().clear();
            }
            if tries < TRIES && (lost_before_use || fault.is_worth_repeating()) {
                continue;
            }
            let doing = match (E::READS, committing && fault.may_be_committed()) {
                (true, _) => doing::READING,
                (false, true) => doing::COMMITTING,
                (false, false) => doing::WRITING,
            };
            return Err(fault.outside(doing));
        }
    }

    async fn permits(
        &self,
        reads: bool,
    ) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), AcquireError> {
        let reader = if reads { Some(self.readers.acquire().await?) } else { None };
        Ok((reader, self.permits.acquire().await?))
    }

    /// Runs `errand` once; if it fails, with whether the connection had been used before and whether a commit was sent.
    async fn visit<E: Errand>(
        &self,
        taken: Taken,
        errand: &E,
    ) -> Result<E::Answer, (bool, bool, Fault)> {
        let Taken { session, reused } = taken;
        let (visit_answer, committing) = {
            let offset = self.link.skew.offset();
            let committing = AtomicBool::new(false);
            let visit = Visit { session: &session, setup: &self.setup, offset, committing };
            let answer = timeout(self.link.limit, errand.run(&visit)).await;
            (answer.unwrap_or(Err(Fault::TimedOut)), visit.committing.load(Ordering::Relaxed))
        };
        match visit_answer {
            Ok(answer) => {
                self.put_back(session);
                Ok(answer)
            }
            Err(fault) => {
                if matches!(fault, Fault::TimedOut) {
                    // The others hang on the same server.
                    self.idle().clear();
                }
                // A server that has become a standby will not take writes again.
                let usable = fault.was_undone() && !fault.is_of_a_standby();
                let clean = match usable {
                    true => Either::Left(session.roll_back(self.link.limit)),
                    false => Either::Right(ready(Err(Fault::Again))),
                };
                if clean.await.is_ok() {
                    self.put_back(session);
                }
                Err((reused, committing, fault))
            }
        }
    }

    async fn take(&self) -> Result<Taken, Fault> {
        while let Some(session) = self.pop() {
            if !session.is_closed() {
                return Ok(Taken { session, reused: true });
            }
        }
        let opened = timeout(self.link.limit, self.link.open(false)).await;
        Ok(Taken { session: opened.map_err(|_| Fault::TimedOut)??, reused: false })
    }

    fn pop(&self) -> Option<Session> {
        self.idle().pop()
    }

    fn put_back(&self, session: Session) {
        if !session.is_closed() && !self.permits.is_closed() {
            self.idle().push(session);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// Lets the errands that are under way finish, and hangs up.
    pub(crate) async fn close(&self) {
        // It fails only if it was closed before.
        let _ = self.permits.acquire_many(self.size).await;
        self.permits.close();
        self.readers.close();
        self.idle().clear();
    }
}

/// Whether the connection went away.
fn is_lost(fault: &Fault) -> bool {
    matches!(fault, Fault::Sql(_)) && !fault.was_undone()
}
