//! What a call came to, as a tracker sees it.

use std::any::Any;

/// What a call came to, as a tracker sees it: an error, a result, an HTTP status, or a kind of failure.
///
/// ```
/// use fuseboard_core::policy::Seen;
///
/// let error = std::fmt::Error;
/// let seen = Seen::error(&error);
/// assert!(seen.is_error());
/// assert!(seen.downcast_error::<std::fmt::Error>().is_some());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a>(What<'a>);

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Error(&'a dyn Any),
    Rejection(&'a dyn Any),
    Value(&'a dyn Any),
    Status(u16),
    Kind(Kind),
}

/// How a call failed before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No connection came about.
    Connect,
    /// It took too long.
    Timeout,
    /// The connection broke.
    Reset,
}

impl<'a> Seen<'a> {
    /// The call returned this error.
    pub fn error(error: &'a dyn Any) -> Self {
        Seen(What::Error(error))
    }

    /// The call returned this error, and it says that an inner breaker did not let a call through.
    pub fn rejection(error: &'a dyn Any) -> Self {
        Seen(What::Rejection(error))
    }

    /// The call returned this result.
    pub fn value(value: &'a dyn Any) -> Self {
        Seen(What::Value(value))
    }

    /// The call was answered with this HTTP status.
    pub fn status(code: u16) -> Self {
        Seen(What::Status(code))
    }

    /// The call failed in this way, without an answer.
    pub fn kind(kind: Kind) -> Self {
        Seen(What::Kind(kind))
    }

    /// Whether it is an error: one of a Rust type, or a kind of failure.
    pub fn is_error(&self) -> bool {
        matches!(self.0, What::Error(_) | What::Rejection(_) | What::Kind(_))
    }

    /// Whether it is the rejection of an inner breaker.
    pub fn is_rejection(&self) -> bool {
        matches!(self.0, What::Rejection(_))
    }

    /// The error, if it is one of type `E`.
    pub fn downcast_error<E: Any>(&self) -> Option<&'a E> {
        match self.0 {
            What::Error(error) | What::Rejection(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The result, if it is one of type `T`.
    pub fn downcast_value<T: Any>(&self) -> Option<&'a T> {
        match self.0 {
            What::Value(value) => value.downcast_ref(),
            _ => None,
        }
    }

    /// The HTTP status, if it is one.
    pub fn status_code(&self) -> Option<u16> {
        match self.0 {
            What::Status(code) => Some(code),
            _ => None,
        }
    }

    /// The kind of failure, if it is one.
    pub fn error_kind(&self) -> Option<Kind> {
        match self.0 {
            What::Kind(kind) => Some(kind),
            _ => None,
        }
    }
}
