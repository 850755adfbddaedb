//! Time as a parameter: the only file that reads a clock.
//!
//! Decisions run on a monotonic [`Moment`]; [`WallTime`] is for people and for what is kept on disk. Both come
//! from a [`Clock`] that the caller can replace, so that tests move time instead of waiting for it (the idea is
//! governor's).

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on a clock's monotonic time line, in nanoseconds since that clock's own beginning.
///
/// Moments of different clocks are not comparable. Arithmetic saturates: [`Moment::FAR`] plus anything stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The beginning of the clock's time.
    pub const ZERO: Moment = Moment(0);
    /// The end of time, 584 years after the beginning: later than anything that happens.
    pub const FAR: Moment = Moment(u64::MAX);

    /// The moment `nanos` nanoseconds after the clock's beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Moment(nanos)
    }

    /// Nanoseconds since the clock's beginning.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

/// Nanoseconds of `duration`, at most `u64::MAX`.
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A point in time as people and files know it: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// The time `millis` milliseconds after the Unix epoch (before it, if negative).
    pub const fn from_unix_millis(millis: i64) -> Self {
        WallTime(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }
}

impl Add<Duration> for WallTime {
    type Output = WallTime;

    fn add(self, duration: Duration) -> WallTime {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        WallTime(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for WallTime {
    type Output = WallTime;

    fn sub(self, duration: Duration) -> WallTime {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        WallTime(self.0.saturating_sub(millis))
    }
}

/// Where the time comes from.
///
/// An implementation must never go backwards in [`Clock::now`]; [`Clock::wall`] may jump.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The monotonic time now.
    fn now(&self) -> Moment;
    /// The wall-clock time now.
    fn wall(&self) -> WallTime;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose beginning is now.
    pub fn new() -> Self {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.origin.elapsed()
    }

    fn wall(&self) -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime::default() + since_epoch
    }
}

/// A clock that stands still until it is moved: for tests, ours and yours.
///
/// ```
/// use fuseboard_core::time::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at [`Moment::ZERO`], and at the Unix epoch.
    pub fn new() -> Self {
        ManualClock::default()
    }

    /// Moves the clock forward by `duration`, for everyone who shares it.
    pub fn advance(&self, duration: Duration) {
        self.nanos.fetch_add(saturating_nanos(duration), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.nanos.load(Ordering::SeqCst))
    }

    fn wall(&self) -> WallTime {
        WallTime::default() + Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }
}
