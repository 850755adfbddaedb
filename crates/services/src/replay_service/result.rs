//! What a replay came to, and what a batch of them came to.

use std::collections::BTreeMap;

use fuseboard_store::LetterId;

use crate::governance::GovernanceCheckResult;

/// What the replay of one letter came to.
///
/// ```
/// use fuseboard_services::replay_service::ReplayResult;
/// use fuseboard_store::LetterId;
///
/// let failed = ReplayResult::failed(LetterId(7), "answered 503");
/// assert_eq!((failed.success, failed.error.as_deref()), (false, Some("answered 503")));
/// let skipped = ReplayResult::skipped_result(LetterId(8), "resolved already");
/// assert!(skipped.success && skipped.skipped);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayResult {
    /// Whether the letter's work is done.
    pub success: bool,
    /// Which letter.
    pub dlq_id: LetterId,
    /// What happened, for people.
    pub message: String,
    /// Why it is not done.
    pub error: Option<String>,
    /// What more is known, by name: `status`, `attempts`, `answer`, `blocked`, `block_reason`, `skip_reason`.
    pub data: Option<BTreeMap<String, String>>,
    /// Whether nobody tried, because it was done already or could not be tried.
    pub skipped: bool,
}

impl ReplayResult {
    /// It was done.
    pub fn succeeded(dlq_id: LetterId, message: impl Into<String>) -> Self {
        let message = message.into();
        ReplayResult { success: true, dlq_id, message, error: None, data: None, skipped: false }
    }

    /// It was not done, because of `error`.
    pub fn failed(dlq_id: LetterId, error: impl Into<String>) -> Self {
        let (message, error) = (String::new(), Some(error.into()));
        ReplayResult { success: false, dlq_id, message, error, data: None, skipped: false }
    }

    /// Nobody tried because there is nothing to do: it was done before.
    pub fn skipped_result(dlq_id: LetterId, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let skipped = ReplayResult { skipped: true, ..ReplayResult::succeeded(dlq_id, &reason) };
        skipped.with("skip_reason", reason)
    }

    /// Nobody tried, and it is still to be done: the circuit is open, the letter is due later, or somebody else has it.
    pub fn not_tried(dlq_id: LetterId, reason: impl Into<String>) -> Self {
        ReplayResult { success: false, ..ReplayResult::skipped_result(dlq_id, reason) }
    }

    /// The gate is closed.
    pub fn blocked(dlq_id: LetterId, governance_result: &GovernanceCheckResult) -> Self {
        let blocked = ReplayResult::failed(dlq_id, &governance_result.message);
        blocked.with("blocked", "true").with("block_reason", governance_result.block_reason())
    }

    /// Adds something to [`data`](Self::data).
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.data.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Something of [`data`](Self::data).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.data.as_ref()?.get(name).map(String::as_str)
    }
}

/// What a batch came to. `total` is always the sum of the three counts, and the number of `results`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReplayResult {
    /// Letters that the batch met.
    pub total: usize,
    /// Of these, letters that are done.
    pub success_count: usize,
    /// Letters that were tried and are not done, and those that went to review untried because they were tried too often.
    pub failed_count: usize,
    /// Letters that nobody tried: those left when the circuit opened, those without a handler, all of a dry run.
    pub skipped_count: usize,
    /// One for each letter, in the order in which they went.
    pub results: Vec<ReplayResult>,
    /// Whether the gate kept letters from being replayed: all, or from some point on, or those of one circuit.
    pub governance_blocked: bool,
    /// What kept it closed: `kill_switch`, `emergency_level`, `error_budget` or `unread`; otherwise empty.
    pub governance_block_reason: String,
    /// Whether nothing was done, or nothing more, because another replay of this circuit is on its way.
    pub inflight_skipped: bool,
    /// Whether the most urgent letters went first.
    pub priority_used: bool,
    /// The domains of the letters, in the order in which they came up; only if `priority_used`.
    pub domains_processed: Option<Vec<String>>,
}

impl BatchReplayResult {
    /// Adds what one letter came to.
    pub(super) fn add(&mut self, result: ReplayResult) {
        self.total += 1;
        match (result.skipped, result.success) {
            (true, _) => self.skipped_count += 1,
            (false, true) => self.success_count += 1,
            (false, false) => self.failed_count += 1,
        }
        self.results.push(result);
    }

    /// Notes a letter's domain.
    pub(super) fn meet(&mut self, domain: &str) {
        if let Some(domains) = &mut self.domains_processed
            && !domains.iter().any(|known| known == domain)
        {
            domains.push(domain.to_owned());
        }
    }

    /// Notes that the gate is closed.
    pub(super) fn block(&mut self, governance_result: &GovernanceCheckResult) {
        self.governance_blocked = true;
        self.governance_block_reason = governance_result.block_reason().to_owned();
    }
}
