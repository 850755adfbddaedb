//! A light ticket: an admitted call of a circuit at ease, in two words that do not keep the breaker.

use std::mem::ManuallyDrop;

use super::CircuitBreaker;
use super::cells::Cell;
use super::mine::{home, with_mine};
use super::word::Word;
use crate::engine::Admission;
use crate::names::CircuitId;
use crate::outcome::{Failure, Judgement, Outcome};

/// One admitted call, as a [`Ticket`](super::Ticket) is, for who cannot afford one: no clone of the breaker is made and
/// dropped for it.
///
/// It means the same: it is settled once; dropped unsettled, the call was cancelled, or failed if a panic drops it; what
/// comes after a transition is stale. It is never a probe. But it does not keep the breaker: when the last clone is gone
/// there is nobody to count the call, and no listener hears what it would have led to. So whoever takes one should keep
/// the breaker for about as long, as a service does whose calls it counts. The circuits of a [`Keyed`](crate::Keyed),
/// which forgets those that nobody holds, want [`Ticket`](super::Ticket)s.
#[derive(Debug)]
#[must_use = "a ticket that is dropped unsettled counts as cancelled"]
pub struct LightTicket {
    circuit: CircuitId,
    word: Word,
}

impl CircuitBreaker {
    /// Asks to make a call, if neither the circuit nor a clock has to be asked for that: while the circuit is at ease (a
    /// closed one that is called often and fails seldom mostly is) and its rules neither time calls nor look at results.
    /// `None` says nothing about the circuit: [`try_acquire`](Self::try_acquire) does.
    ///
    /// ```
    /// use fuseboard_core::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build()?;
    /// match breaker.try_acquire_light() {
    ///     Some(ticket) => ticket.success(),
    ///     None => breaker.try_acquire()?.success(),
    /// }
    /// assert_eq!(breaker.info().totals.success, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire_light(&self) -> Option<LightTicket> {
        let word = self.shared.published.word();
        // Not while something older unwinds: such a ticket would have to remember that.
        let at_ease = word.is_idle() && !std::thread::panicking();
        let admitted = at_ease && with_mine(self.shared.number(), Cell::admit).is_some();
        admitted.then(|| LightTicket { circuit: self.shared.published.circuit, word })
    }
}

impl LightTicket {
    /// The call did what it should.
    #[inline]
    pub fn success(self) {
        if let Err(ticket) = self.try_success() {
            ticket.settle_asked(Outcome::Success, None);
        }
    }

    /// The call failed. A `&str`, a `String` or a [`Failure`] says how.
    pub fn failure(self, failure: impl Into<Failure>) {
        self.settle_asked(Outcome::Failure, Some(failure.into()));
    }

    /// The call came to neither success nor failure.
    pub fn ignored(self) {
        self.settle_asked(Outcome::Ignored, None);
    }

    /// The call came to what `judgement` says: an [`Outcome`], a [`Failure`], or what
    /// [`judge`](CircuitBreaker::judge) makes of a result.
    #[inline]
    pub fn settle(self, judgement: impl Into<Judgement>) {
        match judgement.into() {
            Judgement { outcome: Outcome::Success, .. } => self.success(),
            Judgement { outcome, failure } => self.settle_asked(outcome, failure),
        }
    }

    /// The call came to a value, which is a success as long as the circuit is as it was when it admitted the call.
    ///
    /// # Errors
    ///
    /// The ticket, if the circuit has changed, or this thread does not know it: then its [breaker](Self::breaker) can
    /// [judge](CircuitBreaker::judge) the value.
    #[inline]
    pub fn try_success(self) -> Result<(), Self> {
        let settle = |cell: &Cell| cell.settle_under(self.word);
        match with_mine(self.circuit.number(), settle) {
            Some(true) => {
                std::mem::forget(self);
                Ok(())
            }
            _ => Err(self),
        }
    }

    /// The breaker that admitted the call; `None` once its last clone is gone.
    pub fn breaker(&self) -> Option<CircuitBreaker> {
        home(self.circuit).map(|shared| CircuitBreaker { shared })
    }

    #[cold]
    #[inline(never)]
    fn settle_asked(self, outcome: Outcome, failure: Option<Failure>) {
        let ticket = ManuallyDrop::new(self);
        if let Some(home) = home(ticket.circuit) {
            // The next one that this thread settles need not be looked for.
            home.welcome();
            home.settle(&ticket.admission(), outcome, failure);
        }
    }

    #[inline]
    fn admission(&self) -> Admission {
        Admission::at_ease(self.word.generation(), None)
    }
}

impl Drop for LightTicket {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        if let Some(home) = home(self.circuit) {
            home.abandon(&self.admission(), std::thread::panicking());
        }
    }
}
