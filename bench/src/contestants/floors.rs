//! What cannot be beaten, and what a design pays for each thing it uses.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::protect::{Answer, Fault, Protect, ProtectAsync};

/// The call alone.
pub(crate) struct Nothing;

impl Protect for Nothing {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        call().into()
    }
}

impl ProtectAsync for Nothing {
    #[inline]
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>,
    {
        call().await.into()
    }
}

/// One atomic addition to a number that all threads share, alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct SharedAdd(AtomicU64);

impl Protect for SharedAdd {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        black_box(self.0.fetch_add(1, Ordering::Relaxed));
        call().into()
    }
}

/// One look at the clock before the call, and one after it.
pub(crate) struct TwoClockReads;

impl Protect for TwoClockReads {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        let started = black_box(Instant::now());
        let result = call();
        black_box((started, Instant::now()));
        result.into()
    }
}
