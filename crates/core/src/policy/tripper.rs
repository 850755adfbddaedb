//! When a circuit opens: a condition over what its window holds.

use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::explain;
use super::figures::{Counts, Figures};
use super::rule::{self, Fault};
use super::{InvalidPolicy, Window, fmt_custom, guarded};
use crate::metrics::{MAX_THRESHOLDS, Measures, Metrics, reaches};
use crate::text::{
    Arguments, Cursor, Expression, Node, ParseError, Token, expression, format_duration,
    format_number,
};

const FIELD: &str = "trip";

/// The condition that opens a circuit. All comparisons are inclusive; rates and averages of nothing do not hold.
///
/// Terms are joined by `&` and `|`, and `&` binds tighter.
///
/// ```
/// use fuseboard_core::metrics::Metrics;
/// use fuseboard_core::policy::{TripContext, Tripper, failure_rate, failure_streak, min_requests};
///
/// let tripper = failure_streak(5) | min_requests(20) & failure_rate(0.5);
/// let metrics = Metrics { total: 20, failures: 10, streak: 1, ..Metrics::default() };
/// assert!(tripper.holds(&TripContext { metrics: &metrics, half_open: false }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Tripper {
    /// At least so many outcomes are in the window.
    MinRequests(u64),
    /// At least this share of the outcomes in the window failed, from 0 to 1.
    FailureRate(f64),
    /// At least so many failures came in a row, up to now. Not limited by the window.
    FailureStreak(u64),
    /// At least so many outcomes in the window failed.
    Failures(u64),
    /// At least this share of the calls in the window, from 0 to 1, took at least so long.
    ///
    /// Exact to within a hundredth of the threshold: where that is a hundred times the [lag](crate::time::Clock::lag) of the
    /// clock's coarse time or more (0.8 s, where Linux ticks 250 times a second), the start of a call is read from that,
    /// which costs less, and may be too early by up to the lag. So a call that was up to a hundredth quicker than the threshold
    /// may count as slow; none that was as slow counts as quick. Below that, or if the rules look at the time of calls for
    /// anything else ([`AvgLatency`](Self::AvgLatency), [`InFlightOver`](Self::InFlightOver),
    /// [`cancelled_after`](crate::RulesBuilder::cancelled_after)), it is precise.
    SlowRate(f64, Duration),
    /// The calls in the window took at least so long on average.
    AvgLatency(Duration),
    /// At least so many calls have been in flight for at least so long.
    InFlightOver(u64, Duration),
    /// The circuit is closed, not half-open.
    Closed,
    /// The circuit is half-open.
    HalfOpen,
    /// Both hold.
    And(Box<Tripper>, Box<Tripper>),
    /// One of them holds, or both.
    Or(Box<Tripper>, Box<Tripper>),
    /// An implementation of your own.
    Custom(Arc<dyn TripCondition>),
}

