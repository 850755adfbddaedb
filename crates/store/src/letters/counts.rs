//! How many letters there are and were.

use std::collections::BTreeMap;

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;

/// How many letters there are and were: in all, and per circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Every circuit that ever had a letter.
    pub circuits: BTreeMap<String, CircuitCounts>,
    /// Letters ever captured.
    pub captured: u64,
    /// Letters ever purged.
    pub purged: u64,
}

impl Counts {
    /// Letters in `status`, over all circuits.
    pub fn of(&self, status: Status) -> u64 {
        self.circuits.values().map(|circuit| circuit.of(status)).sum()
    }
}

/// How many letters one circuit has and had: `captured` is the sum of all statuses and `purged`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitCounts {
    /// Letters in each status; every status has an entry.
    pub by_status: BTreeMap<Status, u64>,
    /// Letters ever captured.
    pub captured: u64,
    /// Letters ever purged.
    pub purged: u64,
    /// When the pending letter with the lowest number was captured.
    pub oldest_pending: Option<WallTime>,
}

impl CircuitCounts {
    /// Letters in `status`.
    pub fn of(&self, status: Status) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }
}

impl Default for CircuitCounts {
    fn default() -> Self {
        let by_status = Status::ALL.into_iter().map(|status| (status, 0)).collect();
        CircuitCounts { by_status, captured: 0, purged: 0, oldest_pending: None }
    }
}
