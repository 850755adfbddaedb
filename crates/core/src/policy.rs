//! What a circuit breaker decides by: policies are values, built in Rust or parsed from text, and printed back the same.
//!
//! | kind | question | text |
//! |---|---|---|
//! | [`Window`] | which outcomes are remembered? | `count(100)` `time(60s)` |
//! | [`Tripper`] | when does the circuit open? | `failure_streak(5) \| min_requests(20) & failure_rate(0.5)` |
//! | [`Retry`] | when may an open circuit try again? | `backoff(10s, max=5m, jitter=0.2)` |
//! | [`Permit`] | which calls does a half-open circuit let through? | `ramp_up(0.1, 1, 60s)` |
//! | [`Recovery`] | when does a half-open circuit close, or open again? | `successes(3)` |
//! | [`Tracker`] | which errors and results are failures? | `5xx \| connect \| timeout` |
//!
//! Constructors never fail. What is impossible is refused by `validate`, which a breaker calls when it is built, and by
//! the parser, which adds the column. Every kind has a `Custom` variant for an implementation of your own. It is
//! printed as `custom` or `custom(name)`, cannot be parsed, and equals only its own clones. A panic inside it is
//! contained, and answered by the safe answer that its trait names.
//!
//! ```
//! use fuseboard_core::policy::{Tripper, failure_rate, min_requests};
//!
//! let built = min_requests(20) & failure_rate(0.5);
//! let parsed: Tripper = "min_requests(20) & failure_rate(0.5)".parse()?;
//! assert_eq!(built, parsed);
//! assert_eq!(parsed.to_string(), "min_requests(20) & failure_rate(0.5)");
//!
//! let error = "failure_rate(1.5)".parse::<Tripper>().unwrap_err();
//! assert_eq!(error.to_string(), "column 14: expected a ratio from 0 to 1, found `1.5`");
//! # Ok::<(), fuseboard_core::text::ParseError>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

mod explain;
mod figures;
mod permit;
mod recovery;
mod retry;
pub(crate) mod rule;
mod tracker;
mod tripper;
mod window;

pub(crate) use figures::Counts;
pub use permit::{Permit, PermitPolicy};
pub use recovery::{Decision, Recovery, RecoveryContext, RecoveryPolicy};
pub use retry::{AskContext, Deadline, Next, Retry, RetryContext, RetryPolicy};
pub use tracker::{Classifier, FailureClass, Kind, Seen, TrackPolicy, Tracker};
pub use tripper::{
    TripCondition, TripContext, Tripper, avg_latency, closed, failure_rate, failure_streak,
    failures, half_open, in_flight_over, min_requests, slow_rate,
};
pub(crate) use window::Held;
pub use window::{CountCounter, Counter, TimeCounter, Window, WindowPolicy};

/// A policy that can be written down but not meant: a ratio above 1, a window of nothing.
///
/// ```
/// use fuseboard_core::policy::failure_rate;
///
/// let error = failure_rate(1.5).validate().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "trip: `failure_rate(1.5)` is not possible: a ratio goes from 0 to 1"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: `{value}` is not possible: {expected}")]
pub struct InvalidPolicy {
    field: &'static str,
    value: String,
    expected: Cow<'static, str>,
}

impl InvalidPolicy {
    /// `value` is impossible in `field`, because of what `expected` says would be right.
    pub fn new(
        field: &'static str,
        value: impl fmt::Display,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        InvalidPolicy { field, value: value.to_string(), expected: expected.into() }
    }

    /// Which setting is wrong, as it is called in the configuration: `window`, `trip`, `retry`, `permit`, `recovery`,
    /// `failure`, and the like.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The value that is impossible, as text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would be right.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// Asks a user's implementation; if it panics, the answer is `safe`.
fn guarded<T>(safe: T, ask: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or(safe)
}

/// Prints a user's implementation so that it cannot be taken for a built-in one.
fn fmt_custom<'a>(f: &mut fmt::Formatter<'_>, name: impl FnOnce() -> &'a str) -> fmt::Result {
    match guarded("", name) {
        "" => f.write_str("custom"),
        name => write!(f, "custom({name})"),
    }
}
