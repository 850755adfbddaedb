//! The calls of marked functions: made as `call_judged_by` and `call_async_judged_by` make them.

use std::pin::Pin;
use std::task::{Context, Poll};

use fuseboard_core::{CallError, CircuitBreaker, Judgement, Rejected};

use super::Returned;

/// Makes a call. That `body` is called once lets it give away what it captured.
#[inline(always)]
pub fn call<R: Returned<T, E>, T, E>(
    breaker: &CircuitBreaker,
    body: impl FnOnce() -> R,
    judge: impl FnOnce(Result<&T, &E>) -> Judgement,
) -> Result<T, CallError<E>> {
    breaker.call_judged_by(|| body().into_result(), judge)
}

/// Makes a call whose body answers its rejection, too, because it owns the arguments.
#[inline(always)]
pub fn call_or_answer<R: Returned<T, E>, T, E>(
    breaker: &CircuitBreaker,
    body: impl FnOnce(Option<Rejected>) -> R,
    judge: impl FnOnce(Result<&T, &E>) -> Judgement,
) -> R {
    let mut body = Some(body);
    let mut run = |rejected| match body.take() {
        Some(body) => body(rejected),
        None => unreachable!("a call is either made or rejected"),
    };
    match call(breaker, || run(None), judge) {
        Ok(value) => R::from_result(Ok(value)),
        Err(CallError::Failed(error)) => R::from_result(Err(error)),
        Err(CallError::Rejected(rejected)) => run(Some(rejected)),
    }
}

/// Makes an async call. The body stays where it is: it may be large, and each function on the way would have a copy.
///
/// That `into_result` is an argument and no bound of this function lets the compiler complain once, and not of each step on
/// the way to the result.
#[inline]
pub fn call_async<F: Future, T, E>(
    breaker: &CircuitBreaker,
    body: Pin<&mut F>,
    into_result: impl Fn(F::Output) -> Result<T, E> + Unpin,
    judge: impl FnOnce(Result<&T, &E>) -> Judgement,
) -> impl Future<Output = Result<T, CallError<E>>> {
    breaker.call_async_judged_by(|| Body { body, into_result }, judge)
}

/// The body of an async function, as a future of what everyone knows for a [`Result`].
struct Body<'a, F, I> {
    body: Pin<&'a mut F>,
    into_result: I,
}

impl<F: Future, T, E, I: Fn(F::Output) -> Result<T, E> + Unpin> Future for Body<'_, F, I> {
    type Output = Result<T, E>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.body.as_mut().poll(context).map(&self.into_result)
    }
}
