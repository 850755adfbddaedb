//! The future of a call through a circuit.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::admitted::{Admitted, ENDED, settle, unwinding};
use crate::{Classify, End, WrapError};

pin_project! {
    /// The answer of a [`CircuitBreakerService`](crate::CircuitBreakerService): the inner service's, or that to a
    /// rejected call.
    ///
    /// `F` is the inner service's future, `T` and `X` are the response and the error, and the rest is as in the
    /// [layer](crate::CircuitBreakerLayer).
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the call: it gives its slot back and counts neither way, unless it ran longer than the rules'
    /// `cancelled_after`. A panic in the inner future is a failure, whoever catches it.
    ///
    /// It need not keep the one breaker of its service: a future that outlives the service and every other clone of the
    /// breaker counts nowhere.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ResponseFuture<F, T, X, C, R, E> {
        #[pin]
        progress: Progress<F, T, X, C>,
        ends: PhantomData<fn() -> (R, E)>,
    }
}

pin_project! {
    #[project = ProgressProj]
    enum Progress<F, T, X, C> {
        Called {
            #[pin]
            future: F,
            call: Option<Admitted>,
            classify: C,
        },
        Rejected { answer: Option<Result<T, X>> },
    }
}

impl<F, T, X, C, R, E> ResponseFuture<F, T, X, C, R, E> {
    #[inline]
    pub(crate) fn called(future: F, call: Admitted, classify: C) -> Self {
        let progress = Progress::Called { future, call: Some(call), classify };
        ResponseFuture { progress, ends: PhantomData }
    }

    pub(crate) fn rejected(answer: Result<T, X>) -> Self {
        let progress = Progress::Rejected { answer: Some(answer) };
        ResponseFuture { progress, ends: PhantomData }
    }
}

impl<F, Response, Error, C, R, E> Future for ResponseFuture<F, E::Response, R::Error, C, R, E>
where
    F: Future<Output = Result<Response, Error>>,
    C: Classify<Response, Error>,
    R: WrapError<Error>,
    E: End<Response, Error, C>,
{
    type Output = Result<E::Response, R::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().progress.project() {
            ProgressProj::Called { future, call, classify } => {
                let result = ready!(unwinding(call, || future.poll(context)));
                Poll::Ready(match result {
                    Ok(response) => Ok(E::answered(call, classify, response)),
                    Err(error) => {
                        settle(call, &*classify, Err(&error));
                        Err(R::failed(error))
                    }
                })
            }
            ProgressProj::Rejected { answer } => Poll::Ready(answer.take().expect(ENDED)),
        }
    }
}

impl<F, T, X, C, R, E> fmt::Debug for ResponseFuture<F, T, X, C, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut future = f.debug_tuple("ResponseFuture");
        match &self.progress {
            Progress::Called { call: Some(call), .. } => future.field(call),
            Progress::Called { call: None, .. } => future.field(&"ended"),
            Progress::Rejected { .. } => future.field(&"rejected"),
        };
        future.finish()
    }
}
