//! Protected calls, blocking and async, with or without a fallback.

use std::any::{Any, type_name};
use std::error::Error;
use std::io;
use std::sync::Arc;

use super::cells::Cell;
use super::mine::with_mine;
use super::ticket::Admitted;
use super::word::Word;
use super::{CircuitBreaker, Shared};
use crate::engine::Admission;
use crate::error::{CallError, Rejected};
use crate::outcome::{Failure, Judgement, Outcome};
use crate::policy::Seen;
use crate::rejections::{is_rejection, recognise};

impl CircuitBreaker {
    /// Makes the call if the circuit lets it through, and counts what it comes to.
    ///
    /// Errors and results are judged by the circuit's trackers. Unless they say otherwise every error is a failure, but a
    /// rejection by an inner breaker is ignored: as a [`Rejected`], as a [`CallError`] that `call`, `call_async` or `?`
    /// made, or as the source of a boxed error. A panic is a failure.
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the call was not made, [`CallError::Failed`] with the call's own error.
    pub fn call<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let mut call = Some(call);
        let word = self.shared.published.word();
        let made = match word.is_idle() {
            true => with_mine(self.shared.published.number, |cell| {
                call.take().map(|call| self.call_idle(call, word, cell))
            }),
            false => None,
        };
        let result = match (made.flatten(), call) {
            (Some(result), _) => result,
            (None, Some(call)) => self.call_asked(call)?,
            (None, None) => unreachable!("a call that was made has a result"),
        };
        result.map_err(CallError::Failed)
    }

    /// Makes a call while the circuit is closed and nothing but a failure could change that.
    #[inline]
    fn call_idle<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        word: Word,
        cell: &Cell,
    ) -> Result<T, E> {
        cell.admit();
        let admission = Admission::at_ease(word.generation(), None);
        let (result, judged) = self.unwinding(&admission, || {
            let result = call();
            // While the circuit is idle every result is a success.
            let judged = result.as_ref().err().map(|error| self.judged(Err::<&T, _>(error)));
            (result, judged)
        });
        match judged {
            None if self.shared.published.word() == word => cell.settle(word.generation()),
            None => self.shared.settle_locked(&admission, Outcome::Success, None),
            Some((outcome, failure)) => self.shared.settle_locked(&admission, outcome, failure),
        }
        result
    }

    /// Makes a call if the circuit, which has to be asked, lets it through.
    fn call_asked<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>, CallError<E>> {
        let admission = self.shared.admit()?;
        let (result, (outcome, failure)) = self.unwinding(&admission, || {
            let result = call();
            let judged = self.judged(result.as_ref());
            (result, judged)
        });
        self.shared.settle(&admission, outcome, failure);
        Ok(result)
    }

    /// Makes a call and has it judged; a panic in either is a failure.
    #[inline]
    fn unwinding<R>(&self, admission: &Admission, call: impl FnOnce() -> R) -> R {
        let unwinding = Unwinding(&self.shared, *admission);
        let result = call();
        std::mem::forget(unwinding);
        result
    }

    /// As [`call`](Self::call), for an async call.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call: it gives its slot back and counts neither way, unless it ran longer than
    /// `cancelled_after`.
    pub async fn call_async<T: 'static, E: 'static, F>(
        &self,
        call: impl FnOnce() -> F,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let word = self.shared.published.word();
        let number = self.shared.published.number;
        let idle = word.is_idle() && with_mine(number, Cell::admit).is_some();
        let admission = match idle {
            true => Admission::at_ease(word.generation(), None),
            false => self.shared.admit()?,
        };
        let admitted = Admitted::new(&self.shared, admission);
        let result = call().await;
        if idle && result.is_ok() && self.shared.published.word() == word {
            let settled = with_mine(number, |cell| cell.settle(word.generation()));
            if settled.is_some() {
                admitted.settled_elsewhere();
                return result.map_err(CallError::Failed);
            }
        }
        let (outcome, failure) = self.judged(result.as_ref());
        admitted.settle(outcome, failure);
        result.map_err(CallError::Failed)
    }

    /// As [`call`](Self::call), but `judge` says what the call came to, and its types may borrow.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Outcome};
    ///
    /// let breaker = CircuitBreaker::builder("search").build()?;
    /// let empty_is_failure = |found: Result<&Vec<&str>, &()>| match found {
    ///     Ok(hits) if !hits.is_empty() => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// };
    /// let hits = breaker.call_judged_by(|| Ok(Vec::new()), empty_is_failure);
    /// assert_eq!((hits, breaker.info().totals.failure), (Ok(Vec::new()), 1));
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn call_judged_by<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        judge: impl FnOnce(Result<&T, &E>) -> Outcome,
    ) -> Result<T, CallError<E>> {
        let admission = self.shared.admit().map_err(CallError::Rejected)?;
        let (result, outcome) = self.unwinding(&admission, || {
            let result = call();
            let outcome = judge(result.as_ref());
            (result, outcome)
        });
        self.shared.settle(&admission, outcome, None);
        result.map_err(CallError::Failed)
    }

    /// As [`call`](Self::call); any error, a rejection too, is given to `fallback`, whose value is the result.
    pub fn call_with_fallback<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        fallback: impl FnOnce(CallError<E>) -> T,
    ) -> T {
        self.call(call).unwrap_or_else(fallback)
    }

    /// As [`call`](Self::call); a rejection, and nothing else, is answered by `instead`.
    ///
    /// # Errors
    ///
    /// The call's own error, or that of `instead`.
    pub fn call_or_else<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        instead: impl FnOnce(Rejected) -> Result<T, E>,
    ) -> Result<T, E> {
        self.call(call).or_else(|error| match error {
            CallError::Rejected(rejected) => instead(rejected),
            CallError::Failed(error) => Err(error),
        })
    }

    /// As [`call_async`](Self::call_async); any error, a rejection too, is given to `fallback`.
    ///
    /// # Cancel safety
    ///
    /// As [`call_async`](Self::call_async).
    pub async fn call_async_with_fallback<T: 'static, E: 'static, F, B>(
        &self,
        call: impl FnOnce() -> F,
        fallback: impl FnOnce(CallError<E>) -> B,
    ) -> T
    where
        F: Future<Output = Result<T, E>>,
        B: Future<Output = T>,
    {
        match self.call_async(call).await {
            Ok(value) => value,
            Err(error) => fallback(error).await,
        }
    }

    /// As [`call_async`](Self::call_async); a rejection, and nothing else, is answered by `instead`.
    ///
    /// # Errors
    ///
    /// The call's own error, or that of `instead`.
    ///
    /// # Cancel safety
    ///
    /// As [`call_async`](Self::call_async).
    pub async fn call_async_or_else<T: 'static, E: 'static, F, B>(
        &self,
        call: impl FnOnce() -> F,
        instead: impl FnOnce(Rejected) -> B,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        B: Future<Output = Result<T, E>>,
    {
        match self.call_async(call).await {
            Ok(value) => Ok(value),
            Err(CallError::Rejected(rejected)) => instead(rejected).await,
            Err(CallError::Failed(error)) => Err(error),
        }
    }

    /// What a result comes to by the circuit's trackers: what [`call`](Self::call) would count. Nothing is counted here.
    pub fn judge<T: 'static, E: 'static>(&self, result: Result<&T, &E>) -> Judgement {
        let (outcome, failure) = self.judged(result);
        Judgement { outcome, failure }
    }

    #[inline]
    fn judged<T: 'static, E: 'static>(&self, result: Result<&T, &E>) -> (Outcome, Option<Failure>) {
        let classifier = self.rules().classifier();
        match result {
            Ok(_) if classifier.takes_values_for_successes() => (Outcome::Success, None),
            Ok(value) => (classifier.classify(&Seen::value(value)), None),
            Err(error) => {
                let seen = match is_rejection(error) {
                    true => {
                        // It goes on as a `CallError<E>`, which the next breaker must know.
                        recognise::<E>();
                        Seen::rejection(error)
                    }
                    false => Seen::error(error),
                };
                match classifier.classify(&seen) {
                    Outcome::Failure => (Outcome::Failure, Some(describe(error))),
                    outcome => (outcome, None),
                }
            }
        }
    }
}

/// Is dropped only if the call unwinds.
struct Unwinding<'a>(&'a Arc<Shared>, Admission);

impl Drop for Unwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.abandon(&self.1, true);
    }
}

/// What is known of an error whose type is not: its text, if it is of a common type, or else the name of its type.
fn describe<E: 'static>(error: &E) -> Failure {
    let any = error as &dyn Any;
    if let Some(text) = any.downcast_ref::<&'static str>() {
        return Failure::new(*text);
    }
    if let Some(text) = any.downcast_ref::<String>() {
        return Failure::new(text.clone());
    }
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return Failure::new(error.to_string());
    }
    match any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        Some(error) => Failure::new(error.to_string()),
        None => Failure::new(type_name::<E>()),
    }
}
