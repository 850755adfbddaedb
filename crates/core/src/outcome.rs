//! What a call came to, as the engine counts it.

use std::borrow::Cow;
use std::time::Duration;

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It counts against the circuit.
    Failure,
    /// Neither: it does not count, and neither breaks nor makes a streak.
    Ignored,
}

/// A failure with what is known of it: for `info()`, and for the deadline.
///
/// ```
/// use fuseboard_core::Failure;
/// use std::time::Duration;
///
/// let failure = Failure::new("503 Service Unavailable").retry_after(Duration::from_secs(30));
/// assert_eq!(failure.message(), Some("503 Service Unavailable"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    message: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that `message` describes, for people.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Failure { message: Some(message.into()), retry_after: None }
    }

    /// Adds what the service itself said about when to come back (HTTP `Retry-After`, gRPC pushback).
    ///
    /// If this failure opens the circuit, it stays open for at least that long, but no longer than the retry
    /// policy's max, or 1 h where that has none.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The description, if there is one.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// When the service said to come back.
    pub fn retry_after_hint(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The description itself.
    pub(crate) fn into_message(self) -> Option<Cow<'static, str>> {
        self.message
    }
}

impl From<&'static str> for Failure {
    fn from(message: &'static str) -> Self {
        Failure::new(message)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::new(message)
    }
}

/// What a call came to, with what is known of it if it failed.
///
/// ```
/// use fuseboard_core::{Failure, Judgement, Outcome};
///
/// assert_eq!(Judgement::from(Failure::new("503")).outcome, Outcome::Failure);
/// assert_eq!(Judgement::from(Outcome::Success).failure, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it came to.
    pub outcome: Outcome,
    /// What is known of a failure.
    pub failure: Option<Failure>,
}

impl From<Outcome> for Judgement {
    fn from(outcome: Outcome) -> Self {
        Judgement { outcome, failure: None }
    }
}

impl From<Failure> for Judgement {
    fn from(failure: Failure) -> Self {
        Judgement { outcome: Outcome::Failure, failure: Some(failure) }
    }
}
