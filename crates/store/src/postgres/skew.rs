//! The server's clock as the one that counts: how far a node's clock is from it.

use std::sync::atomic::{AtomicI64, Ordering};

use fuseboard_core::time::WallTime;

/// Clocks that are this close are taken to agree, so that an answer's last digits do not tremble.
const TOLERATED: u64 = 100;

/// What is added to this node's time to get the server's, in milliseconds.
///
/// Callers bring their own `now`. All times in the database are the server's; they are translated on their way in and
/// out, so that a node whose clock is wrong neither ends another's lease early nor leaves due letters lying.
#[derive(Debug, Default)]
pub(crate) struct Skew(AtomicI64);

/// The skew for the length of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset(i64);

impl Skew {
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.0.load(Ordering::Relaxed))
    }

    /// Takes in that the server's clock read `server` between `before` and `after` by ours. The last measure is kept as
    /// long as this one agrees with it.
    pub(crate) fn measured(&self, before: WallTime, server: i64, after: WallTime) {
        let round_trip = after.since(before);
        let ours = before + round_trip / 2;
        let offset = server.saturating_sub(ours.as_unix_millis());
        let doubt = u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX) / 2 + 1;
        if offset.abs_diff(self.0.load(Ordering::Relaxed)) > TOLERATED.max(doubt) {
            self.0.store(offset, Ordering::Relaxed);
        }
    }
}

impl Offset {
    /// The server's time for ours.
    pub(crate) fn stored(self, ours: WallTime) -> i64 {
        ours.as_unix_millis().saturating_add(self.0)
    }

    /// Our time for the server's.
    pub(crate) fn ours(self, stored: i64) -> WallTime {
        WallTime::from_unix_millis(stored.saturating_sub(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_counts_only_beyond_its_doubt() {
        let at = WallTime::from_unix_millis;
        let table = [
            // before, server, after, and the offset then
            (1_000, 1_090, 1_010, 0),
            (1_000, 61_005, 1_010, 60_000),
            (2_000, 62_050, 2_000, 60_000),
            // A round trip of 10 s tells nothing of a second.
            (2_000, 66_000, 12_000, 60_000),
            (2_000, 2_000, 2_000, 0),
        ];
        let skew = Skew::default();
        for (before, server, after, offset) in table {
            skew.measured(at(before), server, at(after));
            assert_eq!(skew.offset().0, offset, "{before} {server} {after}");
        }
    }
}
