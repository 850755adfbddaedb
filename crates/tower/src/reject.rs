//! What the caller of a rejected call is told.

use fuseboard_core::{CallError, Rejected};

#[cfg(feature = "http")]
mod answers;

#[cfg(feature = "http")]
pub use answers::{grpc_unavailable, service_unavailable};

/// Tells the caller of a rejected call: [`AsError`] or [`Mapped`].
pub trait Reject<Request, Response, Error>: WrapError<Error> {
    /// The answer to a call that was not made.
    ///
    /// # Errors
    ///
    /// As the implementation says.
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, Self::Error>;
}

/// Says what the error type of the whole service is, and how the inner service's own errors fit in.
pub trait WrapError<Error> {
    /// The error of the whole service.
    type Error;

    /// The inner service's own error.
    fn failed(error: Error) -> Self::Error;
}

/// A rejection is an error: [`CallError::Rejected`] beside the inner service's [`CallError::Failed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsError;

impl<Error> WrapError<Error> for AsError {
    type Error = CallError<Error>;

    #[inline]
    fn failed(error: Error) -> Self::Error {
        CallError::Failed(error)
    }
}

impl<Request, Response, Error: 'static> Reject<Request, Response, Error> for AsError {
    fn reject(&self, rejected: Rejected, _request: Request) -> Result<Response, Self::Error> {
        Err(rejected.into())
    }
}

/// A rejection is what a function makes of it, and the service's error type stays that of the inner service. Made by
/// [`map_rejected`](crate::CircuitBreakerLayer::map_rejected).
#[derive(Clone, Copy, Debug)]
pub struct Mapped<F>(pub(crate) F);

impl<Error, F> WrapError<Error> for Mapped<F> {
    type Error = Error;

    #[inline]
    fn failed(error: Error) -> Error {
        error
    }
}

impl<Request, Response, Error, F> Reject<Request, Response, Error> for Mapped<F>
where
    F: Fn(Rejected, Request) -> Result<Response, Error>,
{
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, Error> {
        (self.0)(rejected, request)
    }
}
