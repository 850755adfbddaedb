//! Batches: how they begin, and how they end.

use std::sync::Arc;

use fuseboard_store::{By, StoreError};
use tokio::task::JoinHandle;

use super::error::ReplayError;
use super::job::{Job, JobFilter, JobId, JobStatus};
use super::jobs::{Ending, Running};
use super::on_close::Guarded;
use super::options::{BatchOptions, OnCircuitClose};
use super::result::BatchReplayResult;
use super::service::{ReplayService, Shared};
use super::sweep::Sweep;

/// A batch that has begun.
struct Begun {
    running: Arc<Running>,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Begun {
    fn id(&self) -> JobId {
        self.running.update(|job| job.id)
    }

    async fn end(self) -> Result<BatchReplayResult, ReplayError> {
        let ended = self.task.await.map_err(|_| ReplayError::Interrupted)?;
        let done = self.running.snapshot().result;
        match ended {
            Ok(()) => Ok(done),
            Err(source) => Err(ReplayError::Store { source, done: Box::new(done) }),
        }
    }
}

impl ReplayService {
    /// Replays letters that are due, the earliest first, one after the other; where they are of several circuits, those take
    /// turns. A letter has one turn in a batch.
    ///
    /// - When a circuit opens, no more of its letters are begun; those that were due are in the result as skipped.
    /// - When the gate closes, the batch ends, or leaves that circuit out: `governance_blocked`.
    /// - Adaptive: the first batch has 50 letters at most. If a fifth of the tried ones fail, the next has a fifth less, down
    ///   to 10; after three batches in a row without a failure it has five more, up to 100.
    /// - Priority: critical letters go first, then normal, then low ones, whatever their domain. A letter has its priority
    ///   from its domain, since it was captured.
    /// - A letter that was tried as often as its domain allows
    ///   ([`Domain::max_retries`](crate::domains::Domain::max_retries)) waits for a person, in every batch.
    ///
    /// The audit log tells of its beginning and its end, unless it is a dry run.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Invalid`] if the options cannot be; [`ReplayError::Store`] if the store did not answer, with what was
    /// done until then.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on by itself; [`cancel`](Self::cancel) stops it.
    pub async fn replay_batch(
        &self,
        options: BatchOptions,
    ) -> Result<BatchReplayResult, ReplayError> {
        self.begin_batch(options)?.end().await
    }

    /// Begins [`replay_batch`](Self::replay_batch) and returns. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Invalid`] if the options cannot be.
    pub fn start_batch(&self, options: BatchOptions) -> Result<JobId, ReplayError> {
        Ok(self.begin_batch(options)?.id())
    }

    /// Replays the letters of one circuit, and of no other, oldest first: for when it has recovered. Only one such replay of a
    /// circuit goes at a time, on whatever node; another is `inflight_skipped`.
    ///
    /// # Errors
    ///
    /// As [`replay_batch`](Self::replay_batch).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on by itself; [`cancel`](Self::cancel) stops it.
    ///
    /// ```
    /// use fuseboard_services::replay_service::{OnCircuitClose, ReplayService};
    /// use fuseboard_store::Memory;
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fuseboard_services::replay_service::ReplayError> {
    /// let service = ReplayService::new(Arc::new(Memory::default()), None);
    /// let options = OnCircuitClose { escalate_failures: false, ..OnCircuitClose::default() };
    /// let result = service.replay_on_circuit_close("payments", options).await?;
    /// assert!(result.total == 0 && !result.inflight_skipped);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replay_on_circuit_close(
        &self,
        service_name: &str,
        options: OnCircuitClose,
    ) -> Result<BatchReplayResult, ReplayError> {
        self.begin_on_circuit_close(service_name, options)?.end().await
    }

    /// Begins [`replay_on_circuit_close`](Self::replay_on_circuit_close) and returns. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Invalid`] if the options cannot be.
    pub fn start_on_circuit_close(
        &self,
        service_name: &str,
        options: OnCircuitClose,
    ) -> Result<JobId, ReplayError> {
        Ok(self.begin_on_circuit_close(service_name, options)?.id())
    }

