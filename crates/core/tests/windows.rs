//! The two built-in windows against naive twins, and a user's window with its panics.

use std::collections::VecDeque;
use std::time::Duration;

use fuseboard_core::metrics::{Measures, Metrics, Tally, Thresholds};
use fuseboard_core::policy::{
    CountCounter, Counter, TimeCounter, TripContext, Window, WindowPolicy, failure_rate,
};
use fuseboard_core::time::Moment;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn at(duration: Duration) -> Moment {
    Moment::ZERO + duration
}

fn measures(latency: bool, slow: &[u64]) -> Measures {
    let mut thresholds = Thresholds::default();
    for millis in slow {
        assert!(thresholds.insert(Duration::from_millis(*millis)));
    }
    Measures { latency, slow: thresholds, ..Measures::default() }
}

/// What a window must say that holds these outcomes.
fn counted(outcomes: impl Iterator<Item = (bool, Duration)>, measures: Measures) -> Metrics {
    let mut metrics = Metrics { slow: Tally::new(measures.slow), ..Metrics::default() };
    for (failure, duration) in outcomes {
        metrics.total += 1;
        metrics.failures += u64::from(failure);
        metrics.slow.add(duration);
        if measures.latency {
            metrics.total_duration += duration;
        }
    }
    metrics
}

#[test]
fn a_count_window_slides_however_long_all_went_well() {
    let mut window = CountCounter::new(100, Measures::default());
    for _ in 0..100_000 {
        window.record(false, Duration::ZERO, Moment::ZERO);
    }
    for failed in 1..=50 {
        let metrics = window.metrics(Moment::ZERO);
        assert!(!failure_rate(0.5).holds(&TripContext { metrics: &metrics, half_open: false }));
        window.record(true, Duration::ZERO, Moment::ZERO);
        assert_eq!(window.metrics(Moment::ZERO).failures, failed);
    }
    let metrics = window.metrics(Moment::ZERO);
    assert_eq!(metrics.total, 100);
    assert!(failure_rate(0.5).holds(&TripContext { metrics: &metrics, half_open: false }));
}

#[test]
fn a_large_window_is_as_exact_as_a_small_one() {
    for size in [1, 63, 64, 100, 5_000] {
        let mut window = CountCounter::new(size, Measures::default());
        let mut twin = VecDeque::new();
        for number in 0..15_000_usize {
            // Long runs of either, and runs of every short length.
            let failure = match number % 2_100 {
                at @ ..700 => at % (1 + at / 70) == 0,
                at => at < 1_400,
            };
            window.record(failure, Duration::ZERO, Moment::ZERO);
            twin.push_back(failure);
            if twin.len() > size as usize {
                twin.pop_front();
            }
            if number % 233 == 0 {
                let metrics = window.metrics(Moment::ZERO);
                let failures = twin.iter().filter(|failure| **failure).count();
                let counted = (metrics.total as usize, metrics.failures as usize);
                assert_eq!(counted, (twin.len(), failures), "{size}: after {number}");
            }
        }
    }
}

#[test]
fn a_time_window_forgets_while_nobody_calls() {
    let mut window = TimeCounter::new(Duration::from_secs(60), Measures::default());
    window.record(true, Duration::ZERO, at(HOUR));
    window.record(false, Duration::ZERO, at(HOUR + Duration::from_secs(30)));
    for (later, total, failures) in [(0, 2, 1), (59, 2, 1), (60, 1, 0), (89, 1, 0), (90, 0, 0)] {
        let metrics = window.metrics(at(HOUR + Duration::from_secs(later)));
        assert_eq!((metrics.total, metrics.failures), (total, failures), "after {later} s");
    }
}

#[test]
fn a_time_window_survives_a_pause_of_years() {
    let mut window = TimeCounter::new(Duration::from_millis(100), Measures::default());
    for pause in [Moment::ZERO, at(HOUR * 24 * 365 * 30), Moment::FAR] {
        window.record(true, Duration::ZERO, pause);
        assert_eq!(window.metrics(pause).total, 1);
    }
}

