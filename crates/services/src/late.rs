//! Letters past their SLA deadline: they are told, and raised in priority where that is wanted.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_store::{Late, Letters, Priority, StoreError};
use tokio::time::sleep;
use tracing::{info, warn};

/// How often late letters are looked for.
const EVERY: Duration = Duration::from_secs(60);
/// How many are raised in one step.
const STEP: usize = 500;

/// Gives letters that are past their SLA deadline the priority `to` if they have a lower one, now and every minute, for ever; if
/// it is `None`, only tells of them. They are told by circuit and domain whenever their number has changed;
/// [`Letters::late`] has it for those who show it. A letter that was raised goes before less urgent ones in continuous replay
/// and in batches by priority.
///
/// # Cancel safety
///
/// May be dropped at any time.
pub async fn run(letters: Arc<dyn Letters>, clock: Arc<dyn Clock>, to: Option<Priority>) {
    let mut told = Vec::new();
    loop {
        if let Err(error) = look(&*letters, &*clock, to, &mut told).await {
            warn!(%error, "late letters could not be looked for");
        }
        sleep(EVERY).await;
    }
}

async fn look(
    letters: &dyn Letters,
    clock: &dyn Clock,
    to: Option<Priority>,
    told: &mut Vec<Late>,
) -> Result<(), StoreError> {
    let now = clock.wall();
    let late = letters.late(now).await?;
    if late != *told {
        for late in &late {
            let Late { circuit, domain, letters } = late;
            warn!(circuit, domain, letters, "letters are past their SLA deadline");
        }
        *told = late;
    }
    let Some(to) = to else { return Ok(()) };
    loop {
        match letters.raise_late(to, now, STEP).await? {
            0 => return Ok(()),
            raised => info!(raised, %to, "late letters are more urgent now"),
        }
    }
}
