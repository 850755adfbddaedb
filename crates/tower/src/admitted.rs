//! One admitted call on its way to its end.

use fuseboard_core::{CircuitBreaker, Judgement, LightTicket, Outcome, Rejected, Ticket};

use crate::Classify;

/// An admitted call, and a way to the circuit that admitted it. Dropped, it is cancelled; dropped by a panic, it failed.
#[derive(Debug)]
pub enum Admitted {
    /// By a circuit that the service keeps; `None` on its way to being settled.
    Light(Option<LightTicket>),
    /// By a circuit that nobody else need keep, or that had to be asked.
    Held(CircuitBreaker, Ticket),
}

impl Admitted {
    pub(crate) fn new(circuit: CircuitBreaker, ticket: Ticket) -> Self {
        Admitted::Held(circuit, ticket)
    }

    #[inline]
    pub(crate) fn ask(circuit: CircuitBreaker) -> Result<Self, Rejected> {
        let ticket = circuit.try_acquire()?;
        Ok(Admitted::Held(circuit, ticket))
    }

    /// What `judge` says when it is given the circuit; nothing counts any more once that is gone.
    pub(crate) fn judged(&self, judge: impl FnOnce(&CircuitBreaker) -> Judgement) -> Judgement {
        match self {
            Admitted::Light(ticket) => {
                let circuit = ticket.as_ref().and_then(LightTicket::breaker);
                circuit.map_or(Outcome::Ignored.into(), |circuit| judge(&circuit))
            }
            Admitted::Held(circuit, _) => judge(circuit),
        }
    }

    /// Whether it holds a slot of a half-open circuit.
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self, Admitted::Held(_, ticket) if ticket.is_probe())
    }

    #[inline]
    pub(crate) fn settle(self, judgement: Judgement) {
        match self {
            Admitted::Light(Some(ticket)) => ticket.settle(judgement),
            Admitted::Light(None) => {}
            Admitted::Held(_, ticket) => ticket.settle(judgement),
        }
    }

    /// What the circuit's own trackers make of `error`.
    pub(crate) fn judge<E: 'static>(&self, error: &E) -> Judgement {
        self.judged(|circuit| circuit.judge(Err::<&(), _>(error)))
    }
}

/// Settles the call by what `classify` says of its result.
#[inline]
pub(crate) fn settle<T, E, C: Classify<T, E>>(
    call: &mut Option<Admitted>,
    classify: &C,
    result: Result<&T, &E>,
) {
    match call {
        Some(Admitted::Light(light)) => {
            let ticket = light.take().expect(ENDED);
            // Nothing is left in it. What is not dropped need not be moved here, which would take longer than all the rest.
            std::mem::forget(call.take());
            classify.settle_light(ticket, result);
        }
        _ => settle_held(call, classify, result),
    }
}

#[inline(never)]
fn settle_held<T, E, C: Classify<T, E>>(
    call: &mut Option<Admitted>,
    classify: &C,
    result: Result<&T, &E>,
) {
    let call = call.take().expect(ENDED);
    let judgement = call.judged(|circuit| classify.classify(circuit, result));
    call.settle(judgement);
}

/// Says what a caller did wrong who polls a future that has ended.
pub(crate) const ENDED: &str = "a future is not polled after it has ended";

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