#[test]
fn a_time_before_the_newest_counts_as_the_newest() {
    let mut window = TimeCounter::new(Duration::from_secs(60), Measures::default());
    window.record(true, Duration::ZERO, at(HOUR));
    window.record(true, Duration::ZERO, Moment::ZERO);
    assert_eq!(window.metrics(Moment::ZERO).total, 2);
    assert_eq!(window.metrics(at(HOUR + Duration::from_secs(59))).total, 2);
    assert_eq!(window.metrics(at(HOUR + Duration::from_secs(60))).total, 0);
}

#[test]
fn durations_beyond_all_bounds_are_summed_and_taken_back() {
    let measures = measures(true, &[1]);
    for mut window in [Window::count(2).open(measures), Window::time(HOUR).open(measures)] {
        for _ in 0..5 {
            window.record(true, Duration::MAX, Moment::ZERO);
        }
        let metrics = window.metrics(Moment::ZERO);
        assert!(metrics.total_duration > HOUR);
        assert_eq!(metrics.slow.get(Duration::from_millis(1)), metrics.total);
    }
}

#[test]
fn what_nobody_asked_for_is_not_measured() {
    for window in [Window::count(2), Window::time(HOUR)] {
        let mut counter = window.open(Measures::default());
        for _ in 0..5 {
            counter.record(false, HOUR, Moment::ZERO);
        }
        assert_eq!(counter.metrics(Moment::ZERO).total_duration, Duration::ZERO);
        let mut counter = window.open(measures(false, &[500]));
        counter.record(false, HOUR, Moment::ZERO);
        let metrics = counter.metrics(Moment::ZERO);
        assert_eq!(metrics.total_duration, Duration::ZERO);
        assert_eq!(metrics.slow.get(Duration::from_millis(500)), 1);
    }
}

#[derive(Debug)]
struct Faulty {
    panics_in: &'static str,
}

#[derive(Debug)]
struct FaultyCounter {
    panics_in: &'static str,
    total: u64,
}

impl WindowPolicy for Faulty {
    fn open(&self, _: Measures) -> Box<dyn Counter> {
        assert_ne!(self.panics_in, "open");
        Box::new(FaultyCounter { panics_in: self.panics_in, total: 0 })
    }

    fn capacity(&self) -> Option<u64> {
        assert_ne!(self.panics_in, "capacity");
        Some(7)
    }
}

impl Counter for FaultyCounter {
    fn record(&mut self, _: bool, _: Duration, _: Moment) {
        assert_ne!(self.panics_in, "record");
        self.total += 1;
    }

    fn metrics(&mut self, _: Moment) -> Metrics {
        assert_ne!(self.panics_in, "metrics");
        // More failures than calls: impossible, and not to be believed.
        Metrics { total: self.total, failures: self.total + 1, ..Metrics::default() }
    }

    fn clear(&mut self, _: Moment) {
        assert_ne!(self.panics_in, "clear");
        self.total = 0;
    }
}

#[test]
fn a_window_of_ones_own_may_panic() {
    for (panics_in, capacity, counted) in [
        ("nowhere", Some(7), 1),
        ("capacity", None, 1),
        ("open", Some(7), 0),
        ("record", Some(7), 0),
        ("metrics", Some(7), 0),
        ("clear", Some(7), 1),
    ] {
        let window = Window::custom(Faulty { panics_in });
        assert_eq!(window.capacity(), capacity, "{panics_in}");
        let mut counter = window.open(Measures::default());
        counter.record(true, HOUR, Moment::ZERO);
        let metrics = counter.metrics(Moment::ZERO);
        assert_eq!((metrics.total, metrics.failures), (counted, counted), "{panics_in}");
        counter.clear(Moment::ZERO);
        assert_eq!(counter.metrics(Moment::ZERO), Metrics::default(), "{panics_in}");
    }
}

/// A counter that only knows how to count one outcome.
#[derive(Debug, Default)]
struct OneByOne(Metrics);

