//! What an error says about why a call was not done, where its owner does not say it.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use tokio::time::error::Elapsed;

use super::kind::Undone;

/// What an error and its sources say: the first [`io::Error`] among them that tells, or a timeout of tokio; otherwise
/// [`Undone::Failure`].
///
/// Only a refused connection is taken for one to which nothing was sent. That an error is deep within another does not tell
/// what was sent before it: a call that sends several requests has a classifier of its own.
///
/// ```
/// use fuseboard_services::capture::{Undone, undone_by};
/// use std::io::{Error, ErrorKind};
///
/// let refused = Error::from(ErrorKind::ConnectionRefused);
/// assert_eq!(undone_by(&Error::other(refused)), Undone::Connect);
/// assert_eq!(undone_by(&std::fmt::Error), Undone::Failure);
/// ```
pub fn undone_by(error: &(dyn Error + 'static)) -> Undone {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Elapsed>() {
            return Undone::Timeout;
        }
        let io = error.downcast_ref::<io::Error>();
        if let Some(undone) = io.and_then(|io| by_kind(io.kind())) {
            return undone;
        }
        // An error inside of an `io::Error` is not the source of it, but that error's source is.
        let inside = io.and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    Undone::Failure
}

/// [`undone_by`] for errors of one type: `classify(by_source)`.
pub fn by_source<E: Error + 'static>(error: &E) -> Undone {
    undone_by(error)
}

/// As [`undone_by`], for a type of which nothing is known: boxed errors and those of the standard library and tokio tell, any
/// other is a failure.
pub(super) fn by_type<E: 'static>(error: &E) -> Undone {
    let any = error as &dyn Any;
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return undone_by(error);
    }
    if let Some(error) = any.downcast_ref::<Elapsed>() {
        return undone_by(error);
    }
    if let Some(error) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return undone_by(&**error);
    }
    match any.downcast_ref::<Box<dyn Error>>() {
        Some(error) => undone_by(&**error),
        None => Undone::Failure,
    }
}

fn by_kind(kind: ErrorKind) -> Option<Undone> {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable => Some(Undone::Connect),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Some(Undone::Timeout),
        // A connection that stands can also lose its network.
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown => Some(Undone::Reset),
        _ => None,
    }
}
