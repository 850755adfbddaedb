//! Real work to put into a call: a chain of arithmetic in which every link waits for the one before.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// What the work in one call shall take, in nanoseconds.
const WORK: f64 = 100.0;

/// Trials, of which the fastest counts: the others were disturbed.
const TRIALS: u32 = 50;

/// Links of one trial, some 50 µs.
const TRIAL_LINKS: u32 = 30_000;

/// So many links of the chain.
pub(crate) fn work(number: u64, links: u32) -> u64 {
    (0..links).fold(number, |number, _| link(number))
}

#[inline(always)]
fn link(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    number ^ (number >> 29)
}

/// How many links take about 100 ns on this machine; the same for everyone in the process.
pub(crate) fn links() -> u32 {
    static LINKS: OnceLock<u32> = OnceLock::new();
    *LINKS.get_or_init(|| {
        let fastest = (0..TRIALS).map(|_| trial()).fold(f64::INFINITY, f64::min);
        ((WORK / fastest) as u32).max(1)
    })
}

/// Nanoseconds for one link.
fn trial() -> f64 {
    let start = Instant::now();
    black_box(work(black_box(1), TRIAL_LINKS));
    start.elapsed().as_nanos() as f64 / f64::from(TRIAL_LINKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_can_be_left_away() {
        let after = |links| work(1, links);
        assert_eq!(after(5), link(after(4)));
        assert!((1..100).all(|links| after(links) != after(links - 1)));
        assert!(links() >= 1);
    }
}
