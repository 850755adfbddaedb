//! The jobs of a service: those that run and the latest that ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuseboard_core::time::{Clock, WallTime};
use tokio::sync::watch;

use super::job::{Job, JobId, JobStatus};

/// The jobs of a service.
#[derive(Debug)]
pub(super) struct Jobs {
    kept: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    running: BTreeMap<JobId, Arc<Running>>,
    ended: BTreeMap<JobId, Job>,
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Running {
    job: Mutex<Job>,
    canceled: watch::Sender<bool>,
}

impl Running {
    pub(super) fn snapshot(&self) -> Job {
        self.lock().clone()
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Job) -> T) -> T {
        change(&mut self.lock())
    }

    pub(super) fn is_canceled(&self) -> bool {
        *self.canceled.borrow()
    }

    /// Ends when somebody cancels the job.
    pub(super) async fn canceled(&self) {
        let mut canceled = self.canceled.subscribe();
        if canceled.wait_for(|canceled| *canceled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Job> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    pub(super) fn new(kept: usize) -> Self {
        Jobs { kept, all: Mutex::default() }
    }

    /// Adds a job, and gives it its number: `number`, or one that is larger than those before.
    pub(super) fn begin(&self, job: Job, number: u64) -> Arc<Running> {
        let mut all = self.lock();
        all.last = number.max(all.last + 1);
        let id = JobId(all.last);
        let job = Mutex::new(Job { id, ..job });
        let running = Arc::new(Running { job, canceled: watch::Sender::new(false) });
        all.running.insert(id, Arc::clone(&running));
        running
    }

    /// Every job, the latest first.
    pub(super) fn list(&self) -> Vec<Job> {
        let all = self.lock();
        let mut jobs: Vec<_> = all.running.values().map(|running| running.snapshot()).collect();
        jobs.extend(all.ended.values().cloned());
        jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
        jobs
    }

    pub(super) fn get(&self, id: JobId) -> Option<Job> {
        let all = self.lock();
        let running = all.running.get(&id).map(|running| running.snapshot());
        running.or_else(|| all.ended.get(&id).cloned())
    }

    /// Tells a job to stop; `false` if there is none that runs, or it was told already.
    pub(super) fn cancel(&self, id: JobId) -> bool {
        let running = self.lock().running.get(&id).cloned();
        running.is_some_and(|running| !running.canceled.send_replace(true))
    }

    fn end(&self, ended: Job) {
        let mut all = self.lock();
        all.running.remove(&ended.id);
        all.ended.insert(ended.id, ended);
        while all.ended.len() > self.kept {
            all.ended.pop_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends its job when it is dropped, so that none runs for ever: a task may end by a panic, or with its runtime.
pub(super) struct Ending<'a> {
    pub(super) jobs: &'a Jobs,
    pub(super) running: &'a Running,
    pub(super) clock: &'a dyn Clock,
}

impl Ending<'_> {
    /// Says how the job ended, and how it is now.
    pub(super) fn with(self, error: Option<String>) -> Job {
        let canceled = self.running.is_canceled();
        let status = match (&error, canceled) {
            (Some(_), _) => JobStatus::Failed,
            (None, true) => JobStatus::Canceled,
            (None, false) => JobStatus::Done,
        };
        end(self.running, status, error, self.clock.wall());
        self.running.snapshot()
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.running.snapshot().status == JobStatus::Running {
            let error = Some("it was interrupted".to_owned());
            end(self.running, JobStatus::Interrupted, error, self.clock.wall());
        }
        self.jobs.end(self.running.snapshot());
    }
}

fn end(running: &Running, status: JobStatus, error: Option<String>, at: WallTime) {
    running.update(|job| (job.status, job.error, job.ended_at) = (status, error, Some(at)));
}
