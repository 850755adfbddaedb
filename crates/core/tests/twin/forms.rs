//! A call in each form in which a program can make one; what it comes to must not depend on that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fuseboard_core::{CallError, CircuitBreaker, Failure, Judgement, Outcome, Rejected};

use crate::engine::settle;
use crate::words::End;

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Closure,
    Future,
    Guard,
    Ticket,
    LightTicket,
}

pub(crate) const FORMS: [Form; 5] =
    [Form::Closure, Form::Future, Form::Guard, Form::Ticket, Form::LightTicket];

/// Makes a call that ends at once. Only a future and a ticket can be dropped; what cannot, is a ticket then.
pub(crate) fn call(breaker: &CircuitBreaker, form: Form, end: End) -> Result<(), Rejected> {
    match (form, end) {
        (Form::Closure, End::Success) => unless_rejected(breaker.call(|| Ok::<(), ()>(()))),
        (Form::Closure, End::Failure { .. } | End::Ignored | End::Panicked) => {
            let judge = |_: Result<&(), &()>| judgement(end);
            panics_or(end, || unless_rejected(breaker.call_judged_by(|| work(end), judge)))
        }
        (Form::Future, _) => panics_or(end, || future(breaker, end)),
        (Form::Guard, End::Success | End::Failure { .. } | End::Ignored | End::Panicked) => {
            panics_or(end, || {
                let guard = breaker.enter()?;
                let _ = work(end);
                guard.settle(judgement(end));
                Ok(())
            })
        }
        (Form::LightTicket, End::Success | End::Failure { .. } | End::Ignored) => {
            match breaker.try_acquire_light() {
                Some(ticket) => ticket.settle(judgement(end)),
                None => settle(breaker.try_acquire()?, end),
            }
            Ok(())
        }
        _ => breaker.try_acquire().map(|ticket| settle(ticket, end)),
    }
}

fn future(breaker: &CircuitBreaker, end: End) -> Result<(), Rejected> {
    let work = || async move {
        if end == End::Dropped {
            std::future::pending::<()>().await;
        }
        work(end)
    };
    let judge = |_: Result<&(), &()>| judgement(end);
    let polled = pin!(breaker.call_async_judged_by(work, judge))
        .poll(&mut Context::from_waker(Waker::noop()));
    match polled {
        Poll::Ready(result) => unless_rejected(result),
        Poll::Pending => Ok(()),
    }
}

/// The call itself.
fn work(end: End) -> Result<(), ()> {
    match end {
        End::Panicked => resume_unwind(Box::new("the call")),
        End::Failure { .. } => Err(()),
        _ => Ok(()),
    }
}

fn judgement(end: End) -> Judgement {
    match end {
        End::Failure { retry_after } => {
            let failure = Failure::new("refused");
            retry_after.map_or(failure.clone(), |delay| failure.retry_after(delay)).into()
        }
        End::Ignored => Outcome::Ignored.into(),
        _ => Outcome::Success.into(),
    }
}

/// A call that panics was made.
fn panics_or(end: End, call: impl FnOnce() -> Result<(), Rejected>) -> Result<(), Rejected> {
    match end {
        End::Panicked => catch_unwind(AssertUnwindSafe(call)).unwrap_or(Ok(())),
        _ => call(),
    }
}

fn unless_rejected(result: Result<(), CallError<()>>) -> Result<(), Rejected> {
    match result {
        Err(CallError::Rejected(rejected)) => Err(rejected),
        Ok(()) | Err(CallError::Failed(())) => Ok(()),
    }
}
