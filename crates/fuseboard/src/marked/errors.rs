//! What an error of a marked function is, when the attribute knows its type only by the name `E`.
//!
//! The expansion calls these methods where the type is known, and method resolution takes the first trait that fits: each is
//! implemented for one more `&` than the next. That is how a macro can ask whether a type implements [`Error`].

use std::any::Any;
use std::error::Error;
use std::io;
use std::marker::PhantomData;

use fuseboard_core::{CallError, CircuitBreaker, Failure, Judgement, Outcome, Rejected};

/// Takes the call's own error out of a [`CallError`].
#[derive(Debug)]
pub struct Peel<'a, E>(pub &'a E);

/// [`Peel`] for a [`CallError`].
pub trait PeelCallError<'a, E> {
    /// The call's own error, or else the rejection.
    fn peel(&self) -> Result<&'a E, &'a Rejected>;
}

/// [`Peel`] for every other error.
pub trait PeelAny<'a, E> {
    /// The error as it is.
    fn peel(&self) -> Result<&'a E, &'a Rejected>;
}

impl<'a, E> PeelCallError<'a, E> for &Peel<'a, CallError<E>> {
    fn peel(&self) -> Result<&'a E, &'a Rejected> {
        match self.0 {
            CallError::Rejected(rejected) => Err(rejected),
            CallError::Failed(error) => Ok(error),
        }
    }
}

impl<'a, E> PeelAny<'a, E> for Peel<'a, E> {
    fn peel(&self) -> Result<&'a E, &'a Rejected> {
        Ok(self.0)
    }
}

/// Looks at an error as an [`Error`], if it is or holds one.
#[derive(Debug)]
pub struct Look<'a, E>(pub &'a E);

/// [`Look`] for what is an [`Error`].
pub trait FromError<'a> {
    /// The error as an [`Error`].
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)>;
}

/// [`Look`] for `Box<dyn Error + Send + Sync>`, `anyhow::Error` and the like.
pub trait FromSharedBox<'a> {
    /// The error inside.
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)>;
}

/// [`Look`] for `Box<dyn Error>`.
pub trait FromBox<'a> {
    /// The error inside.
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)>;
}

/// [`Look`] for every other error.
pub trait FromAny<'a> {
    /// Nothing.
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)>;
}

impl<'a, E: Error + 'static> FromError<'a> for &&&Look<'a, E> {
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)> {
        Some(self.0)
    }
}

impl<'a, E: AsRef<dyn Error + Send + Sync>> FromSharedBox<'a> for &&Look<'a, E> {
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

impl<'a, E: AsRef<dyn Error>> FromBox<'a> for &Look<'a, E> {
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

impl<'a, E> FromAny<'a> for Look<'a, E> {
    fn as_error(&self) -> Option<&'a (dyn Error + 'static)> {
        None
    }
}

/// An error, seen as whatever it may be.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    any: &'a dyn Any,
    error: Option<&'a (dyn Error + 'static)>,
}

impl<'a> Seen<'a> {
    /// `any` is the error, `error` the same as an [`Error`].
    pub fn new<E: 'static>(any: &'a E, error: Option<&'a (dyn Error + 'static)>) -> Self {
        Seen { any, error }
    }

    /// The error and what it stems from, outermost first.
    fn chain(&self) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        let errors = std::iter::successors(self.error, |error: &&'a (dyn Error + 'static)| {
            (*error).source()
        });
        errors.flat_map(|error| {
            // An `io::Error` names the source of the error inside it, and not that error, as its own source.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            [Some(error), inner.map(|inner| inner as &(dyn Error + 'static))].into_iter().flatten()
        })
    }
}

/// Tells whether an error is of type `A`.
#[derive(Debug)]
pub struct OfType<A>(PhantomData<fn() -> A>);

impl<A> OfType<A> {
    /// The only value.
    pub const NEW: Self = OfType(PhantomData);
}

/// [`OfType`] for an [`Error`].
pub trait IsError {
    /// Whether `seen` is an `A`, or stems from one.
    fn is(&self, seen: &Seen<'_>) -> bool;
}

/// [`OfType`] for every other type.
pub trait IsAny {
    /// Whether `seen` is an `A`.
    fn is(&self, seen: &Seen<'_>) -> bool;
}

impl<A: Error + 'static> IsError for &OfType<A> {
    fn is(&self, seen: &Seen<'_>) -> bool {
        seen.any.is::<A>() || seen.chain().any(|error| error.is::<A>())
    }
}

impl<A: 'static> IsAny for OfType<A> {
    fn is(&self, seen: &Seen<'_>) -> bool {
        seen.any.is::<A>()
    }
}

/// What the circuit makes of `error`, which is `seen`; nothing, unless it `counts` by the attribute's types.
#[cold]
pub fn judge<E: 'static>(
    breaker: &CircuitBreaker,
    error: &E,
    seen: &Seen<'_>,
    counts: bool,
) -> Judgement {
    if !counts {
        return Outcome::Ignored.into();
    }
    if let Some(rejected) = seen.chain().find_map(|error| error.downcast_ref()) {
        return judge_rejection(breaker, rejected);
    }
    let judgement = breaker.judge(Err::<&(), _>(error));
    match (&judgement.failure, seen.error) {
        (Some(_), Some(error)) => Failure::new(error.to_string()).into(),
        _ => judgement,
    }
}

/// What the circuit makes of the rejection by an inner breaker.
#[cold]
pub fn judge_rejection(breaker: &CircuitBreaker, rejected: &Rejected) -> Judgement {
    breaker.judge(Err::<&(), _>(rejected))
}
