//! A call on its way to the thread that does it, and the answer on its way back.

use tokio::sync::oneshot;

use super::connect::Setup;
use super::fault::Fault;
use super::work::Work;
use crate::error::{StoreError, doing};

/// How a job went inside its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What it wrote is to be kept.
    Done,
    /// What it wrote is to be undone, for its own reasons.
    Undone,
    /// It met a fault that makes the connection doubtful.
    Broken,
}

/// Something to do inside a transaction. It may be run again, if the transaction was lost to another job's fault.
pub(crate) trait Job: Send {
    /// How many bytes of a new letter it brings; `None` if it is about letters that are there.
    fn brings(&self) -> Option<usize>;

    fn run(&mut self, work: &mut Work<'_>) -> Verdict;

    /// Answers the caller, after the transaction was committed or was not.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A job made of a closure.
pub(crate) struct Call<F, T> {
    brings: Option<usize>,
    run: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Call<F, T>
where
    F: FnMut(&mut Work<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    pub(crate) fn new(
        brings: Option<usize>,
        run: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Call { brings, run, outcome: None, reply }
    }
}

impl<F, T> Job for Call<F, T>
where
    F: FnMut(&mut Work<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn brings(&self) -> Option<usize> {
        self.brings
    }

    fn run(&mut self, work: &mut Work<'_>) -> Verdict {
        if self.reply.is_closed() {
            // Nobody waits any more: a claim made now would only run into the end of its lease.
            return Verdict::Undone;
        }
        let (verdict, outcome) = match (self.run)(work) {
            Ok(value) => (Verdict::Done, Ok(value)),
            Err(fault) => {
                let broken = fault.breaks_the_connection();
                let verdict = if broken { Verdict::Broken } else { Verdict::Undone };
                (verdict, Err(fault.outside(doing::WRITING, work.setup.out_of_pages())))
            }
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(error), _) => Err(error),
            (Ok(()), None) => return,
        };
        // A caller who has gone does not hear of it.
        let _ = self.reply.send(answer);
    }
}

/// Something to read, from a connection or from what kept it from being opened. It says whether the connection is
/// still good.
pub(crate) type Reading = Box<dyn FnOnce(Result<&rusqlite::Connection, Fault>) -> bool + Send>;

/// A reading made of a closure.
pub(crate) fn reading<T: Send + 'static>(
    read: impl FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    setup: &Setup,
    reply: oneshot::Sender<Result<T, StoreError>>,
) -> Reading {
    let full = setup.out_of_pages();
    Box::new(move |connection| {
        if reply.is_closed() {
            return true;
        }
        let outcome = connection.and_then(read);
        let good = !outcome.as_ref().is_err_and(Fault::breaks_the_connection);
        // A caller who has gone does not hear of it.
        let _ = reply.send(outcome.map_err(|fault| fault.outside(doing::READING, full)));
        good
    })
}
