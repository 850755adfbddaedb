//! What the expansion of `#[circuit_breaker]` calls. It is no part of the public interface and changes without notice.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use fuseboard_core::policy::{InvalidPolicy, Recovery, Retry, failure_streak};
use fuseboard_core::text::ParseError;
use fuseboard_core::{Board, BuildError, Rules, RulesBuilder};

pub use fuseboard_core::{CallError, CircuitBreaker, Rejected};

mod errors;

pub use errors::{
    FromAny, FromBox, FromError, FromSharedBox, IsAny, IsError, Look, OfType, Peel, PeelAny,
    PeelCallError, Seen, judge, judge_rejection,
};

pub use crate::global::board;

/// The circuit breaker of a marked function, found by its first call.
#[derive(Debug)]
pub struct Circuit(OnceLock<CircuitBreaker>);

impl Circuit {
    /// Not found yet.
    #[allow(clippy::new_without_default, reason = "made in a static, by nobody else")]
    pub const fn new() -> Self {
        Circuit(OnceLock::new())
    }

    /// The circuit breaker. `find` is a function and no closure: it is called once for all calls, so it must not depend on
    /// the arguments of the first.
    #[inline]
    pub fn get(&self, find: fn() -> CircuitBreaker) -> &CircuitBreaker {
        self.0.get_or_init(find)
    }
}

/// What the attribute says of a circuit. Its methods are called as the attribute's arguments are.
#[derive(Debug)]
pub struct Plan {
    name: &'static str,
    function: &'static str,
    rules: RulesBuilder,
}

impl Plan {
    /// The circuit `name`, for calls of `function`.
    pub fn new(name: &'static str, function: &'static str) -> Self {
        Plan { name, function, rules: Rules::builder() }
    }

    /// The circuit opens after so many failures in a row.
    pub fn failure_threshold(self, failures: u64) -> Self {
        self.with(|rules| rules.tripper(failure_streak(failures)))
    }

    /// It closes after so many successes in half-open.
    pub fn success_threshold(self, successes: u32) -> Self {
        self.with(|rules| rules.recovery(Recovery::Successes(successes)))
    }

    /// It stays open for this long.
    pub fn timeout(self, wait: Duration) -> Self {
        self.with(|rules| rules.retry(Retry::cooldown(wait)))
    }

    /// The window, in text.
    #[track_caller]
    pub fn window(self, text: &str) -> Self {
        let window = self.parsed("window", text);
        self.with(|rules| rules.window(window))
    }

    /// The tripper, in text.
    #[track_caller]
    pub fn trip(self, text: &str) -> Self {
        let tripper = self.parsed("trip", text);
        self.with(|rules| rules.tripper(tripper))
    }

    /// The retry, in text.
    #[track_caller]
    pub fn retry(self, text: &str) -> Self {
        let retry = self.parsed("retry", text);
        self.with(|rules| rules.retry(retry))
    }

    /// The permit, in text.
    #[track_caller]
    pub fn permit(self, text: &str) -> Self {
        let permit = self.parsed("permit", text);
        self.with(|rules| rules.permit(permit))
    }

    /// The recovery, in text.
    #[track_caller]
    pub fn recovery(self, text: &str) -> Self {
        let recovery = self.parsed("recovery", text);
        self.with(|rules| rules.recovery(recovery))
    }

    /// How many calls a half-open circuit lets through at once.
    pub fn slots(self, slots: u32) -> Self {
        self.with(|rules| rules.slots(slots))
    }

    /// How long a half-open call may take.
    pub fn probe_timeout(self, timeout: Duration) -> Self {
        self.with(|rules| rules.probe_timeout(timeout))
    }

    /// A call cancelled later than this is a failure.
    pub fn cancelled_after(self, duration: Duration) -> Self {
        self.with(|rules| rules.cancelled_after(duration))
    }

    /// The circuit breaker with these rules on `board`.
    ///
    /// # Panics
    ///
    /// If rules do not go together, or if the board has a circuit of that name with other rules.
    #[track_caller]
    pub fn on(self, board: &Board) -> CircuitBreaker {
        let Plan { name, function, rules } = self;
        let rules: Result<Rules, InvalidPolicy> = rules.build();
        let breaker =
            rules.map_err(BuildError::from).and_then(|rules| board.get_or_create(name, rules));
        match breaker {
            Ok(breaker) => breaker,
            Err(error) => impossible(function, error),
        }
    }

    fn with(self, change: impl FnOnce(RulesBuilder) -> RulesBuilder) -> Self {
        Plan { rules: change(self.rules), ..self }
    }

    #[track_caller]
    fn parsed<T: FromStr<Err = ParseError>>(&self, argument: &str, text: &str) -> T {
        match text.parse() {
            Ok(policy) => policy,
            Err(error) => impossible(self.function, format_args!("{argument} = {text:?}: {error}")),
        }
    }
}

/// What a marked function asks for is known when it is written, so that what is wrong with it is a bug of its author and no
/// error of its caller.
#[track_caller]
fn impossible(function: &str, wrong: impl Display) -> ! {
    panic!("#[circuit_breaker] on `{function}`: {wrong}");
}

/// What a marked function returns: a [`Result`], by whatever name.
#[diagnostic::on_unimplemented(
    message = "`#[circuit_breaker]` needs a function that returns a `Result`",
    label = "this is no `Result`",
    note = "an error is how the circuit breaker knows that a call failed, and how a caller learns that it was rejected"
)]
pub trait Returned<T, E>: Sized {
    /// It, by the name that everyone knows.
    fn as_result(&self) -> Result<&T, &E>;

    /// The error.
    fn failed(error: E) -> Self;
}

impl<T, E> Returned<T, E> for Result<T, E> {
    #[inline]
    fn as_result(&self) -> Result<&T, &E> {
        self.as_ref()
    }

    fn failed(error: E) -> Self {
        Err(error)
    }
}

/// What was returned, by reference.
#[inline]
pub fn as_result<R: Returned<T, E>, T, E>(returned: &R) -> Result<&T, &E> {
    returned.as_result()
}

/// An error that can be made from a rejection.
#[diagnostic::on_unimplemented(
    message = "a rejected call cannot be returned: `{Self}` is not made from a `fuseboard::Rejected`",
    label = "has no place for a rejection",
    note = "implement `From<fuseboard::Rejected>` for the error, or return a `fuseboard::CallError` of it",
    note = "or say what answers instead: `fallback = path`"
)]
pub trait FromRejected {
    /// The error that says so.
    fn from_rejected(rejected: Rejected) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Rejected>> FromRejected for E {
    fn from_rejected(rejected: Rejected) -> Self {
        E::from(rejected)
    }
}

/// What is returned for a rejected call that nothing else answers.
#[cold]
pub fn refuse<R: Returned<T, E>, T, E: FromRejected>(rejected: Rejected) -> R {
    R::failed(E::from_rejected(rejected))
}

/// A rejected call, as an error of a function that returns `R`.
#[cold]
pub fn rejection<R: Returned<T, E>, T, E>(rejected: Rejected) -> CallError<E> {
    CallError::Rejected(rejected)
}

/// Makes a call. It says that the closure is called once, so that it may give away what it captured.
#[inline(always)]
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Calls a handler, whose argument has a known type when the handler is looked at.
#[inline(always)]
pub fn apply<A, R>(argument: A, handler: impl FnOnce(A) -> R) -> R {
    handler(argument)
}

/// Gives an async block the type of its result, and is never called.
#[cold]
pub fn never<R>() -> R {
    unreachable!("it stands where nothing gets to")
}