/// A condition of your own. If it panics, it does not hold. It must not call the breaker it belongs to.
pub trait TripCondition: Send + Sync + fmt::Debug {
    /// Whether the circuit should open, as far as this condition goes.
    fn holds(&self, context: &TripContext<'_>) -> bool;

    /// What it needs measured; what nobody asks for is zero in the metrics. It must always be the same.
    fn measures(&self) -> Measures {
        Measures::default()
    }

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn TripCondition {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// What a tripper judges by.
#[derive(Clone, Copy, Debug)]
pub struct TripContext<'a> {
    /// What was measured.
    pub metrics: &'a Metrics,
    /// Whether the circuit is half-open; otherwise it is closed, or pinned so that it counts.
    pub half_open: bool,
}

/// At least `n` outcomes are in the window.
pub fn min_requests(n: u64) -> Tripper {
    Tripper::MinRequests(n)
}

/// At least the share `ratio` of the outcomes in the window failed.
pub fn failure_rate(ratio: f64) -> Tripper {
    Tripper::FailureRate(ratio)
}

/// At least `n` failures came in a row, up to now.
pub fn failure_streak(n: u64) -> Tripper {
    Tripper::FailureStreak(n)
}

/// At least `n` outcomes in the window failed.
pub fn failures(n: u64) -> Tripper {
    Tripper::Failures(n)
}

/// At least the share `ratio` of the calls in the window took at least `threshold`, to within a hundredth of it: see
/// [`Tripper::SlowRate`].
pub fn slow_rate(ratio: f64, threshold: Duration) -> Tripper {
    Tripper::SlowRate(ratio, threshold)
}

/// The calls in the window took at least `threshold` on average.
pub fn avg_latency(threshold: Duration) -> Tripper {
    Tripper::AvgLatency(threshold)
}

/// At least `n` calls have been in flight for at least `threshold`.
pub fn in_flight_over(n: u64, threshold: Duration) -> Tripper {
    Tripper::InFlightOver(n, threshold)
}

/// The circuit is closed.
pub fn closed() -> Tripper {
    Tripper::Closed
}

/// The circuit is half-open.
pub fn half_open() -> Tripper {
    Tripper::HalfOpen
}

impl BitAnd for Tripper {
    type Output = Tripper;

    fn bitand(self, other: Tripper) -> Tripper {
        Tripper::And(Box::new(self), Box::new(other))
    }
}

impl BitOr for Tripper {
    type Output = Tripper;

    fn bitor(self, other: Tripper) -> Tripper {
        Tripper::Or(Box::new(self), Box::new(other))
    }
}

impl Tripper {
    /// A condition of your own.
    pub fn custom(condition: impl TripCondition + 'static) -> Self {
        Tripper::Custom(Arc::new(condition))
    }

    /// Whether the circuit should open.
    pub fn holds(&self, context: &TripContext<'_>) -> bool {
        self.holds_over(context.metrics, context.half_open)
    }

    /// As [`holds`](Self::holds), over what is measured.
    pub(crate) fn holds_over<F: Figures>(&self, figures: &F, half_open: bool) -> bool {
        match self {
            Tripper::MinRequests(n) => figures.total() >= *n,
            Tripper::FailureRate(ratio) => reaches(figures.failures(), figures.total(), *ratio),
            Tripper::FailureStreak(n) => figures.streak() >= *n,
            Tripper::Failures(n) => figures.failures() >= *n,
            Tripper::SlowRate(ratio, threshold) => {
                figures.slow_rate(*threshold).is_some_and(|rate| rate >= *ratio)
            }
            Tripper::AvgLatency(threshold) => {
                figures.avg_latency().is_some_and(|latency| latency >= *threshold)
            }
            Tripper::InFlightOver(n, threshold) => figures.hanging(*threshold) >= *n,
            Tripper::Closed => !half_open,
            Tripper::HalfOpen => half_open,
            Tripper::And(left, right) => {
                left.holds_over(figures, half_open) && right.holds_over(figures, half_open)
            }
            Tripper::Or(left, right) => {
                left.holds_over(figures, half_open) || right.holds_over(figures, half_open)
            }
            Tripper::Custom(condition) => guarded(false, || {
                condition.holds(&TripContext { metrics: &figures.metrics(), half_open })
            }),
        }
    }

    /// From how many outcomes in the window on successes that are not slow can turn each of its terms from true to false
    /// only, however many come: if it does not hold then, they cannot make it hold. `None` if there is no such number.
    /// (`min_requests` turns the other way, so it must hold already; an outcome more never turns it back.)
    pub fn falls_from(&self) -> Option<u64> {
        match self {
            Tripper::MinRequests(n) => Some(*n),
            // A rate of zero holds from the first success on.
            Tripper::FailureRate(ratio) | Tripper::SlowRate(ratio, _) => {
                (*ratio > 0.0).then_some(0)
            }
            Tripper::FailureStreak(_)
            | Tripper::Failures(_)
            | Tripper::Closed
            | Tripper::HalfOpen => Some(0),
            Tripper::AvgLatency(_) | Tripper::InFlightOver(..) | Tripper::Custom(_) => None,
            Tripper::And(left, right) | Tripper::Or(left, right) => {
                Some(left.falls_from()?.max(right.falls_from()?))
            }
        }
    }

    /// How many failures may come, among any number of successes that are not slow, without making it hold: no fewer than this
    /// says, as long as nothing leaves the window but by what comes. Zero where durations matter, or only its maker knows.
    pub(crate) fn spare(&self, counts: &Counts) -> u64 {
        match self {
            Tripper::FailureRate(ratio) => {
                // More outcomes only make the share smaller. Rounded down, and one less for what rounding may have hidden.
                let limit = (*ratio * counts.total as f64) as u64;
                limit.saturating_sub(counts.failures + 1)
            }
            Tripper::FailureStreak(n) => n.saturating_sub(counts.streak + 1),
            Tripper::Failures(n) => n.saturating_sub(counts.failures + 1),
            Tripper::HalfOpen => u64::MAX,
            Tripper::And(left, right) => left.spare(counts).max(right.spare(counts)),
            Tripper::Or(left, right) => left.spare(counts).min(right.spare(counts)),
            // Successes alone make `min_requests` hold.
            Tripper::MinRequests(_)
            | Tripper::SlowRate(..)
            | Tripper::AvgLatency(_)
            | Tripper::InFlightOver(..)
            | Tripper::Closed
            | Tripper::Custom(_) => 0,
        }
    }

    /// Why it holds: the terms that make it hold, each with what was measured, like
    /// `failure_rate(0.5): 12 of 20 failed (0.6); min_requests(20): 20`. Empty if it does not hold.
    ///
    /// A condition of your own is asked once more for this.
    pub fn explain(&self, context: &TripContext<'_>) -> String {
        explain::explain(self, context)
    }

    /// What has to be measured for it. Thresholds that are too many are left out; [`Tripper::validate`] refuses them.
    pub fn measures(&self) -> Measures {
        self.collect_measures().0
    }

    /// The shortest duration from which any of its terms calls a call slow.
    pub fn lowest_slow_threshold(&self) -> Option<Duration> {
        self.measures().slow.first()
    }

    /// The measures, and whether there was room for every slow and every hanging threshold.
    fn collect_measures(&self) -> (Measures, bool, bool) {
        let (mut all, mut slow_fits, mut hanging_fits) = (Measures::default(), true, true);
        expression::for_each_term(self, &mut |term| {
            let needs = term.term_measures();
            all.latency |= needs.latency;
            for threshold in needs.slow.iter() {
                slow_fits &= all.slow.insert(threshold);
            }
            for threshold in needs.hanging.iter() {
                hanging_fits &= all.hanging.insert(threshold);
            }
        });
        (all, slow_fits, hanging_fits)
    }

    fn term_measures(&self) -> Measures {
        let mut measures = Measures::default();
        // An empty set has room for one.
        match self {
            Tripper::SlowRate(_, threshold) => {
                measures.slow.insert(*threshold);
            }
            Tripper::InFlightOver(_, threshold) => {
                measures.hanging.insert(*threshold);
            }
            Tripper::AvgLatency(_) => measures.latency = true,
            Tripper::Custom(condition) => {
                return guarded(Measures::default(), || condition.measures());
            }
            _ => {}
        }
        measures
    }

    /// Refuses terms that cannot be meant, and more than can be measured.
    ///
    /// # Errors
    ///
    /// Ratios outside 0 to 1, counts and thresholds of zero, more than 4 different thresholds of slow calls or of calls
    /// in flight, more terms than text may have.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        expression::check_limits(self, FIELD)?;
        expression::try_each_term(self, &mut |term| {
            term.check_term().map_err(|fault| fault.in_field(FIELD, expression::display(term)))
        })?;
        let (_, slow_fits, hanging_fits) = self.collect_measures();
        for (fits, what) in [(slow_fits, "slow calls"), (hanging_fits, "calls in flight")] {
            if !fits {
                let limit = format!("at most {MAX_THRESHOLDS} different thresholds for {what}");
                return Err(InvalidPolicy::new(FIELD, self, limit));
            }
        }
        Ok(())
    }

    /// Like [`Tripper::validate`], and refuses terms that wait for more calls than `window` ever holds.
    ///
    /// # Errors
    ///
    /// Those of [`Tripper::validate`], and a `min_requests` or `failures` above the window's capacity.
    pub fn validate_with(&self, window: &Window) -> Result<(), InvalidPolicy> {
        self.validate()?;
        let Some(capacity) = window.capacity() else { return Ok(()) };
        expression::try_each_term(self, &mut |term| match term {
            Tripper::MinRequests(n) | Tripper::Failures(n) if *n > capacity => {
                let limit = format!("the window `{window}` never holds more than {capacity} calls");
                Err(InvalidPolicy::new(FIELD, expression::display(term), limit))
            }
            _ => Ok(()),
        })
    }

    fn check_term(&self) -> Result<(), Fault> {
        match self {
            Tripper::MinRequests(n) | Tripper::FailureStreak(n) | Tripper::Failures(n) => {
                rule::at_least_one("n", *n)
            }
            Tripper::FailureRate(ratio) => rule::ratio("ratio", *ratio),
            Tripper::SlowRate(ratio, threshold) => {
                rule::ratio("ratio", *ratio)?;
                rule::above_zero("threshold", *threshold)
            }
            Tripper::AvgLatency(threshold) => rule::above_zero("threshold", *threshold),
            Tripper::InFlightOver(n, threshold) => {
                rule::at_least_one("n", *n)?;
                rule::above_zero("threshold", *threshold)
            }
            _ => Ok(()),
        }
    }

    fn parse_call(name: Token<'_>, cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let signature: &'static [&'static str] = match name.text {
            "min_requests" | "failure_streak" | "failures" => &["n"],
            "failure_rate" => &["ratio"],
            "slow_rate" => &["ratio", "threshold"],
            "avg_latency" => &["threshold"],
            "in_flight_over" => &["n", "threshold"],
            _ => {
                return Err(name.refuse(
                    "`min_requests`, `failure_rate`, `failure_streak`, `failures`, `slow_rate`, \
                     `avg_latency`, `in_flight_over`, `closed`, `half_open` or `(`",
                ));
            }
        };
        let arguments = Arguments::parse(cursor, signature, &[])?;
        let threshold = || arguments.duration("threshold");
        let term = match name.text {
            "min_requests" => Tripper::MinRequests(arguments.whole("n")?),
            "failure_streak" => Tripper::FailureStreak(arguments.whole("n")?),
            "failures" => Tripper::Failures(arguments.whole("n")?),
            "failure_rate" => Tripper::FailureRate(arguments.ratio("ratio")?),
            "slow_rate" => Tripper::SlowRate(arguments.ratio("ratio")?, threshold()?),
            "avg_latency" => Tripper::AvgLatency(threshold()?),
            _ => Tripper::InFlightOver(arguments.whole("n")?, threshold()?),
        };
        term.check_term().map_err(|fault| arguments.refuse(fault))?;
        Ok(term)
    }
}

impl Expression for Tripper {
    const NOT: Option<fn(Self) -> Self> = None;

