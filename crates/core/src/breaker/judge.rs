//! Who says what a call came to: the circuit's trackers, or the caller.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::io;

use super::CircuitBreaker;
use super::word::Word;
use crate::outcome::{Failure, Judgement, Outcome};
use crate::policy::{Classifier, Seen};
use crate::rejections::{is_rejection, recognise};

/// What a call came to, in two words that travel well.
pub(super) type Judged = (Outcome, Option<Failure>);

impl From<Judgement> for Judged {
    fn from(Judgement { outcome, failure }: Judgement) -> Self {
        (outcome, failure)
    }
}

/// Says what a call came to.
pub(super) trait Judge<T, E> {
    /// Whether the result of a call that was admitted under `word` is a success as long as that holds, at a glance. What
    /// makes a failure is then no part of the way that most calls take.
    #[inline(always)]
    fn is_sure_of_success(&self, _result: &Result<T, E>, _word: Word) -> bool {
        false
    }

    fn judge(self, result: Result<&T, &E>) -> Judged;
}

/// What the caller says.
pub(super) struct ByCaller<F>(pub(super) F);

impl<T, E, J: Into<Judgement>, F: FnOnce(Result<&T, &E>) -> J> Judge<T, E> for ByCaller<F> {
    #[inline(always)]
    fn judge(self, result: Result<&T, &E>) -> Judged {
        (self.0)(result).into().into()
    }
}

/// What the circuit's own trackers say.
pub(super) struct ByTrackers<'a>(pub(super) &'a CircuitBreaker);

impl<T: 'static, E: 'static> Judge<T, E> for ByTrackers<'_> {
    #[inline(always)]
    fn is_sure_of_success(&self, result: &Result<T, E>, word: Word) -> bool {
        result.is_ok() && (word.is_idle() || self.0.shared.published.habits().plain())
    }

    #[inline]
    fn judge(self, result: Result<&T, &E>) -> Judged {
        match result {
            Ok(_) if self.0.shared.published.habits().plain() => (Outcome::Success, None),
            Ok(value) => (self.0.shared.classify(&Seen::value(value)), None),
            Err(error) => self.of_error(error),
        }
    }
}

impl ByTrackers<'_> {
    fn of_error<E: 'static>(&self, error: &E) -> Judged {
        let rejection = is_rejection(error);
        if rejection {
            // It goes on as a `CallError<E>`, which the next breaker must know.
            recognise::<E>();
        }
        let outcome = match (self.0.shared.published.habits().plain(), rejection) {
            (true, rejection) => Classifier::plain_error(rejection),
            (false, true) => self.0.shared.classify(&Seen::rejection(error)),
            (false, false) => self.0.shared.classify(&Seen::error(error)),
        };
        (outcome, (outcome == Outcome::Failure).then(|| describe(error)))
    }
}

/// What is known of an error whose type is not: its text, if it is of a common type, or else the name of its type. A bound that
/// asks for a text would shut out errors that have none.
fn describe<E: 'static>(error: &E) -> Failure {
    let any = error as &dyn Any;
    if let Some(text) = any.downcast_ref::<&'static str>() {
        return Failure::new(*text);
    }
    if let Some(text) = any.downcast_ref::<String>() {
        return Failure::new(text.clone());
    }
    if let Some(text) = any.downcast_ref::<Cow<'static, str>>() {
        return Failure::new(text.clone());
    }
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return Failure::new(error.to_string());
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Failure::new(error.to_string());
    }
    match any.downcast_ref::<Box<dyn Error>>() {
        Some(error) => Failure::new(error.to_string()),
        None => Failure::new(type_name::<E>()),
    }
}
