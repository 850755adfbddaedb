//! A batch as others see it: a job.

use std::fmt;

use fuseboard_core::time::WallTime;
use fuseboard_store::By;

use super::result::BatchReplayResult;

/// A job's number: the time at which it began, in milliseconds, and three digits that keep the jobs of several nodes apart. Of
/// one service, the later job has the larger number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which letters a job is about.
///
/// ```
/// use fuseboard_services::replay_service::JobFilter;
///
/// assert_eq!(JobFilter::default().to_string(), "all letters");
/// let filter = JobFilter { circuit: Some("payments".to_owned()), ..JobFilter::default() };
/// assert_eq!(filter.to_string(), "letters of circuit payments");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only of this circuit.
    pub circuit: Option<String>,
    /// Only of this domain.
    pub domain: Option<String>,
    /// Only captured for one of these reasons; for any if it is empty.
    pub failure_types: Vec<String>,
}

impl fmt::Display for JobFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let circuit = self.circuit.as_ref().map(|circuit| format!("circuit {circuit}"));
        let domain = self.domain.as_ref().map(|domain| format!("domain {domain}"));
        let failures = (!self.failure_types.is_empty())
            .then(|| format!("failure type {}", self.failure_types.join(" or ")));
        let parts: Vec<_> = [circuit, domain, failures].into_iter().flatten().collect();
        match parts.is_empty() {
            true => f.write_str("all letters"),
            false => write!(f, "letters of {}", parts.join(", ")),
        }
    }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// It goes on.
    Running,
    /// It went through. That says nothing of its letters.
    Done,
    /// Somebody stopped it.
    Canceled,
    /// It broke off: [`Job::error`] says why.
    Failed,
    /// Its process ended, or its task did, and the job with it; what it came to is what was last written down.
    Interrupted,
}

impl JobStatus {
    /// The word for it in APIs and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Running => "running",
            JobStatus::Done => "done",
            JobStatus::Canceled => "canceled",
            JobStatus::Failed => "failed",
            JobStatus::Interrupted => "interrupted",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [
            JobStatus::Running,
            JobStatus::Done,
            JobStatus::Canceled,
            JobStatus::Failed,
            JobStatus::Interrupted,
        ];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A batch: what it is to do, who wants it, how far it is, how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does: `replay_batch` or `replay_on_circuit_close`.
    pub action: &'static str,
    /// Which letters it is about.
    pub filter: JobFilter,
    /// At most this many letters. Its progress is `result.total` of these.
    pub limit: usize,
    /// Whether it chose its size by itself.
    pub adaptive: bool,
    /// Whether the most urgent letters go first.
    pub priority: bool,
    /// Whether letters that fail wait for a person.
    pub escalate_failures: bool,
    /// Whether it does nothing but tell.
    pub dry_run: bool,
    /// Letters begun per second, at most.
    pub rate: Option<f64>,
    /// Who wants it, and why.
    pub by: By,
    /// Whether it goes on although the gate is closed.
    pub override_gate: bool,
    /// When it began.
    pub started_at: WallTime,
    /// When it ended.
    pub ended_at: Option<WallTime>,
    /// Where it is.
    pub status: JobStatus,
    /// What it came to, so far or in the end. Of a job that this process did not run, or has forgotten, the sums are known and the
    /// single results are not.
    pub result: BatchReplayResult,
    /// Why it broke off.
    pub error: Option<String>,
}

impl Job {
    /// Letters that the job may still meet.
    pub fn left(&self) -> usize {
        self.limit.saturating_sub(self.result.total)
    }
}
