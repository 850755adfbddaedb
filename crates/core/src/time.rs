//! Time as a parameter: the only file that reads a clock.
//!
//! Decisions run on a monotonic [`Moment`]; [`WallTime`] is for people and for what is kept on disk. Both come
//! from a [`Clock`] that the caller can replace, so that tests move time instead of waiting for it (the idea is
//! governor's).

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

    /// The moment `nanos` nanoseconds after this.
    #[inline]
    pub(crate) const fn later(self, nanos: u64) -> Self {
        Moment(self.0.saturating_add(nanos))
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

    /// A moment that is not after now, and at most [`lag`](Clock::lag) before it: cheaper where a clock has such a thing.
    /// Where a decision is that far from its edge, it is exact at this price. By default, now.
    fn coarse(&self) -> Moment {
        self.now()
    }

    /// How far [`coarse`](Clock::coarse) may lag behind. It must always be the same. By default not at all.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

/// The operating system's clocks.
///
/// On Linux the coarse time is that of the last timer tick (`CLOCK_MONOTONIC_COARSE`), a few milliseconds old at most.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: system::Reading,
    lag: Duration,
}

impl SystemClock {
    /// A clock whose beginning is now.
    pub fn new() -> Self {
        SystemClock { origin: system::precise(), lag: system::lag() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(system::nanos_between(self.origin, system::precise()))
    }

    fn wall(&self) -> WallTime {
        system::wall()
    }

    fn coarse(&self) -> Moment {
        Moment(system::nanos_between(self.origin, system::coarse()))
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// Readings of Linux's monotonic clocks, which share one time line.
#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    use super::WallTime;

    /// Nanoseconds since the machine started: good for 292 years.
    pub(super) type Reading = i64;

    #[inline]
    fn nanos(at: Timespec) -> Reading {
        at.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(at.tv_nsec)
    }

    pub(super) fn precise() -> Reading {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    pub(super) fn coarse() -> Reading {
        nanos(clock_gettime(ClockId::MonotonicCoarse))
    }

    /// People read it, so the time of the last tick is good enough, and cheap.
    pub(super) fn wall() -> WallTime {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        let millis = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
        WallTime::from_unix_millis(millis)
    }

    /// Two ticks: a tick that comes late makes the clock lag for longer than one.
    pub(super) fn lag() -> Duration {
        let tick = nanos(clock_getres(ClockId::MonotonicCoarse));
        Duration::from_nanos(2 * nanos_between(0, tick))
    }

    /// Nanoseconds from `earlier` to `later`; zero if that was not later.
    #[inline]
    pub(super) fn nanos_between(earlier: Reading, later: Reading) -> u64 {
        later.wrapping_sub(earlier).max(0).unsigned_abs()
    }
}

#[cfg(not(target_os = "linux"))]
use portable as system;

/// Readings of the standard library's monotonic clock, which is precise only.
#[cfg(not(target_os = "linux"))]
mod portable {
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use super::WallTime;

    pub(super) type Reading = Instant;

    pub(super) fn wall() -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime::default() + since_epoch
    }

    pub(super) fn precise() -> Reading {
        Instant::now()
    }

    pub(super) fn coarse() -> Reading {
        Instant::now()
    }

    pub(super) fn lag() -> Duration {
        Duration::ZERO
    }

    pub(super) fn nanos_between(earlier: Reading, later: Reading) -> u64 {
        super::saturating_nanos(later.saturating_duration_since(earlier))
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

    /// Moves the clock forward by `duration`, for everyone who shares it; never beyond [`Moment::FAR`].
    pub fn advance(&self, duration: Duration) {
        let later = |nanos: u64| Some(nanos.saturating_add(saturating_nanos(duration)));
        let _ = self.nanos.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
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
