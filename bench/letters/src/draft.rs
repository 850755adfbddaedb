//! The letters that are captured, no two alike.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fuseboard_core::time::{Clock, SystemClock, WallTime};
use fuseboard_store::{Draft, conformance};

/// The circuit of all letters.
pub(crate) const CIRCUIT: &str = "payments";

/// The body of letters that are measured alone, in bytes.
pub(crate) const BODY: usize = 1024;

static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::new);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The time as the stores' callers have it.
pub(crate) fn now() -> WallTime {
    CLOCK.wall()
}

/// The next letter, due at once, with a body of `bytes`.
pub(crate) fn draft(bytes: usize) -> Draft {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let body = body(number, bytes);
    Draft { body, ..conformance::draft(CIRCUIT, &number.to_string(), now()) }
}

/// Letters and digits without a pattern (xorshift64).
fn body(number: u64, bytes: usize) -> Vec<u8> {
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let digits = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[(word >> 59) as usize]
    });
    digits.take(bytes).collect()
}
