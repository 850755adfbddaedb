//! Why a tripper holds, in words and numbers.

use std::time::Duration;

use super::{TripContext, Tripper};
use crate::metrics::Metrics;
use crate::text::format_duration;

/// The terms that make `tripper` hold, joined by `; `; empty if it does not hold.
pub(crate) fn explain(tripper: &Tripper, context: &TripContext<'_>) -> String {
    let mut terms = Vec::new();
    collect(tripper, context, &mut terms);
    terms.join("; ")
}

/// Adds the terms that make it hold; where it does not, adds none. Each term is judged once.
fn collect(tripper: &Tripper, context: &TripContext<'_>, terms: &mut Vec<String>) -> bool {
    let before = terms.len();
    match tripper {
        Tripper::And(left, right) => {
            let holds = collect(left, context, terms) && collect(right, context, terms);
            if !holds {
                terms.truncate(before);
            }
            holds
        }
        Tripper::Or(left, right) => {
            let left_holds = collect(left, context, terms);
            collect(right, context, terms) || left_holds
        }
        term => {
            let holds = term.holds(context);
            if holds {
                terms.push(describe(term, context.metrics));
            }
            holds
        }
    }
}

fn describe(term: &Tripper, metrics: &Metrics) -> String {
    let Metrics { total, failures, streak, .. } = metrics;
    match term {
        Tripper::MinRequests(_) => format!("{term}: {total}"),
        Tripper::FailureRate(_) => {
            format!("{term}: {failures} of {total} failed{}", share(metrics.failure_rate()))
        }
        Tripper::FailureStreak(_) => format!("{term}: {streak} in a row"),
        Tripper::Failures(_) => format!("{term}: {failures} of {total} failed"),
        Tripper::SlowRate(_, threshold) => {
            let (slow, rate) = (metrics.slow.get(*threshold), metrics.slow_rate(*threshold));
            let threshold = format_duration(*threshold);
            format!("{term}: {slow} of {total} took at least {threshold}{}", share(rate))
        }
        Tripper::AvgLatency(_) => {
            let average = legible(metrics.avg_latency().unwrap_or_default());
            format!("{term}: {} on average", format_duration(average))
        }
        Tripper::InFlightOver(_, threshold) => {
            let hanging = metrics.hanging.get(*threshold);
            format!("{term}: {hanging} in flight for at least {}", format_duration(*threshold))
        }
        _ => term.to_string(),
    }
}

/// ` (0.6)`, with at most three decimals.
fn share(rate: Option<f64>) -> String {
    let digits = format!("{:.3}", rate.unwrap_or_default());
    format!(" ({})", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// `duration` without digits that nobody reads.
fn legible(duration: Duration) -> Duration {
    let grain = if duration >= Duration::from_secs(1) { 1_000_000 } else { 1_000 };
    let subsec = duration.subsec_nanos();
    if duration < Duration::from_millis(1) {
        return duration;
    }
    Duration::new(duration.as_secs(), subsec - subsec % grain)
}
