//! The rate limit of one circuit's replay: starts are spaced evenly, whoever makes them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fuseboard_core::time::Moment;

/// Hands out starts, `1 / rate` seconds apart.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Mutex<Moment>,
}

impl Pace {
    /// A pace of `rate` starts per second; without a limit if that is not above zero.
    pub(crate) fn new(rate: f64) -> Self {
        let gap = if rate > 0.0 { 1.0 / rate } else { 0.0 };
        let gap = Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX);
        Pace { gap, next: Mutex::new(Moment::ZERO) }
    }

    /// Takes the next start, if its time has come; or how long to wait. A start that is late does not delay the next.
    pub(crate) fn take(&self, now: Moment) -> Result<(), Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if *next > now {
            return Err(next.since(now));
        }
        *next = (*next).max(now - self.gap) + self.gap;
        Ok(())
    }
}
