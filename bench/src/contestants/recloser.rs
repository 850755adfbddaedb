//! `recloser`: the reference.

use recloser::{AsyncRecloser, Error, Recloser};

use super::OPEN_FOR;
use crate::protect::{Answer, Fault, Protect, ProtectAsync};

pub(crate) struct Ring(Recloser);

pub(crate) struct AsyncRing(AsyncRecloser);

pub(crate) fn ring() -> Ring {
    Ring(Recloser::custom().closed_len(100).error_rate(0.5).open_wait(OPEN_FOR).build())
}

pub(crate) fn async_ring() -> AsyncRing {
    AsyncRing(AsyncRecloser::from(ring().0))
}

impl Protect for Ring {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        answer(self.0.call(call))
    }
}

impl ProtectAsync for AsyncRing {
    #[inline]
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>,
    {
        answer(self.0.call(call()).await)
    }
}

#[inline]
fn answer<T>(result: Result<T, Error<Fault>>) -> Answer<T> {
    match result {
        Ok(value) => Answer::Value(value),
        Err(Error::Inner(Fault)) => Answer::Failed,
        Err(Error::Rejected) => Answer::Rejected,
    }
}
