//! What a call that could be captured came to.

use std::error::Error;
use std::fmt;

use fuseboard_core::CallError;

use super::keep::Queued;
use super::refusal::NotQueued;

/// What a call that could be captured came to.
#[derive(Clone, Debug)]
#[must_use = "a call may have been queued instead of done"]
pub enum Captured<T, E> {
    /// It was made and succeeded.
    Done(T),
    /// It was not done. The fallback was served, and its letter is kept as well, or is not because of this.
    Served(T, Result<Queued, NotQueued>),
    /// It was not done, and is a letter now: it will be.
    Queued(Queued),
    /// It was not done, and will not be.
    Failed(NotDone<E>),
}

/// A call that was not done and is no letter: its own error, and why it was not queued. See [`NotQueued::outcome_is_unknown`]
/// for where there may be a letter nevertheless.
#[derive(Clone, Debug)]
pub struct NotDone<E> {
    /// The rejection, or the call's own error.
    pub error: CallError<E>,
    /// Why there is no letter.
    pub not_queued: NotQueued,
}

impl<T, E> Captured<T, E> {
    /// What the caller can go on with: the result, or what was served instead. `None` if it was queued.
    ///
    /// # Errors
    ///
    /// [`NotDone`] if it is neither done nor queued, and nothing was served.
    pub fn into_result(self) -> Result<Option<T>, NotDone<E>> {
        match self {
            Captured::Done(value) | Captured::Served(value, _) => Ok(Some(value)),
            Captured::Queued(_) => Ok(None),
            Captured::Failed(not_done) => Err(not_done),
        }
    }

    /// Its letter, if there is one.
    pub fn queued(&self) -> Option<&Queued> {
        match self {
            Captured::Queued(queued) | Captured::Served(_, Ok(queued)) => Some(queued),
            _ => None,
        }
    }

    /// Why there is no letter, if it was not done.
    pub fn not_queued(&self) -> Option<&NotQueued> {
        match self {
            Captured::Served(_, Err(why)) => Some(why),
            Captured::Failed(not_done) => Some(&not_done.not_queued),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for NotDone<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotDone { error, not_queued } = self;
        match not_queued.outcome_is_unknown() {
            true => write!(f, "{error}; it is not known whether it was queued: {not_queued}"),
            false => write!(f, "{error}; not queued: {not_queued}"),
        }
    }
}

impl<E: Error + 'static> Error for NotDone<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
