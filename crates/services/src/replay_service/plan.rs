//! Which letters would go next: for dry runs, and for those that are left when a circuit opens.

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    ClaimFilter, ClaimOrder, LetterId, LetterSummary, Priority, Query, StoreError,
};

use super::job::{Job, JobFilter};
use super::service::Shared;

/// Letters that are read at once.
const PAGE: usize = 256;
/// Pages that are read of one circuit: a look at a long queue must end.
const PAGES: usize = 64;
/// Letters that are read to see whether any is due.
const GLANCE: usize = 32;

impl JobFilter {
    /// What to claim.
    pub(super) fn to_claim(&self, priority: bool) -> ClaimFilter {
        ClaimFilter {
            domain: self.domain.clone(),
            failures: self.failure_types.clone(),
            order: if priority { ClaimOrder::Priority } else { ClaimOrder::Due },
            ..ClaimFilter::default()
        }
    }

    fn to_look_at(&self, circuit: &str, priority: Option<Priority>) -> Query {
        let failure = match &self.failure_types[..] {
            [one] => Some(one.clone()),
            _ => None,
        };
        Query {
            circuit: Some(circuit.to_owned()),
            status: Some(Status::Pending),
            domain: self.domain.clone(),
            failure,
            priority,
            limit: PAGE,
            ..Query::default()
        }
    }

    fn may_go(&self, letter: &LetterSummary, now: WallTime) -> bool {
        let failures = &self.failure_types;
        let wanted = failures.is_empty() || failures.contains(&letter.failure);
        wanted && letter.life.not_before <= now && letter.blocked_by.is_none()
    }
}

impl Shared {
    /// Whether the circuit may have letters of that priority that are due: where a short look does not tell, yes.
    pub(super) async fn may_have_due(
        &self,
        filter: &JobFilter,
        circuit: &str,
        priority: Priority,
    ) -> Result<bool, StoreError> {
        let query = Query { limit: GLANCE, ..filter.to_look_at(circuit, Some(priority)) };
        let (page, now) = (self.letters.list(query).await?, self.clock.wall());
        Ok(page.len() == GLANCE || page.iter().any(|letter| filter.may_go(letter, now)))
    }

    /// Up to `limit` letters that are due, oldest first, the most urgent before the others where the job says so. Of each
    /// circuit, the first 16,384 that wait are looked at.
    pub(super) async fn due(
        &self,
        job: &Job,
        circuits: &[String],
        limit: usize,
    ) -> Result<Vec<LetterSummary>, StoreError> {
        let levels: &[Option<Priority>] = match job.priority {
            true => &[Some(Priority::Critical), Some(Priority::Normal), Some(Priority::Low)],
            false => &[None],
        };
        let mut due = Vec::new();
        for level in levels {
            for circuit in circuits {
                let query = job.filter.to_look_at(circuit, *level);
                self.add_due(&job.filter, query, limit, &mut due).await?;
            }
        }
        Ok(due)
    }

    async fn add_due(
        &self,
        filter: &JobFilter,
        query: Query,
        limit: usize,
        due: &mut Vec<LetterSummary>,
    ) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let mut after: Option<LetterId> = None;
        for _ in 0..PAGES {
            if due.len() >= limit {
                break;
            }
            let page = self.letters.list(Query { after, ..query.clone() }).await?;
            after = page.last().map(|letter| letter.id);
            let whole = page.len() == PAGE;
            due.extend(
                page.into_iter()
                    .filter(|letter| filter.may_go(letter, now))
                    .take(limit - due.len()),
            );
            if !whole {
                break;
            }
        }
        Ok(())
    }
}
