//! Tallies are added to by inserting rows, so that no two transactions wait for one another; here they become few again.
//!
//! A row that everybody updates would also gather dead versions, all of which the next update has to pass over, for as
//! long as somebody's long transaction keeps them from being vacuumed.

use super::fault::Fault;
use super::pool::{Errand, Visit};

const FOLD: &str = "
WITH gone AS (
    DELETE FROM tallies
    WHERE id = ANY(ARRAY(SELECT id FROM tallies ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED)) RETURNING *
)
INSERT INTO tallies (circuit, captured, purged, pending, replaying, requires_review, resolved, discarded, expired)
SELECT circuit, SUM(captured), SUM(purged), SUM(pending), SUM(replaying), SUM(requires_review), SUM(resolved),
    SUM(discarded), SUM(expired) FROM gone GROUP BY circuit";

pub(crate) const STATEMENTS: &[&str] = &[FOLD];

/// Folds the tallies into one row a circuit.
pub(crate) struct Fold;

impl Errand for Fold {
    type Answer = ();

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<(), Fault> {
        Ok(visit.session.run(FOLD, &[]).await.map(drop)?)
    }
}