    fn begin_batch(&self, options: BatchOptions) -> Result<Begun, ReplayError> {
        options.validate()?;
        let BatchOptions { circuit, domain, failure_type, actor, reason, .. } = options;
        let config = &self.shared.config;
        let adaptive = options.use_adaptive.unwrap_or(config.adaptive_enabled);
        let priority = options.use_priority.unwrap_or(config.priority_enabled);
        let domain = domain.filter(|_| !priority);
        let failure_types = failure_type.into_iter().collect();
        let mut job = self.new_job("replay_batch", By::new(actor, reason));
        job.filter = JobFilter { circuit, domain, failure_types };
        job.limit = if adaptive { self.shared.adaptive.get() } else { options.max_items };
        (job.adaptive, job.priority) = (adaptive, priority);
        (job.dry_run, job.rate) = (options.dry_run, options.rate);
        job.override_gate = options.override_gate;
        job.result.priority_used = priority;
        job.result.domains_processed = priority.then(Vec::new);
        Ok(self.begin(job))
    }

    fn begin_on_circuit_close(
        &self,
        service_name: &str,
        options: OnCircuitClose,
    ) -> Result<Begun, ReplayError> {
        options.validate()?;
        let own = &self.shared.config.service_failure_type_map;
        let map = options.service_failure_type_map.as_ref().unwrap_or(own);
        let failure_types = map.get(service_name).cloned().unwrap_or_default();
        let mut job = self.new_job(ON_CLOSE, options.by);
        let circuit = Some(service_name.to_owned());
        job.filter = JobFilter { circuit, domain: None, failure_types };
        job.limit = options.max_items;
        job.escalate_failures = options.escalate_failures;
        job.override_gate = options.override_gate;
        Ok(self.begin(job))
    }

    /// A job that does nothing yet.
    fn new_job(&self, action: &'static str, by: By) -> Job {
        Job {
            id: JobId(0),
            action,
            filter: JobFilter::default(),
            limit: 0,
            adaptive: false,
            priority: false,
            escalate_failures: false,
            dry_run: false,
            rate: None,
            by,
            override_gate: false,
            started_at: self.shared.clock.wall(),
            ended_at: None,
            status: JobStatus::Running,
            result: BatchReplayResult::default(),
            error: None,
        }
    }

    fn begin(&self, job: Job) -> Begun {
        let millis = u64::try_from(job.started_at.as_unix_millis()).unwrap_or_default();
        let apart = (self.shared.random.draw() * 1000.0) as u64;
        let running = self.shared.jobs.begin(job, millis * 1000 + apart);
        let (shared, mine) = (Arc::clone(&self.shared), Arc::clone(&running));
        Begun { running, task: tokio::spawn(async move { shared.run(&mine).await }) }
    }
}

const ON_CLOSE: &str = "replay_on_circuit_close";

impl Shared {
    async fn run(&self, running: &Arc<Running>) -> Result<(), StoreError> {
        let ending = Ending { jobs: &self.jobs, running, clock: &*self.clock };
        let ended = tokio::select! {
            ended = Box::pin(self.work(running)) => ended,
            () = self.watch(running) => Ok(()),
        };
        let job = ending.with(ended.as_ref().err().map(ToString::to_string));
        self.audit_end(&job).await;
        ended
    }

    async fn work(&self, running: &Arc<Running>) -> Result<(), StoreError> {
        let job = running.snapshot();
        self.audit_start(&job).await?;
        let inflight = match (job.action, &job.filter.circuit) {
            (ON_CLOSE, Some(circuit)) => {
                match self.guard(circuit, format!("{}: job {}", job.by.actor, job.id)).await {
                    Guarded::Go(inflight) => inflight,
                    Guarded::Taken => {
                        running.update(|job| job.result.inflight_skipped = true);
                        return Ok(());
                    }
                }
            }
            _ => None,
        };
        let mut sweep = Sweep::new(self, running, inflight);
        let swept = sweep.run().await;
        if let Some(inflight) = sweep.into_inflight() {
            inflight.release().await;
        }
        let done = running.snapshot().result;
        if job.adaptive && !job.dry_run {
            self.adaptive.learn(done.success_count, done.failed_count);
        }
        swept
    }
}
