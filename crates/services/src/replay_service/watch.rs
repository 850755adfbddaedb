//! What goes on beside a job: it is written down how far it is, and looked whether somebody on another node cancels it.

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::job_records::PROGRESS_EVERY;
use super::jobs::Running;
use super::service::Shared;

/// How often it is looked whether the job is to stop.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Shared {
    /// Watches a job, for as long as it is polled. What goes wrong here does not stop the job.
    pub(super) async fn watch(&self, running: &Running) {
        let mut written_at = self.clock.now();
        loop {
            sleep(LOOK_EVERY).await;
            let job = running.snapshot();
            if job.dry_run {
                continue;
            }
            match self.is_cancel_recorded(job.id).await {
                Ok(true) => {
                    self.jobs.cancel(job.id);
                }
                Ok(false) => {}
                Err(error) => warn!(%error, job = %job.id, "the audit log cannot be read"),
            }
            let now = self.clock.now();
            if now.since(written_at) >= PROGRESS_EVERY {
                written_at = now;
                self.audit_progress(&job).await;
            }
        }
    }
}
