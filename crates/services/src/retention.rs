//! Retention: finished letters are forgotten after a while, in small steps that keep nobody waiting.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_store::Letters;
use tokio::time::sleep;
use tracing::{info, warn};

/// How often finished letters are looked for.
const EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one step.
const STEP: usize = 500;

/// Removes letters that have been finished for longer than `keep`, now and every minute, for ever.
///
/// # Cancel safety
///
/// May be dropped at any time.
pub async fn run(letters: Arc<dyn Letters>, clock: Arc<dyn Clock>, keep: Duration) {
    loop {
        match letters.purge(clock.wall() - keep, STEP).await {
            Ok(0) => sleep(EVERY).await,
            Ok(purged) => info!(purged, "finished letters were forgotten"),
            Err(error) => {
                warn!(%error, "finished letters could not be forgotten");
                sleep(EVERY).await;
            }
        }
    }
}
