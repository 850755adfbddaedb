//! A ticket: one admitted call, settled once.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::engine::Admission;
use crate::outcome::{Failure, Judgement, Outcome};

/// An admitted call with a way to its circuit: shared, inside a [`Ticket`], or borrowed, for as long as `call` runs.
pub(super) struct Admitted<S: Borrow<Arc<Shared>>> {
    shared: S,
    admission: Admission,
    settled: bool,
    /// Whether only a panic of its own can drop it unsettled: it does not leave the function that made it.
    stays: bool,
    /// Whether the thread was unwinding already when the call was admitted, from a panic that is none of its own.
    born_panicking: bool,
}

impl<S: Borrow<Arc<Shared>>> Admitted<S> {
    #[inline]
    pub(super) fn new(shared: S, admission: Admission) -> Self {
        let born_panicking = std::thread::panicking();
        Admitted { shared, admission, settled: false, stays: false, born_panicking }
    }

    /// For a call that is made and settled in one function.
    #[inline]
    pub(super) fn staying(shared: S, admission: Admission) -> Self {
        Admitted { shared, admission, settled: false, stays: true, born_panicking: false }
    }

    #[inline]
    pub(super) fn settle(mut self, outcome: Outcome, failure: Option<Failure>) {
        self.settle_in_place(outcome, failure);
    }

    #[inline]
    pub(super) fn settle_in_place(&mut self, outcome: Outcome, failure: Option<Failure>) {
        self.settled = true;
        self.shared.borrow().settle(&self.admission, outcome, failure);
    }

    /// Whether the thread unwinds from a panic of the call.
    #[inline]
    pub(super) fn is_unwinding(&self) -> bool {
        self.stays || std::thread::panicking() && !self.born_panicking
    }

    /// Its end is counted already.
    #[inline]
    pub(super) fn settled_elsewhere(mut self) {
        self.settled = true;
    }

    #[cold]
    fn abandon(&self) {
        self.shared.borrow().abandon(&self.admission, self.is_unwinding());
    }
}

impl<S: Borrow<Arc<Shared>>> Drop for Admitted<S> {
    #[inline]
    fn drop(&mut self) {
        if !self.settled {
            self.abandon();
        }
    }
}

/// One admitted call. It is settled once; dropped unsettled, the call was cancelled: it gives its slot back and counts
/// neither way, unless it was cancelled later than `cancelled_after`, or by a panic, which are failures.
#[must_use = "a ticket that is dropped unsettled counts as cancelled"]
pub struct Ticket(Admitted<Arc<Shared>>);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (circuit, admission) = (&self.0.shared.name, &self.0.admission);
        f.debug_struct("Ticket").field("circuit", circuit).field("admission", admission).finish()
    }
}

impl Ticket {
    #[inline]
    pub(super) fn new(shared: Arc<Shared>, admission: Admission) -> Self {
        Ticket(Admitted::new(shared, admission))
    }

    /// Counts the call with `duration` instead of the time between its admission and its end: for who holds a ticket longer
    /// than the dependency had the turn. It matters only where the circuit's rules time calls.
    #[inline]
    pub fn took(mut self, duration: Duration) -> Self {
        self.0.admission.took(duration);
        self
    }

    /// The call did what it should.
    #[inline]
    pub fn success(self) {
        self.0.settle(Outcome::Success, None);
    }

    /// The call failed. A `&str`, a `String` or a [`Failure`] says how.
    #[inline]
    pub fn failure(self, failure: impl Into<Failure>) {
        self.0.settle(Outcome::Failure, Some(failure.into()));
    }

    /// The call came to neither success nor failure.
    #[inline]
    pub fn ignored(self) {
        self.0.settle(Outcome::Ignored, None);
    }

    /// The call came to what `judgement` says: an [`Outcome`], a [`Failure`], or what
    /// [`judge`](super::CircuitBreaker::judge) makes of a result.
    #[inline]
    pub fn settle(self, judgement: impl Into<Judgement>) {
        let Judgement { outcome, failure } = judgement.into();
        self.0.settle(outcome, failure);
    }

    /// Whether the call is a probe of a half-open circuit.
    pub fn is_probe(&self) -> bool {
        self.0.admission.is_probe()
    }

    /// How long ago the call was admitted; `None` where the circuit's rules do not time calls.
    pub fn elapsed(&self) -> Option<Duration> {
        let started = self.0.admission.started()?;
        Some(self.0.shared.common.clock.now().since(started))
    }
}
