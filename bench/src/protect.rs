//! What every contestant is asked to do: protect a call, and say what came of it.

use std::error::Error;
use std::fmt;

/// The only way in which a measured call fails. It has no size, so that a rival which boxes errors does not allocate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

impl Error for Fault {}

/// What came of one call, in the words that all contestants share.
pub(crate) enum Answer<T> {
    Value(T),
    Failed,
    Rejected,
}

impl<T> From<Result<T, Fault>> for Answer<T> {
    #[inline(always)]
    fn from(result: Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Answer::Value(value),
            Err(Fault) => Answer::Failed,
        }
    }
}

/// The state that a breaker reports of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Closed,
    Open,
    /// Half-open, pinned, or whatever else is not what a case measures.
    Other,
}

/// A breaker around blocking calls.
pub(crate) trait Protect: Send + Sync + 'static {
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T>;

    /// Its state, if the crate tells it.
    fn told(&self) -> Option<Told> {
        None
    }
}

/// A breaker around futures.
pub(crate) trait ProtectAsync: Send + Sync + 'static {
    /// `call` can be repeated because some rivals ask for that; it is called once.
    async fn protect<F>(&self, call: impl Fn() -> F) -> Answer<()>
    where
        F: Future<Output = Result<(), Fault>>;

    /// Its state, if the crate tells it.
    fn told(&self) -> Option<Told> {
        None
    }
}