    fn node(&self) -> Node<'_, Self> {
        match self {
            Tripper::And(left, right) => Node::And(left, right),
            Tripper::Or(left, right) => Node::Or(left, right),
            term => Node::Term(term),
        }
    }

    fn parse_term(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let name = cursor.next();
        match name.text {
            "closed" => Ok(Tripper::Closed),
            "half_open" => Ok(Tripper::HalfOpen),
            _ => Tripper::parse_call(name, cursor),
        }
    }

    fn fmt_term(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tripper::MinRequests(n) => write!(f, "min_requests({n})"),
            Tripper::FailureRate(ratio) => write!(f, "failure_rate({})", format_number(*ratio)),
            Tripper::FailureStreak(n) => write!(f, "failure_streak({n})"),
            Tripper::Failures(n) => write!(f, "failures({n})"),
            Tripper::SlowRate(ratio, threshold) => {
                let (ratio, threshold) = (format_number(*ratio), format_duration(*threshold));
                write!(f, "slow_rate({ratio}, {threshold})")
            }
            Tripper::AvgLatency(threshold) => {
                write!(f, "avg_latency({})", format_duration(*threshold))
            }
            Tripper::InFlightOver(n, threshold) => {
                write!(f, "in_flight_over({n}, {})", format_duration(*threshold))
            }
            Tripper::Closed => f.write_str("closed"),
            Tripper::HalfOpen => f.write_str("half_open"),
            Tripper::Custom(condition) => fmt_custom(f, || condition.name()),
            // Not terms: `node` never hands them over as such.
            Tripper::And(..) | Tripper::Or(..) => fmt::Display::fmt(self, f),
        }
    }
}

impl Default for Tripper {
    /// `failure_streak(5) | min_requests(20) & failure_rate(0.5)`.
    fn default() -> Self {
        failure_streak(5) | min_requests(20) & failure_rate(0.5)
    }
}

impl fmt::Display for Tripper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expression::fmt(self, f)
    }
}

impl FromStr for Tripper {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let tripper: Tripper = Cursor::read_all(text, expression::parse)?;
        // Single terms are checked as they are read; what is left is wrong with the whole.
        tripper.validate().map_err(|error| ParseError::whole(text, error.expected()))?;
        Ok(tripper)
    }
}
