//! What the expansion of `#[circuit_breaker]` calls. It is no part of the public interface and changes without notice.

use std::fmt::Display;
use std::str::FromStr;
pub use std::sync::OnceLock;
use std::time::Duration;

use fuseboard_core::policy::{InvalidPolicy, Recovery, Retry, failure_streak};
use fuseboard_core::text::ParseError;
use fuseboard_core::{Board, BuildError, Judgement, Outcome, Rules, RulesBuilder};

pub use fuseboard_core::{CallError, CircuitBreaker, Rejected};

mod calls;
mod errors;

pub use calls::{call, call_async, call_or_answer};
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
    fn into_result(self) -> Result<T, E>;

    /// It, by its own name.
    fn from_result(result: Result<T, E>) -> Self;
}

impl<T, E> Returned<T, E> for Result<T, E> {
    #[inline(always)]
    fn into_result(self) -> Self {
        self
    }

    #[inline(always)]
    fn from_result(result: Self) -> Self {
        result
    }
}

/// What was returned, by the name that everyone knows.
#[inline(always)]
pub fn into_result<R: Returned<T, E>, T, E>(returned: R) -> Result<T, E> {
    returned.into_result()
}

/// What is returned after a success.
#[inline(always)]
pub fn succeeded<R: Returned<T, E>, T, E>(value: T) -> R {
    R::from_result(Ok(value))
}

/// What is returned after a failure.
#[inline(always)]
pub fn failed<R: Returned<T, E>, T, E>(error: E) -> R {
    R::from_result(Err(error))
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
    R::from_result(Err(E::from_rejected(rejected)))
}

/// Calls a handler, whose argument has a known type when the handler is looked at.
#[inline(always)]
pub fn apply<A, R>(argument: A, handler: impl FnOnce(A) -> R) -> R {
    handler(argument)
}

/// What a handler says that a result came to.
#[inline]
pub fn judged<A, J: Into<Judgement>>(result: A, handler: impl FnOnce(A) -> J) -> Judgement {
    handler(result).into()
}

/// What a result came to: an error comes to what `judge` says, which is kept out of the way of calls that succeed.
#[inline(always)]
pub fn judge_error<T, E>(result: Result<&T, &E>, judge: impl FnOnce(&E) -> Judgement) -> Judgement {
    match result {
        Ok(_) => Outcome::Success.into(),
        Err(error) => out_of_line(|| judge(error)),
    }
}

#[cold]
#[inline(never)]
fn out_of_line<R>(judge: impl FnOnce() -> R) -> R {
    judge()
}

/// Gives an async block the type of its result, and is never called.
#[cold]
pub fn never<R>() -> R {
    unreachable!("it stands where nothing gets to")
}
