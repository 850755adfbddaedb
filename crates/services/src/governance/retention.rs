//! Retention of the audit log: old records are forgotten, in small steps that keep nobody waiting.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_store::Letters;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often old records are looked for.
const EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one step.
const STEP: usize = 500;

/// Removes audit records that are older than `keep`, now and every minute, for ever.
///
/// # Cancel safety
///
/// May be dropped at any time.
pub async fn run(letters: Arc<dyn Letters>, clock: Arc<dyn Clock>, keep: Duration) {
    loop {
        match letters.purge_records(clock.wall() - keep, STEP).await {
            Ok(0) => sleep(EVERY).await,
            Ok(purged) => info!(purged, "old audit records were forgotten"),
            Err(error) => {
                warn!(%error, "old audit records could not be forgotten");
                sleep(EVERY).await;
            }
        }
    }
}
