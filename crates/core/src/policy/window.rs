//! Which outcomes are remembered: the last so many, or those of the last while.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::rule::{Fault, Rule};
use super::{InvalidPolicy, fmt_custom, guarded};
use crate::metrics::{Measures, Metrics};
use crate::text::{Arguments, Cursor, ParseError, format_duration};
use crate::time::Moment;

mod count;
mod custom;
mod held;
mod spent;
mod time;

pub use count::CountCounter;
pub(crate) use held::Held;
pub use time::TimeCounter;

const FIELD: &str = "window";
const LARGEST_COUNT: u32 = 1_000_000;
const SHORTEST_SPAN: Duration = Duration::from_millis(100);
const LONGEST_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// The recent outcomes that count. Ignored outcomes are never in it.
///
/// ```
/// use fuseboard_core::policy::Window;
/// use std::time::Duration;
///
/// assert_eq!("time(60s)".parse(), Ok(Window::time(Duration::from_secs(60))));
/// assert_eq!(Window::count(100).to_string(), "count(100)");
/// assert!(Window::count(0).validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// The last so many outcomes, exactly: 1 to 1 000 000.
    Count(u32),
    /// The outcomes of the last while, 100 ms to 24 h, to within a sixtieth of it. It forgets by itself, also when
    /// nobody calls.
    ///
    /// An outcome counts in the bucket, a sixtieth of the span, in which it ended. There is one exception: a success whose
    /// thread is held up between its look at the time and its count, across the edge of a bucket, counts in a later one. If
    /// just that success would have made [`MinRequests`](super::Tripper::MinRequests) hold, the circuit opens at the next
    /// outcome. A circuit that one thread uses has no such case.
    Time(Duration),
    /// An implementation of your own.
    Custom(Arc<dyn WindowPolicy>),
}

/// A window of your own: it opens a [`Counter`] for each circuit, and again after each transition.
///
/// If it panics, or its counter does, nothing is counted in that call, and the metrics read then are empty. It must not
/// call the breaker it belongs to.
pub trait WindowPolicy: Send + Sync + fmt::Debug {
    /// An empty counter that takes down what `measures` asks for.
    fn open(&self, measures: Measures) -> Box<dyn Counter>;

    /// The most outcomes that it ever holds, if there is such a number. A tripper that waits for more is refused.
    fn capacity(&self) -> Option<u64> {
        None
    }

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn WindowPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// The outcomes in a window of one circuit.
///
/// `now` never goes backwards for long: concurrent callers may come a little late, and a time earlier than the newest
/// one seen is to be treated as the newest. A counter must not call the breaker it belongs to.
pub trait Counter: Send + fmt::Debug {
    /// Counts a success or failure that took `duration` and ended at `now`.
    fn record(&mut self, failure: bool, duration: Duration, now: Moment);

    /// Counts `successes` of no duration that ended by `now`, none of which anybody timed.
    fn record_successes(&mut self, successes: u64, now: Moment) {
        for _ in 0..successes {
            self.record(false, Duration::ZERO, now);
        }
    }

    /// What the window holds at `now`: total, failures, total duration and slow calls. The breaker itself fills in the
    /// streak and the calls in flight.
    fn metrics(&mut self, now: Moment) -> Metrics;

    /// Forgets everything.
    fn clear(&mut self, now: Moment);
}

impl Window {
    /// The last `size` outcomes.
    pub fn count(size: u32) -> Self {
        Window::Count(size)
    }

    /// The outcomes of the last `span`.
    pub fn time(span: Duration) -> Self {
        Window::Time(span)
    }

    /// A window of your own.
    pub fn custom(policy: impl WindowPolicy + 'static) -> Self {
        Window::Custom(Arc::new(policy))
    }

    /// The most outcomes it ever holds, if there is such a number.
    pub fn capacity(&self) -> Option<u64> {
        match self {
            Window::Count(size) => Some(u64::from(*size)),
            Window::Time(_) => None,
            Window::Custom(policy) => guarded(None, || policy.capacity()),
        }
    }

    /// An empty counter that takes down what `measures` asks for.
    pub fn open(&self, measures: Measures) -> Box<dyn Counter> {
        match self {
            Window::Count(size) => Box::new(CountCounter::new(*size, measures)),
            Window::Time(span) => Box::new(TimeCounter::new(*span, measures)),
            Window::Custom(policy) => {
                Box::new(custom::GuardedCounter::new(Arc::clone(policy), measures))
            }
        }
    }

    /// Refuses a window that holds nothing, or more than memory should.
    ///
    /// # Errors
    ///
    /// A size outside 1 to 1 000 000, a span outside 100 ms to 24 h.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.check().map_err(|fault| fault.in_field(FIELD, self))
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Window::Count(size) => Rule::new(
                "a number of calls from 1 to 1000000",
                "a window holds from 1 to 1000000 calls",
            )
            .unless((1..=LARGEST_COUNT).contains(size), "size"),
            Window::Time(span) => {
                Rule::new("a duration from 100ms to 1d", "a window spans from 100ms to 1d")
                    .unless((SHORTEST_SPAN..=LONGEST_SPAN).contains(span), "span")
            }
            Window::Custom(_) => Ok(()),
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let name = cursor.next();
        let (window, arguments) = match name.text {
            "count" => {
                let arguments = Arguments::parse(cursor, &["size"], &[])?;
                (Window::Count(arguments.whole_u32("size")?), arguments)
            }
            "time" => {
                let arguments = Arguments::parse(cursor, &["span"], &[])?;
                (Window::Time(arguments.duration("span")?), arguments)
            }
            _ => return Err(name.refuse("`count(100)` or `time(60s)` or the like")),
        };
        window.check().map_err(|fault| arguments.refuse(fault))?;
        Ok(window)
    }
}

impl Default for Window {
    /// `count(100)`.
    fn default() -> Self {
        Window::Count(100)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Count(size) => write!(f, "count({size})"),
            Window::Time(span) => write!(f, "time({})", format_duration(*span)),
            Window::Custom(policy) => fmt_custom(f, || policy.name()),
        }
    }
}

impl FromStr for Window {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Cursor::read_all(text, Window::parse)
    }
}
