//! One admitted call on its way to its end.

use fuseboard_core::{CircuitBreaker, Judgement, Outcome, Rejected, Ticket};

/// An admitted call, and the circuit that admitted it. Dropped, it is cancelled; dropped by a panic, it failed.
#[derive(Debug)]
pub struct Admitted {
    circuit: CircuitBreaker,
    ticket: Ticket,
}

impl Admitted {
    pub(crate) fn new(circuit: CircuitBreaker, ticket: Ticket) -> Self {
        Admitted { circuit, ticket }
    }

    #[inline]
    pub(crate) fn ask(circuit: CircuitBreaker) -> Result<Self, Rejected> {
        let ticket = circuit.try_acquire()?;
        Ok(Admitted { circuit, ticket })
    }

    pub(crate) fn circuit(&self) -> &CircuitBreaker {
        &self.circuit
    }

    /// Whether it holds a slot of a half-open circuit.
    pub(crate) fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    #[inline]
    pub(crate) fn settle(self, judgement: Judgement) {
        self.ticket.settle(judgement);
    }

    /// What the circuit's own trackers make of `error`.
    pub(crate) fn judge<E: 'static>(&self, error: &E) -> Judgement {
        self.circuit.judge(Err::<&(), _>(error))
    }
}

/// The call behind a sequence of results goes on: the first error ends it, and so does the end of the sequence; a probe
/// has done its work with the first result.
pub(crate) fn follow<E: 'static>(running: &mut Option<Admitted>, next: Option<Result<(), &E>>) {
    let goes_on = |call: &Admitted| matches!(next, Some(Ok(()))) && !call.is_probe();
    if let Some(call) = running.take_if(|call| !goes_on(call)) {
        let judgement = match next {
            Some(Err(error)) => call.judge(error),
            Some(Ok(())) | None => Outcome::Success.into(),
        };
        call.settle(judgement);
    }
}

/// Runs `poll`. If that panics, what `call` holds is dropped while the thread unwinds, so that the call is a failure
/// even where somebody catches the panic and drops the future later.
#[inline]
pub(crate) fn unwinding<T, C>(call: &mut Option<C>, poll: impl FnOnce() -> T) -> T {
    let unwinding = Unwinding(call);
    let result = poll();
    std::mem::forget(unwinding);
    result
}

/// Is dropped only by a panic.
struct Unwinding<'a, C>(&'a mut Option<C>);

impl<C> Drop for Unwinding<'_, C> {
    #[cold]
    fn drop(&mut self) {
        self.0.take();
    }
}
