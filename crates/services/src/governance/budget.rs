//! Error budgets: how often a circuit may fail, how often it did, and how fast what is left is being spent.

use std::time::Duration;

use fuseboard_core::time::Moment;
use fuseboard_core::{Totals, text::format_duration};

use super::ring::{Ring, Tally};
use crate::circuits::Invalid;

const MILLION: f64 = 1_000_000.0;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

/// What a circuit is to achieve: the share of its calls that succeed, over a window that moves with time.
///
/// Its error budget is what is left of the window's calls: with an objective of 0.999, one call in a thousand may fail. A call
/// counts when its circuit counted it as success or failure; rejected, cancelled and ignored ones do not.
///
/// The burn rate is the budget's speed: the share of calls that failed within `burn_window`, divided by the share that may
/// fail. At 1 the budget lasts as long as the window, at 10 a tenth of it. (Terms and defaults are those of Google's
/// site reliability workbook.)
///
/// ```
/// use fuseboard_services::governance::Slo;
/// use std::time::Duration;
///
/// let slo = Slo { objective: 0.99, window: Duration::from_secs(7 * 24 * 60 * 60), ..Slo::default() };
/// assert!(slo.validate().is_ok());
/// let error = Slo { objective: 1.0, ..slo }.validate().unwrap_err();
/// assert_eq!(error.to_string(), "objective: `1` is not possible: a ratio from 0.000001 to 0.999999");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    /// The share of calls that are to succeed, 0.000001 to 0.999999, in millionths. Default 0.999.
    pub objective: f64,
    /// Over how long, 1 minute to 366 days. Default 30 days. A call leaves the window up to a sixtieth of it late.
    pub window: Duration,
    /// Over how long the burn rate is measured, 1 second up to the window. Default 1 hour.
    pub burn_window: Duration,
    /// As long as the window has fewer calls than this the budget is not spent, whatever they came to. Default 100, at least 1.
    pub min_calls: u64,
}

impl Default for Slo {
    fn default() -> Self {
        Slo {
            objective: 0.999,
            window: 30 * DAY,
            burn_window: Duration::from_secs(3600),
            min_calls: 100,
        }
    }
}

impl Slo {
    /// Checks that it can be.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the first field that is impossible, and what would be right.
    pub fn validate(&self) -> Result<(), Invalid> {
        let Slo { objective, window, burn_window, min_calls } = *self;
        let millionths = objective * MILLION;
        if !(0.5..=MILLION - 0.5).contains(&millionths) {
            return Err(Invalid::new("objective", objective, "a ratio from 0.000001 to 0.999999"));
        }
        if !(60 * SECOND..=366 * DAY).contains(&window) {
            return Err(Invalid::new("window", format_duration(window), "1m to 366 days"));
        }
        if !(SECOND..=window).contains(&burn_window) {
            let expected = "1s up to the window";
            return Err(Invalid::new("burn_window", format_duration(burn_window), expected));
        }
        match min_calls {
            0 => Err(Invalid::new("min_calls", min_calls, "1 or more")),
            _ => Ok(()),
        }
    }

    /// How many of a million calls may fail. Whole numbers, so that a budget is spent exactly when it should be.
    fn may_fail(&self) -> u128 {
        // In range: `validate` has seen to it.
        (MILLION - (self.objective * MILLION).round()) as u128
    }

    /// Failures, and how many would be all of the budget; both in millionths of a call.
    fn scaled(&self, calls: Tally) -> (u128, u128) {
        (u128::from(calls.bad) * 1_000_000, u128::from(calls.total()) * self.may_fail())
    }

    fn spent(&self, calls: Tally) -> f64 {
        match self.scaled(calls) {
            (0, _) => 0.0,
            (bad, budget) => bad as f64 / budget as f64,
        }
    }

    fn is_exhausted(&self, calls: Tally) -> bool {
        let (bad, budget) = self.scaled(calls);
        calls.total() >= self.min_calls && bad >= budget
    }
}

/// How an error budget stands.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStatus {
    /// The circuit; the parent's name for keyed circuits, which have one budget together.
    pub circuit: String,
    /// What it is to achieve.
    pub slo: Slo,
    /// Calls in the window that succeeded, as this process saw them.
    pub good: u64,
    /// Calls in the window that failed.
    pub bad: u64,
    /// How much of the budget is spent: 1 is all of it, 2 twice as much as there was.
    pub spent: f64,
    /// How fast it is being spent: at 1 it lasts as long as the window.
    pub burn_rate: f64,
    /// Whether replay is blocked for it: it is spent by what this process saw, or another process has said so.
    pub exhausted: bool,
}

/// The calls of one circuit, as its budget counts them.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) slo: Slo,
    /// What the breaker's totals were when they were last read.
    seen: Tally,
    window: Ring,
    burn: Ring,
}

impl Account {
    pub(super) fn new(slo: Slo) -> Self {
        let (window, burn) = (Ring::new(slo.window), Ring::new(slo.burn_window));
        Account { slo, seen: Tally::default(), window, burn }
    }

    /// Takes in what a breaker has counted since it was last asked. Totals that fell are those of a new breaker of that name.
    pub(super) fn sample(&mut self, totals: Totals, now: Moment) {
        let seen = Tally { good: totals.success, bad: totals.failure };
        let is_another = seen.good < self.seen.good || seen.bad < self.seen.bad;
        let more = if is_another { seen } else { seen.minus(self.seen) };
        self.seen = seen;
        if more.total() > 0 {
            self.window.add(more, now);
            self.burn.add(more, now);
        }
    }

    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.burn.clear();
    }

    pub(super) fn is_empty(&self, now: Moment) -> bool {
        self.window.sum(now).total() == 0
    }

    pub(super) fn status(&self, circuit: &str, now: Moment) -> BudgetStatus {
        let calls = self.window.sum(now);
        BudgetStatus {
            circuit: circuit.to_owned(),
            slo: self.slo,
            good: calls.good,
            bad: calls.bad,
            spent: self.slo.spent(calls),
            burn_rate: self.slo.spent(self.burn.sum(now)),
            exhausted: self.slo.is_exhausted(calls),
        }
    }

    /// How long until the budget is not spent any more, if no more calls come.
    pub(super) fn restored_in(&self, now: Moment) -> Duration {
        self.window.until(now, |calls| !self.slo.is_exhausted(calls))
    }
}
