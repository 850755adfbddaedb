//! Randomness as a parameter: jitter and random permits draw from a [`Random`] that the caller can replace.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where random numbers come from. They spread load; nothing secret is made of them.
pub trait Random: Send + Sync + fmt::Debug {
    /// A number from `0.0` up to, but not including, `1.0`.
    fn draw(&self) -> f64;
}

/// SplitMix64 (Steele, Lea and Flood, 2014) from a seed: the same seed, the same numbers.
///
/// ```
/// use fuseboard_core::random::{Random, SeededRandom};
///
/// let (one, same) = (SeededRandom::new(7), SeededRandom::new(7));
/// assert_eq!(one.draw(), same.draw());
/// ```
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        SeededRandom { state: AtomicU64::new(seed) }
    }

    /// A sequence that differs in every process and at every call.
    pub fn from_entropy() -> Self {
        SeededRandom::new(RandomState::new().hash_one(0u8))
    }
}

impl Random for SeededRandom {
    fn draw(&self) -> f64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // The 53 highest bits are what an f64 can hold exactly.
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Hashes what callers send with a secret of this process (the standard library's SipHash), so that nobody outside can make
/// keys that collide.
#[derive(Debug, Default)]
pub(crate) struct SecretHash(RandomState);

impl SecretHash {
    pub(crate) fn of(&self, key: &(impl Hash + ?Sized)) -> u64 {
        self.0.hash_one(key)
    }
}
