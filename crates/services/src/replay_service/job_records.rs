//! Jobs in the audit log: how one is written down, and how it is read again, by this process or another.
//!
//! A job has a record of its beginning, one of its end, and in between one of its progress every half minute. So the records
//! cost what the audit log costs, go with its retention, and outlive the process: a job without an end of which nothing was
//! heard for a while was interrupted.

use std::time::Duration;

use fuseboard_core::time::WallTime;
use fuseboard_store::{AuditEntry, AuditQuery, AuditRecord, By, StoreError};
use serde_json::{Value, json};

use super::job::{Job, JobFilter, JobId, JobStatus};
use super::result::BatchReplayResult;
use super::service::Shared;

/// How often a job that runs is written down.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(30);
/// A job of which nothing was heard for so long does not run any more.
const SILENT: Duration = Duration::from_secs(90);
/// Records of one job that are read: the newest, which are its end or its progress, and who canceled it.
const NEWEST: usize = 4;

pub(super) const ACTIONS: [&str; 2] = ["replay_batch", "replay_on_circuit_close"];
pub(super) const CANCEL: &str = "replay.cancel";

/// What the record of the beginning says: what the job is to do.
pub(super) fn plan_of(job: &Job) -> String {
    let JobFilter { circuit, domain, failure_types } = &job.filter;
    let plan = json!({
        "what": job.filter.to_string(),
        "circuit": circuit,
        "domain": domain,
        "failure_types": failure_types,
        "limit": job.limit,
        "adaptive": job.adaptive,
        "priority": job.priority,
        "escalate_failures": job.escalate_failures,
        "rate": job.rate,
        "override": job.override_gate,
    });
    plan.to_string()
}

/// What the records of its progress and of its end say: how far it is.
pub(super) fn progress_of(job: &Job) -> String {
    let result = &job.result;
    let progress = json!({
        "status": job.status.as_str(),
        "total": result.total,
        "succeeded": result.success_count,
        "failed": result.failed_count,
        "skipped": result.skipped_count,
        "blocked_by": result.governance_block_reason,
        "inflight_skipped": result.inflight_skipped,
        "error": job.error,
    });
    progress.to_string()
}

pub(super) fn subject_of(id: JobId) -> String {
    format!("replay_job/{id}")
}

/// The job that a record of a beginning is about; `None` if it is no such record.
fn planned(entry: &AuditEntry) -> Option<Job> {
    let id = JobId(entry.subject.strip_prefix("replay_job/")?.parse().ok()?);
    let action = entry.action.strip_suffix(".start")?;
    let action = ACTIONS.into_iter().find(|known| *known == action)?;
    let plan = read(entry);
    let word = |name: &str| plan[name].as_str().map(ToOwned::to_owned);
    let is = |name: &str| plan[name].as_bool().unwrap_or_default();
    let failure_types = plan["failure_types"].as_array().into_iter().flatten();
    let failure_types = failure_types.filter_map(|one| Some(one.as_str()?.to_owned())).collect();
    Some(Job {
        id,
        action,
        filter: JobFilter { circuit: word("circuit"), domain: word("domain"), failure_types },
        limit: number(&plan["limit"]),
        adaptive: is("adaptive"),
        priority: is("priority"),
        escalate_failures: is("escalate_failures"),
        dry_run: false,
        rate: plan["rate"].as_f64(),
        by: By::new(&entry.actor, &entry.reason),
        override_gate: is("override"),
        started_at: entry.at,
        ended_at: None,
        status: JobStatus::Running,
        result: BatchReplayResult { priority_used: is("priority"), ..BatchReplayResult::default() },
        error: None,
    })
}

/// Takes over what the newest record of a job's progress or end says.
fn take_progress(job: &mut Job, newest: &AuditEntry, now: WallTime) {
    let progress = read(newest);
    let reason = progress["blocked_by"].as_str().unwrap_or_default().to_owned();
    job.result.total = number(&progress["total"]);
    job.result.success_count = number(&progress["succeeded"]);
    job.result.failed_count = number(&progress["failed"]);
    job.result.skipped_count = number(&progress["skipped"]);
    job.result.governance_blocked = !reason.is_empty();
    job.result.governance_block_reason = reason;
    job.result.inflight_skipped = progress["inflight_skipped"].as_bool().unwrap_or_default();
    if newest.action.ends_with(".end") {
        let status = progress["status"].as_str().and_then(JobStatus::from_word);
        job.status = status.unwrap_or(JobStatus::Done);
        job.error = progress["error"].as_str().map(ToOwned::to_owned);
        job.ended_at = Some(newest.at);
    } else if now.since(newest.at) > SILENT {
        job.status = JobStatus::Interrupted;
        job.error = Some("nothing was heard of it any more: its process ended".to_owned());
        job.ended_at = Some(newest.at);
    }
}

fn read(entry: &AuditEntry) -> Value {
    let after = entry.after.as_deref().unwrap_or_default();
    serde_json::from_str(after).unwrap_or_default()
}

fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

impl Shared {
    /// The latest jobs in the audit log, the newest first.
    pub(super) async fn recorded_jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        let mut jobs = Vec::new();
        for action in ACTIONS {
            let action = Some(format!("{action}.start"));
            let query = AuditQuery { action, limit, ..AuditQuery::default() };
            let records = self.letters.records(query).await?;
            jobs.extend(records.iter().filter_map(|record| planned(&record.entry)));
        }
        jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
        jobs.truncate(limit);
        for job in &mut jobs {
            self.read_progress(job).await?;
        }
        Ok(jobs)
    }

    /// One job in the audit log.
    pub(super) async fn recorded_job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        for action in ACTIONS {
            let (action, subject) = (Some(format!("{action}.start")), Some(subject_of(id)));
            let query = AuditQuery { action, subject, limit: 1, ..AuditQuery::default() };
            let record = self.letters.records(query).await?.pop();
            if let Some(mut job) = record.and_then(|record| planned(&record.entry)) {
                self.read_progress(&mut job).await?;
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    async fn read_progress(&self, job: &mut Job) -> Result<(), StoreError> {
        let subject = Some(subject_of(job.id));
        let query = AuditQuery { subject, limit: NEWEST, ..AuditQuery::default() };
        let records = self.letters.records(query).await?;
        let told = |record: &&AuditRecord| record.entry.action != CANCEL;
        if let Some(newest) = records.iter().find(told) {
            take_progress(job, &newest.entry, self.clock.wall());
        }
        Ok(())
    }

    /// Whether somebody, on whatever node, wants that job to stop.
    pub(super) async fn is_cancel_recorded(&self, id: JobId) -> Result<bool, StoreError> {
        let (action, subject) = (Some(CANCEL.to_owned()), Some(subject_of(id)));
        let query = AuditQuery { action, subject, limit: 1, ..AuditQuery::default() };
        Ok(!self.letters.records(query).await?.is_empty())
    }
}