impl Counter for OneByOne {
    fn record(&mut self, failure: bool, _: Duration, _: Moment) {
        self.0.total += 1;
        self.0.failures += u64::from(failure);
    }

    fn metrics(&mut self, _: Moment) -> Metrics {
        self.0
    }

    fn clear(&mut self, _: Moment) {
        self.0 = Metrics::default();
    }
}

#[test]
fn successes_at_once_are_as_many_successes_one_by_one() {
    let mut counters: [Box<dyn Counter>; 3] = [
        Box::new(OneByOne::default()),
        Box::new(CountCounter::new(10, Measures::default())),
        Box::new(TimeCounter::new(HOUR, Measures::default())),
    ];
    for counter in &mut counters {
        counter.record(true, Duration::ZERO, Moment::ZERO);
        counter.record_successes(5, Moment::ZERO);
        let metrics = counter.metrics(Moment::ZERO);
        assert_eq!(
            (metrics.total, metrics.failures, metrics.successes()),
            (6, 1, 5),
            "{counter:?}"
        );
    }
}

/// An outcome, how long it took, and how much later than the one before it ended (or earlier).
fn outcomes() -> impl Strategy<Value = Vec<(bool, Duration, i64)>> {
    let step = prop_oneof![
        8 => 0..2_000_000_000i64,
        2 => 0..200_000_000_000i64,
        1 => -5_000_000_000..0i64,
    ];
    let duration = prop_oneof![Just(0), 0..2_000u64].prop_map(Duration::from_millis);
    prop::collection::vec((any::<bool>(), duration, step), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_count_window_equals_its_twin(
        size in prop_oneof![1..5u32, 60..70u32, 1..400u32],
        (latency, slow) in (any::<bool>(), prop::sample::subsequence(vec![1, 500, 1_000], 0..=3)),
        outcomes in outcomes(),
        cleared_at in 0..600usize,
    ) {
        let measures = measures(latency, &slow);
        let mut window = Window::count(size).open(measures);
        let mut twin = VecDeque::new();
        for (i, (failure, duration, _)) in outcomes.into_iter().enumerate() {
            if i == cleared_at {
                window.clear(Moment::ZERO);
                twin.clear();
            }
            window.record(failure, duration, Moment::ZERO);
            twin.push_back((failure, duration));
            if twin.len() > size as usize {
                twin.pop_front();
            }
            prop_assert_eq!(window.metrics(Moment::ZERO), counted(twin.iter().copied(), measures));
        }
    }

    #[test]
    fn a_time_window_equals_its_twin(
        span in prop_oneof![Just(60_000_000_000u64), 100_000_000..100_000_000_000u64],
        (latency, slow) in (any::<bool>(), prop::sample::subsequence(vec![1, 500, 1_000], 0..=3)),
        outcomes in outcomes(),
        cleared_at in 0..600usize,
    ) {
        let measures = measures(latency, &slow);
        let mut window = Window::time(Duration::from_nanos(span)).open(measures);
        let width = span.div_ceil(60);
        let mut twin = Vec::new();
        let (mut now, mut newest) = (3_600_000_000_000u64, 0);
        for (i, (failure, duration, step)) in outcomes.into_iter().enumerate() {
            now = now.saturating_add_signed(step);
            newest = now.max(newest);
            let moment = Moment::from_nanos(now);
            // Time passes before anything is recorded: what is read must not depend on calls.
            twin.retain(|(bucket, _, _): &(u64, bool, Duration)| bucket + 60 > newest / width);
            let held = || twin.iter().map(|(_, failure, duration)| (*failure, *duration));
            prop_assert_eq!(window.metrics(moment), counted(held(), measures));
            if i == cleared_at {
                window.clear(moment);
                twin.clear();
            }
            window.record(failure, duration, moment);
            twin.push((newest / width, failure, duration));
            let held = twin.iter().map(|(_, failure, duration)| (*failure, *duration));
            prop_assert_eq!(window.metrics(moment), counted(held, measures));
        }
    }
}
