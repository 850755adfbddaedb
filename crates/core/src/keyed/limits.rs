//! How many keys may have a circuit at once, and for how long one that nobody uses keeps it.

use std::time::Duration;

use super::name;
use crate::error::{BuildError, InvalidName};
use crate::policy::InvalidPolicy;
use crate::text::format_duration;

const LARGEST_CAPACITY: usize = 1_000_000;
/// Below this number of keys to a shard, chance would fill one long before the others.
const LEAST_SHARE: usize = 512;
const MOST_SHARDS: usize = 64;

/// The bounds of a [`Keyed`](super::Keyed): by default 10 000 keys, and an hour.
///
/// ```
/// use fuseboard_core::KeyedLimits;
/// use std::time::Duration;
///
/// let limits = KeyedLimits::default().capacity(500).idle_after(Duration::from_secs(600));
/// assert_ne!(limits, KeyedLimits::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedLimits {
    capacity: usize,
    idle_after: Option<Duration>,
}

impl Default for KeyedLimits {
    fn default() -> Self {
        KeyedLimits { capacity: 10_000, idle_after: Some(Duration::from_secs(3600)) }
    }
}

impl KeyedLimits {
    /// Sets how many keys may have a circuit at once, 1 to 1 000 000; by default 10 000. Choose more than will ever be
    /// open at the same time.
    ///
    /// A capacity from 1024 on is divided among several locks, each with its share, and a share fills up by chance a
    /// little before the others: forgetting begins somewhat below the capacity.
    #[must_use]
    pub fn capacity(mut self, keys: usize) -> Self {
        self.capacity = keys;
        self
    }

    /// Sets after how long without use a closed circuit is forgotten, also while there is room, and with what its window
    /// holds; by default an hour. A key that fails more seldom than this never opens its circuit.
    #[must_use]
    pub fn idle_after(mut self, duration: Duration) -> Self {
        self.idle_after = Some(duration);
        self
    }

    /// Keeps what nobody uses until its place is needed. Then looking a circuit up reads no clock.
    #[must_use]
    pub fn never_idle(mut self) -> Self {
        self.idle_after = None;
        self
    }

    pub(super) fn validate(self, name: &str) -> Result<(), BuildError> {
        InvalidName::check(name)?;
        InvalidName::check(&name::longest(name))?;
        if !(1..=LARGEST_CAPACITY).contains(&self.capacity) {
            let expected = "a number of keys from 1 to 1000000";
            return Err(InvalidPolicy::new("capacity", self.capacity, expected).into());
        }
        match self.idle_after {
            Some(Duration::ZERO) => {
                Err(InvalidPolicy::new("idle_after", "0s", "a duration above zero").into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn keys(self) -> usize {
        self.capacity
    }

    pub(super) fn idle(self) -> Option<Duration> {
        self.idle_after
    }

    /// The capacity as shares of shards, a power of two of them.
    pub(super) fn shares(self) -> impl Iterator<Item = usize> {
        let most = (self.capacity / LEAST_SHARE).clamp(1, MOST_SHARDS);
        let shards = 1 << most.ilog2();
        let (share, rest) = (self.capacity / shards, self.capacity % shards);
        (0..shards).map(move |shard| share + usize::from(shard < rest))
    }

    /// Each limit with its name, as text.
    pub(super) fn settings(self) -> [(&'static str, String); 2] {
        let idle_after = match self.idle_after {
            Some(duration) => format_duration(duration).to_string(),
            None => "never".to_owned(),
        };
        [("capacity", self.capacity.to_string()), ("idle_after", idle_after)]
    }
}
