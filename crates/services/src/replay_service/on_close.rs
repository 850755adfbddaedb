//! One replay per circuit at a time: the row that says that one is on its way.

use std::time::Duration;

use fuseboard_core::time::WallTime;
use fuseboard_store::{Acquired, Lease, StoreError};
use tracing::warn;

use super::service::Shared;

/// How long the row stays behind a process that died, beyond the time of two deliveries.
const STAYS: Duration = Duration::from_secs(300);

/// The row, as long as it is ours.
pub(super) struct Inflight<'a> {
    shared: &'a Shared,
    lease: Lease,
}

/// What became of the attempt to get the row.
pub(super) enum Guarded<'a> {
    /// It is ours; or it cannot be had because its store does not answer: the letters' own leases hold all the same.
    Go(Option<Inflight<'a>>),
    /// Another replay of the circuit is on its way.
    Taken,
}

impl Shared {
    fn stays(&self) -> Duration {
        self.config.delivery_timeout * 2 + STAYS
    }

    /// Takes the circuit's row.
    pub(super) async fn guard(&self, circuit: &str, holder: String) -> Guarded<'_> {
        let name = format!("replay/on_close/{circuit}");
        let acquired = self.leases.acquire(name, holder, self.stays(), self.clock.wall()).await;
        match acquired {
            Ok(Acquired::Mine(lease)) => Guarded::Go(Some(Inflight { shared: self, lease })),
            Ok(Acquired::Taken(_)) => Guarded::Taken,
            Err(error) => {
                warn!(%circuit, %error, "nothing keeps a second replay of the circuit from starting");
                Guarded::Go(None)
            }
        }
    }
}

impl Inflight<'_> {
    /// Keeps the row when its time runs out; `false` if somebody else has it.
    pub(super) async fn keep(&mut self) -> bool {
        let (now, stays): (WallTime, _) = (self.shared.clock.wall(), self.shared.stays());
        if self.lease.until.since(now) > stays / 2 {
            return true;
        }
        let Lease { name, fence, .. } = self.lease.clone();
        match self.shared.leases.renew(name, fence, stays, now).await {
            Ok(lease) => {
                self.lease = lease;
                true
            }
            Err(StoreError::LeaseLost { .. }) => false,
            Err(error) => {
                warn!(lease = %self.lease.name, %error, "a replay's row could not be renewed");
                true
            }
        }
    }

    /// Gives the row back; if that fails, it ends by itself.
    pub(super) async fn release(self) {
        let Lease { name, fence, .. } = self.lease;
        if let Err(error) = self.shared.leases.release(name, fence).await {
            warn!(%error, "a replay's row could not be given back; it ends by itself");
        }
    }
}
