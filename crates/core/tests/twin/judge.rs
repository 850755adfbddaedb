//! What the twin measures and how it judges: everything recomputed from the full list of outcomes.

use std::time::Duration;

use fuseboard_core::metrics::Metrics;
use fuseboard_core::policy::{Tripper, Window};

/// One outcome that counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    pub(crate) at: u64,
    pub(crate) failed: bool,
    pub(crate) took: u64,
    pub(crate) generation: u64,
}

/// What a window holds, as plain numbers that both sides can be turned into.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    pub(crate) total: u64,
    pub(crate) failures: u64,
    pub(crate) streak: u64,
    pub(crate) duration: Duration,
    pub(crate) slow: Vec<(Duration, u64)>,
    pub(crate) hanging: Vec<(Duration, u64)>,
}

impl From<&Metrics> for Measured {
    fn from(metrics: &Metrics) -> Self {
        Measured {
            total: metrics.total,
            failures: metrics.failures,
            streak: metrics.streak,
            duration: metrics.total_duration,
            slow: metrics.slow.iter().collect(),
            hanging: metrics.hanging.iter().collect(),
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Every term of a tripper, without its joints.
pub(crate) fn terms(tripper: &Tripper) -> Vec<&Tripper> {
    match tripper {
        Tripper::And(left, right) | Tripper::Or(left, right) => {
            [terms(left), terms(right)].concat()
        }
        term => vec![term],
    }
}

fn sorted(durations: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut durations: Vec<Duration> = durations.collect();
    durations.sort();
    durations.dedup();
    durations
}

pub(crate) fn slow_thresholds(tripper: &Tripper) -> Vec<Duration> {
    sorted(terms(tripper).into_iter().filter_map(|term| match term {
        Tripper::SlowRate(_, threshold) => Some(*threshold),
        _ => None,
    }))
}

pub(crate) fn hanging_thresholds(tripper: &Tripper) -> Vec<Duration> {
    sorted(terms(tripper).into_iter().filter_map(|term| match term {
        Tripper::InFlightOver(_, threshold) => Some(*threshold),
        _ => None,
    }))
}

fn measures_latency(tripper: &Tripper) -> bool {
    let latency = |term: &&Tripper| matches!(term, Tripper::AvgLatency(_));
    terms(tripper).iter().any(latency)
}

fn bucket_width(span: Duration) -> u64 {
    nanos(span).div_ceil(60)
}

/// When the window forgets what happened at `at`, if that is a matter of time.
pub(crate) fn forgets_at(window: &Window, at: u64) -> Option<u64> {
    let Window::Time(span) = window else { return None };
    Some((at / bucket_width(*span) + 60).saturating_mul(bucket_width(*span)))
}

/// The outcomes among `outcomes`, which are in order of time, that are in the window at `now`.
fn in_window<'a>(window: &Window, outcomes: &[&'a Recorded], now: u64) -> Vec<&'a Recorded> {
    match window {
        Window::Count(size) => outcomes.iter().rev().take(*size as usize).copied().collect(),
        Window::Time(span) => {
            let bucket = |at: u64| i128::from(at / bucket_width(*span));
            let counts = |outcome: &&&Recorded| bucket(outcome.at) > bucket(now) - 60;
            outcomes.iter().filter(counts).copied().collect()
        }
        Window::Custom(_) => panic!("the programs have no custom windows"),
    }
}

/// Measures at `now`, given the outcomes since the state began and when each call in flight started.
pub(crate) fn measure(
    (window, tripper): (&Window, &Tripper),
    outcomes: &[&Recorded],
    in_flight_since: &[u64],
    now: u64,
) -> Measured {
    let held = in_window(window, outcomes, now);
    let took: Duration = held.iter().map(|outcome| Duration::from_nanos(outcome.took)).sum();
    let slow = |threshold: Duration| {
        let reached = held.iter().filter(|outcome| outcome.took >= nanos(threshold));
        (threshold, reached.count() as u64)
    };
    let hanging = |threshold: Duration| {
        let reached = in_flight_since.iter().filter(|since| now - **since >= nanos(threshold));
        (threshold, reached.count() as u64)
    };
    Measured {
        total: held.len() as u64,
        failures: held.iter().filter(|outcome| outcome.failed).count() as u64,
        streak: outcomes.iter().rev().take_while(|outcome| outcome.failed).count() as u64,
        duration: if measures_latency(tripper) { took } else { Duration::ZERO },
        slow: slow_thresholds(tripper).into_iter().map(slow).collect(),
        hanging: hanging_thresholds(tripper).into_iter().map(hanging).collect(),
    }
}

fn count_at(counts: &[(Duration, u64)], threshold: Duration) -> u64 {
    counts.iter().find(|(at, _)| *at == threshold).expect("every threshold was measured").1
}

/// Whether the tripper holds.
pub(crate) fn holds(tripper: &Tripper, seen: &Measured, half_open: bool) -> bool {
    let share = |part: u64, ratio: f64| seen.total > 0 && part as f64 / seen.total as f64 >= ratio;
    match tripper {
        Tripper::MinRequests(least) => seen.total >= *least,
        Tripper::FailureRate(ratio) => share(seen.failures, *ratio),
        Tripper::FailureStreak(least) => seen.streak >= *least,
        Tripper::Failures(least) => seen.failures >= *least,
        Tripper::SlowRate(ratio, threshold) => share(count_at(&seen.slow, *threshold), *ratio),
        Tripper::AvgLatency(least) => {
            seen.total > 0 && seen.duration.as_nanos() >= least.as_nanos() * u128::from(seen.total)
        }
        Tripper::InFlightOver(least, threshold) => count_at(&seen.hanging, *threshold) >= *least,
        Tripper::Closed => !half_open,
        Tripper::HalfOpen => half_open,
        Tripper::And(left, right) => holds(left, seen, half_open) && holds(right, seen, half_open),
        Tripper::Or(left, right) => holds(left, seen, half_open) || holds(right, seen, half_open),
        Tripper::Custom(_) => panic!("the programs have no custom conditions"),
    }
}
