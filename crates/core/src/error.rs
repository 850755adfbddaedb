//! What a protected call can end in beside its own result.

use std::time::Duration;
use std::{fmt, io};

use crate::machine::Cause;
use crate::names::CircuitId;
use crate::rejections;
use crate::state::State;

/// A call that was not made. It is `Copy`: what it names can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The circuit that rejected it.
    pub circuit: CircuitId,
    /// The state that rejected it.
    pub state: State,
    /// When an attempt may succeed, where that is known.
    pub retry_after: Option<Duration>,
    /// Why calls are rejected: what opened the circuit, or why half_open admits no more.
    pub cause: Cause,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit {} is {} ({})", self.circuit, self.state, self.cause)?;
        match self.retry_after {
            Some(wait) => write!(f, "; try again in {wait:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejected {}

/// For functions that return an `io::Result`. An outer breaker still knows it for a rejection.
///
/// ```
/// use fuseboard_core::CircuitBreaker;
/// use std::io;
///
/// fn read(disk: &CircuitBreaker) -> io::Result<String> {
///     let mut guard = disk.enter()?;
///     guard.check(std::fs::read_to_string("/proc/self/comm"))
/// }
/// # let disk = CircuitBreaker::builder("disk").build().unwrap();
/// # read(&disk).ok();
/// ```
impl From<Rejected> for io::Error {
    fn from(rejected: Rejected) -> Self {
        io::Error::other(rejected)
    }
}

/// Why a protected call gave no value.
///
/// A rejected one says only that the call was not made; why is its [`source`](std::error::Error::source), so that whoever prints
/// the chain (`{:#}` of `anyhow`) reads it once. A failed one reads as the call's own error.
///
/// ```
/// use fuseboard_core::{CallError, CircuitBreaker, Pin};
/// use std::error::Error;
///
/// let breaker = CircuitBreaker::builder("payments").build()?;
/// breaker.force_open(Pin::by("ops"));
/// let error = breaker.call(|| "42".parse::<u32>()).unwrap_err();
/// let why = error.source().map(ToString::to_string);
/// assert_eq!(error.to_string(), "the call was not made");
/// assert_eq!(why.as_deref(), Some("circuit `payments` is forced_open (pinned)"));
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The call was not made.
    Rejected(Rejected),
    /// The call was made and gave this error.
    Failed(E),
}

impl<E> CallError<E> {
    /// The call's own error, if it was made.
    pub fn into_failed(self) -> Option<E> {
        match self {
            CallError::Rejected(_) => None,
            CallError::Failed(error) => Some(error),
        }
    }

    /// The rejection, if the call was not made.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            CallError::Rejected(rejected) => Some(rejected),
            CallError::Failed(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Rejected(_) => f.write_str("the call was not made"),
            CallError::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallError::Rejected(rejected) => Some(rejected),
            CallError::Failed(error) => error.source(),
        }
    }
}

impl<E: 'static> From<Rejected> for CallError<E> {
    fn from(rejected: Rejected) -> Self {
        rejections::recognise::<E>();
        CallError::Rejected(rejected)
    }
}

/// A name that no circuit can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "name: `{name}` is not possible: expected 1 to 200 characters without control characters, \
     `@` at most once and only before the cell, as in `payments@eu-1`"
)]
pub struct InvalidName {
    name: String,
}

impl InvalidName {
    pub(crate) fn check(name: &str) -> Result<(), InvalidName> {
        let cell_ok = match name.split_once('@') {
            Some((circuit, cell)) => !circuit.is_empty() && !cell.is_empty() && !cell.contains('@'),
            None => true,
        };
        let length_ok = (1..=200).contains(&name.chars().count());
        if length_ok && cell_ok && !name.chars().any(char::is_control) {
            return Ok(());
        }
        Err(InvalidName { name: name.to_owned() })
    }
}

/// Why a circuit breaker could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A policy that cannot work.
    #[error(transparent)]
    Policy(#[from] crate::policy::InvalidPolicy),
    /// A name that no circuit can have.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The board has a circuit of that name with other policies.
    #[error("circuit `{name}` exists with other policies; differing: {differing}")]
    Conflict {
        /// The circuit's name.
        name: String,
        /// The settings that differ.
        differing: String,
    },
}
