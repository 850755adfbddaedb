//! The guard form: a call is the time for which a guard lives.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::ticket::Admitted;
use super::{CircuitBreaker, Shared};
use crate::error::Rejected;
use crate::outcome::{Failure, Judgement, Outcome};

/// An admitted call that lasts as long as the guard: for code that does not fit into a closure.
///
/// When it is dropped, the call was what [`check`](Self::check) last made of a result; a success, if nothing was checked; a
/// failure, if a panic drops it.
///
/// **A `?` that is not checked counts as a success**: the guard does not see the error that it returns. So check every result
/// that says how the dependency is, as below, or make the call with [`call`](CircuitBreaker::call), which sees what its
/// closure returns.
///
/// It stays on its thread, so that no async task can hold it across an `.await`: a task that
/// is cancelled there would look like a success. Async code takes a [`Ticket`](super::Ticket).
///
/// The idea is that of the `with` statement of Python's breakers, which sees an exception pass; Rust has nothing like that
/// for an error that is returned.
///
/// ```
/// use fuseboard_core::CircuitBreaker;
///
/// fn total(prices: &CircuitBreaker) -> Result<u32, Box<dyn std::error::Error>> {
///     let mut guard = prices.enter()?;
///     let first: u32 = guard.check("12".parse())?;
///     let second: u32 = guard.check("x".parse())?; // counts as a failure, and returns
///     Ok(first + second)
/// }
///
/// fn unchecked(prices: &CircuitBreaker) -> Result<u32, Box<dyn std::error::Error>> {
///     let _guard = prices.enter()?;
///     Ok("x".parse()?) // returns, and counts as a success
/// }
///
/// let prices = CircuitBreaker::builder("prices").build()?;
/// assert!(total(&prices).is_err() && unchecked(&prices).is_err());
/// let totals = prices.info().totals;
/// assert_eq!((totals.failure, totals.success), (1, 1));
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
///
/// ```compile_fail
/// fn sent<T: Send>(_: T) {}
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let prices = fuseboard_core::CircuitBreaker::builder("prices").build()?;
/// sent(prices.enter()?);
/// # Ok(()) }
/// ```
#[must_use = "the call lasts as long as the guard"]
pub struct Guard<'a> {
    breaker: &'a CircuitBreaker,
    admitted: Admitted<&'a Arc<Shared>>,
    seen: Judgement,
    stays: PhantomData<*const ()>,
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (circuit, seen) = (self.breaker.name(), &self.seen);
        f.debug_struct("Guard").field("circuit", &circuit).field("seen", seen).finish()
    }
}

impl CircuitBreaker {
    /// Begins a call that ends when the guard is dropped. For blocking code; what is not
    /// [checked](Guard::check) counts as a success: see [`Guard`].
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through.
    #[inline]
    pub fn enter(&self) -> Result<Guard<'_>, Rejected> {
        let admission = self.shared.admit()?;
        Ok(Guard {
            breaker: self,
            admitted: Admitted::new(&self.shared, admission),
            seen: Outcome::Success.into(),
            stays: PhantomData,
        })
    }
}

impl Guard<'_> {
    /// Judges a result by the circuit's trackers, and gives it back. The call comes to what was checked last, unless
    /// another method says so.
    ///
    /// # Errors
    ///
    /// The result's own.
    #[inline]
    pub fn check<T: 'static, E: 'static>(&mut self, result: Result<T, E>) -> Result<T, E> {
        self.seen = self.breaker.judge(result.as_ref());
        result
    }

    /// The call did what it should.
    #[inline]
    pub fn success(self) {
        self.settle(Outcome::Success);
    }

    /// The call failed. A `&str`, a `String` or a [`Failure`] says how.
    #[inline]
    pub fn failure(self, failure: impl Into<Failure>) {
        self.settle(failure.into());
    }

    /// The call came to neither success nor failure.
    #[inline]
    pub fn ignored(self) {
        self.settle(Outcome::Ignored);
    }

    /// The call came to what `judgement` says.
    #[inline]
    pub fn settle(mut self, judgement: impl Into<Judgement>) {
        self.seen = judgement.into();
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        // One that unwinds is left to be dropped unsettled: that knows what a panic means.
        if !self.admitted.is_unwinding() {
            let failure = self.seen.failure.take();
            self.admitted.settle_in_place(self.seen.outcome, failure);
        }
    }
}
