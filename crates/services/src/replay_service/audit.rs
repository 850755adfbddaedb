//! What the audit log says of replays.

use fuseboard_core::letter::Status;
use fuseboard_store::{AuditEntry, By, StoreError};
use tracing::warn;

use super::job::{Job, JobId};
use super::job_records::{CANCEL, plan_of, progress_of, subject_of};
use super::result::ReplayResult;
use super::service::Shared;

impl Shared {
    /// A batch begins: without this record it does not.
    pub(super) async fn audit_start(&self, job: &Job) -> Result<(), StoreError> {
        if job.dry_run {
            return Ok(());
        }
        let (action, subject, after) = (action_of(job, "start"), subject_of(job.id), plan_of(job));
        self.record(action, subject, &job.by, None, Some(after)).await
    }

    /// A batch goes on.
    pub(super) async fn audit_progress(&self, job: &Job) {
        let (action, subject) = (action_of(job, "progress"), subject_of(job.id));
        let kept = self.record(action, subject, &job.by, None, Some(progress_of(job))).await;
        if let Err(error) = kept {
            warn!(%error, job = %job.id, "how far a replay is, is not in the audit log");
        }
    }

    /// A batch ended. What was done is done: a record that cannot be kept is a warning.
    pub(super) async fn audit_end(&self, job: &Job) {
        if job.dry_run {
            return;
        }
        let (action, subject) = (action_of(job, "end"), subject_of(job.id));
        let kept = self.record(action, subject, &job.by, None, Some(progress_of(job))).await;
        if let Err(error) = kept {
            warn!(%error, job = %job.id, "the end of a replay is not in the audit log");
        }
    }

    pub(super) async fn audit_cancel(&self, id: JobId, by: &By) -> Result<(), StoreError> {
        self.record(CANCEL.to_owned(), subject_of(id), by, None, None).await
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
