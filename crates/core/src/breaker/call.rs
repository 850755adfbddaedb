//! Protected calls, blocking and async, with or without a fallback.

use std::hint::cold_path;
use std::mem::forget;
use std::sync::Arc;

use super::cells::Cell;
use super::judge::{ByCaller, ByTrackers, Judge};
use super::mine::{searched, with_first, with_mine};
use super::ticket::Admitted;
use super::word::Word;
use super::{CircuitBreaker, Shared};
use crate::engine::Admission;
use crate::error::{CallError, Rejected};
use crate::outcome::{Failure, Judgement, Outcome};
use crate::rejections::recognise;
use crate::time::Moment;

/// A call, and what judges its result.
type Work<C, J> = (C, J);

impl CircuitBreaker {
    /// Makes the call if the circuit lets it through, and counts what it comes to.
    ///
    /// Errors and results are judged by the circuit's trackers. Unless they say otherwise every error is a failure, but a
    /// rejection by an inner breaker is ignored: as a [`Rejected`], as a [`CallError`] that `call`, `call_async` or `?`
    /// made, or as the source of a boxed error. A panic is a failure.
    ///
    /// Trackers look at types, so both must be `'static`. For results and errors that borrow, or to say for one call what
    /// counts, there is [`call_judged_by`](Self::call_judged_by). Of an error of a type of your own the circuit
    /// [remembers](crate::LastError) no more than the name of the type; `call_judged_by` can give its text, too.
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the call was not made, [`CallError::Failed`] with the call's own error.
    pub fn call<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let result = self.make(call, ByTrackers(self));
        if let Err(CallError::Rejected(_)) = &result {
            recognise::<E>();
        }
        result
    }

    /// Makes a call if the circuit lets it through, and counts what `judge` makes of its result.
    #[inline(always)]
    fn make<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        judge: impl Judge<T, E>,
    ) -> Result<T, CallError<E>> {
        let mut work = Some((call, judge));
        let word = self.shared.published.word();
        if word.is_idle() {
            let make =
                |cell: &Cell| work.take().map(|work| self.make_at_ease(work, word, None, cell));
            if let Some(Some(result)) = with_first(self.shared.number(), make) {
                return result.map_err(CallError::Failed);
            }
        }
        cold_path();
        if word.is_rejecting()
            && let Some(rejected) = self.shared.reject_at_ease(word)
        {
            return Err(CallError::Rejected(rejected));
        }
        match work {
            Some(work) if word.is_idle() => self.make_elsewhere(work, word),
            Some(work) if word.is_quiet() => self.make_quietly(work, word),
            Some(work) => self.make_asked(work),
            None => unreachable!("a call that was made has a result"),
        }
    }

    /// Makes a call of a circuit that is at ease or quiet, and whose cell is not in the first place that it might be in.
    #[inline(never)]
    fn make_elsewhere<T, E>(
        &self,
        work: Work<impl FnOnce() -> Result<T, E>, impl Judge<T, E>>,
        word: Word,
    ) -> Result<T, CallError<E>> {
        match searched(self.shared.number()) {
            Some(place) => {
                let started = self.shared.started();
                self.make_at_ease(work, word, started, place.cell()).map_err(CallError::Failed)
            }
            None => self.make_asked(work),
        }
    }

    /// Makes a call while the circuit is closed, and nothing but a failure or a slow success could change that for a while.
    #[inline(never)]
    fn make_quietly<T, E>(
        &self,
        work: Work<impl FnOnce() -> Result<T, E>, impl Judge<T, E>>,
        word: Word,
    ) -> Result<T, CallError<E>> {
        let mut work = Some(work);
        // Before the cell is looked for: the fewer things are at hand around a call to the clock, the fewer are put aside.
        let started = self.shared.started();
        let make =
            |cell: &Cell| work.take().map(|work| self.make_at_ease(work, word, started, cell));
        if let Some(Some(result)) = with_first(self.shared.number(), make) {
            return result.map_err(CallError::Failed);
        }
        match work {
            Some(work) => self.make_elsewhere(work, word),
            None => unreachable!("a call that was made has a result"),
        }
    }

    /// Makes a call that the circuit admits without being asked.
    #[inline(always)]
    fn make_at_ease<T, E>(
        &self,
        (call, judge): Work<impl FnOnce() -> Result<T, E>, impl Judge<T, E>>,
        word: Word,
        started: Option<Moment>,
        cell: &Cell,
    ) -> Result<T, E> {
        cell.admit();
        let admission = AtEase { shared: &self.shared, word, started };
        let result = call();
        if judge.is_sure_of_success(&result, word) && self.shared.is_still(word, started) {
            forget(admission);
            cell.settle(word.generation());
            return result;
        }
        self.end_at_ease(admission, judge, cell, result)
    }

    /// The end of a call whose result somebody has to look at.
    #[inline(always)]
    fn end_at_ease<T, E>(
        &self,
        admission: AtEase<'_>,
        judge: impl Judge<T, E>,
        cell: &Cell,
        result: Result<T, E>,
    ) -> Result<T, E> {
        let (outcome, failure) = judge.judge(result.as_ref());
        let (word, started) = (admission.word, admission.started);
        forget(admission);
        if outcome == Outcome::Success && self.shared.is_still(word, started) {
            cell.settle(word.generation());
        } else {
            self.settle_after(word, started, outcome, failure);
        }
        result
    }

    #[cold]
    #[inline(never)]
    fn settle_after(
        &self,
        word: Word,
        started: Option<Moment>,
        outcome: Outcome,
        failure: Option<Failure>,
    ) {
        let admission = Admission::at_ease(word.generation(), started);
        self.shared.settle_locked(&admission, outcome, failure);
    }

    /// Makes a call if the circuit, which has to be asked, lets it through.
    #[cold]
    fn make_asked<T, E>(
        &self,
        (call, judge): Work<impl FnOnce() -> Result<T, E>, impl Judge<T, E>>,
    ) -> Result<T, CallError<E>> {
        let admission = self.shared.admit().map_err(CallError::Rejected)?;
        let admitted = Admitted::staying(&self.shared, admission);
        let result = call();
        let (outcome, failure) = judge.judge(result.as_ref());
        admitted.settle(outcome, failure);
        result.map_err(CallError::Failed)
    }

    /// As [`call`](Self::call), for an async call. For results and errors that borrow there is
    /// [`call_async_judged_by`](Self::call_async_judged_by).
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
        let result = self.make_async(call, ByTrackers(self)).await;
        if let Err(CallError::Rejected(_)) = &result {
            recognise::<E>();
        }
        result
    }

    /// As [`call_async`](Self::call_async), but `judge` says what the call came to, and its types may borrow.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// As [`call_async`](Self::call_async).
    pub async fn call_async_judged_by<T, E, F, J: Into<Judgement>>(
        &self,
        call: impl FnOnce() -> F,
        judge: impl FnOnce(Result<&T, &E>) -> J,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.make_async(call, ByCaller(judge)).await
    }

    #[inline]
    async fn make_async<T, E, F>(
        &self,
        call: impl FnOnce() -> F,
        judge: impl Judge<T, E>,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let word = self.shared.published.word();
        let number = self.shared.number();
        let idle = word.is_idle() && with_mine(number, Cell::admit).is_some();
        let admission = match idle {
            true => Admission::at_ease(word.generation(), None),
            false => self.shared.admit().map_err(CallError::Rejected)?,
        };
        let admitted = Admitted::new(&self.shared, admission);
        let result = call().await;
        let counted = || {
            self.shared.published.word() == word
                && with_mine(number, |cell| cell.settle(word.generation())).is_some()
        };
        if idle && judge.is_sure_of_success(&result, word) && counted() {
            admitted.settled_elsewhere();
            return result.map_err(CallError::Failed);
        }
        let (outcome, failure) = judge.judge(result.as_ref());
        if idle && outcome == Outcome::Success && counted() {
            admitted.settled_elsewhere();
            return result.map_err(CallError::Failed);
        }
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
    ///
    /// A [`Failure`] says what went wrong, for [`Info::last_error`](crate::Info::last_error):
    ///
    /// ```
    /// use fuseboard_core::{CircuitBreaker, Failure, Judgement, Outcome};
    ///
    /// let breaker = CircuitBreaker::builder("prices").build()?;
    /// let told = |price: Result<&u32, &std::num::ParseIntError>| match price {
    ///     Ok(_) => Judgement::from(Outcome::Success),
    ///     Err(error) => Failure::new(error.to_string()).into(),
    /// };
    /// let _ = breaker.call_judged_by(|| "x".parse(), told);
    /// let last = breaker.info().last_error.map(|error| error.message);
    /// assert_eq!(last.as_deref(), Some("invalid digit found in string"));
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn call_judged_by<T, E, J: Into<Judgement>>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        judge: impl FnOnce(Result<&T, &E>) -> J,
    ) -> Result<T, CallError<E>> {
        self.make(call, ByCaller(judge))
    }

    /// As [`call`](Self::call); any error, a rejection too, is given to `fallback`, whose value is the result. (The attribute
    /// calls this `fallback_on_error`.) To answer rejections only there is [`call_or_else`](Self::call_or_else).
    pub fn call_with_fallback<T: 'static, E: 'static>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        fallback: impl FnOnce(CallError<E>) -> T,
    ) -> T {
        self.call(call).unwrap_or_else(fallback)
    }

    /// As [`call`](Self::call); a rejection, and nothing else, is answered by `instead`. (The attribute calls this
    /// `fallback`.) To answer failures, too, there is [`call_with_fallback`](Self::call_with_fallback).
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

    /// As [`call_async`](Self::call_async); any error, a rejection too, is given to `fallback`. (The attribute calls this
    /// `fallback_on_error`.) To answer rejections only there is [`call_async_or_else`](Self::call_async_or_else).
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

    /// As [`call_async`](Self::call_async); a rejection, and nothing else, is answered by `instead`. (The attribute calls this
    /// `fallback`.) To answer failures, too, there is [`call_async_with_fallback`](Self::call_async_with_fallback).
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
        let (outcome, failure) = ByTrackers(self).judge(result);
        Judgement { outcome, failure }
    }
}

/// A call that was admitted without the circuit being asked. It is dropped only if the call, or a look at what it came to,
/// unwinds.
struct AtEase<'a> {
    shared: &'a Arc<Shared>,
    word: Word,
    started: Option<Moment>,
}

impl Drop for AtEase<'_> {
    #[cold]
    fn drop(&mut self) {
        let admission = Admission::at_ease(self.word.generation(), self.started);
        self.shared.abandon(&admission, true);
    }
}
