//! What the audit log says of replays.

use fuseboard_core::letter::Status;
use fuseboard_store::{AuditEntry, By, StoreError};
use tracing::warn;

use super::job::{Job, JobId};
use super::result::ReplayResult;
use super::service::Shared;

impl Shared {
    /// A batch begins: without this record it does not.
    pub(super) async fn audit_start(&self, job: &Job) -> Result<(), StoreError> {
        if job.dry_run {
            return Ok(());
        }
        let after = format!("{}: at most {}", job.filter, job.limit);
        self.record(action_of(job, "start"), subject_of(job.id), &job.by, None, Some(after)).await
    }

    /// A batch ended. What was done is done: a record that cannot be kept is a warning.
    pub(super) async fn audit_end(&self, job: &Job) {
        if job.dry_run {
            return;
        }
        let after = Some(summary_of(job));
        let (action, subject) = (action_of(job, "end"), subject_of(job.id));
        let kept = self.record(action, subject, &job.by, Some(job.filter.to_string()), after).await;
        if let Err(error) = kept {
            warn!(%error, job = %job.id, "the end of a replay is not in the audit log");
        }
    }

    pub(super) async fn audit_cancel(&self, id: JobId, by: &By) -> Result<(), StoreError> {
        self.record("replay.cancel".to_owned(), subject_of(id), by, None, None).await
    }

    /// One letter was replayed by itself.
    pub(super) async fn audit_single(&self, before: Status, result: &ReplayResult, by: &By) {
        let subject = format!("letter/{}", result.dlq_id);
        let told = result.error.as_deref().unwrap_or(&result.message);
        let after = Some(format!("{}: {told}", result.get("status").unwrap_or("not tried")));
        let action = "replay_single".to_owned();
        let before = Some(before.to_string());
        if let Err(error) = self.record(action, subject, by, before, after).await {
            warn!(%error, letter = %result.dlq_id, "a replay is not in the audit log");
        }
    }

    async fn record(
        &self,
        action: String,
        subject: String,
        by: &By,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<(), StoreError> {
        let By { actor, reason } = by.clone();
        let at = self.clock.wall();
        let entry = AuditEntry { actor, action, subject, reason, before, after, at };
        self.letters.record(entry).await.map(|_| ())
    }
}

fn action_of(job: &Job, what: &str) -> String {
    format!("{}.{what}", job.action)
}

fn subject_of(id: JobId) -> String {
    format!("replay_job/{id}")
}

fn summary_of(job: &Job) -> String {
    let result = &job.result;
    let mut summary = format!(
        "{}: {} succeeded, {} failed, {} skipped",
        job.status, result.success_count, result.failed_count, result.skipped_count
    );
    if result.governance_blocked {
        summary += &format!("; blocked by {}", result.governance_block_reason);
    }
    if result.inflight_skipped {
        summary += "; another replay of this circuit is on its way";
    }
    if let Some(error) = &job.error {
        summary += &format!("; {error}");
    }
    summary
}
