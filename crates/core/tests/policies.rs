//! What policies answer, as tables: edges, overflow, chance, and what is refused.

use std::time::Duration;

use fuseboard_core::Outcome;
use fuseboard_core::metrics::{Measures, Metrics, Tally, Thresholds};
use fuseboard_core::policy::{
    Classifier, Deadline, Decision, InvalidPolicy, Kind, Permit, Recovery, RecoveryContext, Retry,
    Seen, Tracker, TripContext, Tripper, Window, avg_latency, closed, failure_rate, failure_streak,
    failures, half_open, in_flight_over, min_requests, slow_rate,
};
use fuseboard_core::time::Moment;
use proptest::prelude::*;

const SEC: Duration = Duration::from_secs(1);

fn tally(threshold: Duration, count: u64) -> Tally {
    let mut thresholds = Thresholds::default();
    assert!(thresholds.insert(threshold));
    let mut tally = Tally::new(thresholds);
    (0..count).for_each(|_| tally.add(threshold));
    tally
}

/// 20 calls, 12 failed, 5 in a row, 6 slow, 40 s altogether, and 20 calls hang.
fn measured() -> Metrics {
    Metrics {
        total: 20,
        failures: 12,
        streak: 5,
        total_duration: 40 * SEC,
        slow: tally(SEC, 6),
        hanging: tally(5 * SEC, 20),
    }
}

fn holds(tripper: &Tripper, metrics: &Metrics) -> bool {
    tripper.holds(&TripContext { metrics, half_open: false })
}

#[test]
fn all_comparisons_of_a_tripper_are_inclusive() {
    for (holding, not_holding) in [
        (min_requests(20), min_requests(21)),
        (failure_rate(0.6), failure_rate(0.600001)),
        (failure_streak(5), failure_streak(6)),
        (failures(12), failures(13)),
        (slow_rate(0.3, SEC), slow_rate(0.300001, SEC)),
        (avg_latency(2 * SEC), avg_latency(2 * SEC + Duration::from_nanos(1))),
        (in_flight_over(20, 5 * SEC), in_flight_over(21, 5 * SEC)),
        (closed(), half_open()),
    ] {
        assert!(holds(&holding, &measured()), "{holding}");
        assert!(!holds(&not_holding, &measured()), "{not_holding}");
        assert!(holds(&(not_holding.clone() | holding.clone()), &measured()));
        assert!(!holds(&(holding & not_holding), &measured()));
    }
    let (metrics, half) = (measured(), half_open());
    assert!(half.holds(&TripContext { metrics: &metrics, half_open: true }));
}

#[test]
fn a_rate_equals_the_ratio_that_a_person_writes() {
    for total in 1..=200u64 {
        for failures in 0..=total {
            let metrics = Metrics { total, failures, ..Metrics::default() };
            let written = format!("failure_rate({})", failures as f64 / total as f64);
            assert!(holds(&written.parse().unwrap(), &metrics), "{failures} of {total}");
        }
    }
    assert!(holds(&failure_rate(0.07), &Metrics { total: 100, failures: 7, ..Metrics::default() }));
}

#[test]
fn rates_and_averages_of_nothing_do_not_hold() {
    for tripper in [failure_rate(0.0), slow_rate(0.0, SEC), avg_latency(Duration::from_nanos(1))] {
        assert!(!holds(&tripper, &Metrics::default()), "{tripper}");
    }
}

#[test]
fn an_explanation_names_what_makes_it_hold_and_nothing_else() {
    for (tripper, explanation) in [
        (
            "failure_rate(0.5) & min_requests(20)",
            "failure_rate(0.5): 12 of 20 failed (0.6); min_requests(20): 20",
        ),
        ("failures(99) | failure_streak(5)", "failure_streak(5): 5 in a row"),
        ("min_requests(1) & failures(99) | failures(2)", "failures(2): 12 of 20 failed"),
        (
            "closed & (slow_rate(0.3, 1s) | failures(99))",
            "closed; slow_rate(0.3, 1s): 6 of 20 took at least 1s (0.3)",
        ),
        ("avg_latency(1.5s)", "avg_latency(1.5s): 2s on average"),
        ("in_flight_over(3, 5s)", "in_flight_over(3, 5s): 20 in flight for at least 5s"),
        ("half_open | failures(99)", ""),
    ] {
        let (parsed, metrics) = (tripper.parse::<Tripper>().unwrap(), measured());
        let context = TripContext { metrics: &metrics, half_open: false };
        assert_eq!(parsed.explain(&context), explanation, "{tripper}");
    }
    let third = Metrics { total: 3, failures: 1, total_duration: 10 * SEC, ..Metrics::default() };
    let context = TripContext { metrics: &third, half_open: false };
    assert_eq!(failure_rate(0.3).explain(&context), "failure_rate(0.3): 1 of 3 failed (0.333)");
    assert_eq!(avg_latency(SEC).explain(&context), "avg_latency(1s): 3.333s on average");
    for (nanos, shown) in [(999_999, "999.999us"), (1_000_000, "1ms"), (1_234_567, "1.234ms")] {
        let total_duration = Duration::from_nanos(nanos);
        let metrics = Metrics { total: 1, total_duration, ..Metrics::default() };
        let context = TripContext { metrics: &metrics, half_open: false };
        let explained = avg_latency(Duration::from_nanos(1)).explain(&context);
        assert_eq!(explained, format!("avg_latency(1ns): {shown} on average"));
    }
}

#[test]
fn a_tripper_asks_for_what_it_needs_and_no_more() {
    assert_eq!(
        (failure_streak(5) | min_requests(20) & failure_rate(0.5)).measures(),
        Measures::default()
    );
    assert_eq!(failures(1).lowest_slow_threshold(), None);
    let tripper = slow_rate(0.5, 3 * SEC) | slow_rate(0.1, SEC) & in_flight_over(2, 5 * SEC);
    let measures = tripper.measures();
    assert!(!measures.latency, "slow calls are counted, their durations are not added up");
    assert_eq!(measures.slow.iter().collect::<Vec<_>>(), [SEC, 3 * SEC]);
    assert_eq!(measures.hanging.iter().collect::<Vec<_>>(), [5 * SEC]);
    assert_eq!(tripper.lowest_slow_threshold(), Some(SEC));
    assert!(!in_flight_over(2, SEC).measures().latency);
    assert!(avg_latency(SEC).measures().latency);
}

/// Each error reads `{field and value} is not possible: {what would be right}`.
fn refused(cases: Vec<(Result<(), InvalidPolicy>, &str, &str)>) {
    for (result, impossible, right) in cases {
        let error = result.expect_err(impossible);
        assert_eq!(error.to_string(), format!("{impossible} is not possible: {right}"));
    }
}

#[test]
fn an_impossible_tripper_is_refused_with_what_would_be_right() {
    let trip = |tripper: Tripper| tripper.validate_with(&Window::count(100));
    let (ratio, one) = ("a ratio goes from 0 to 1", "the number is at least 1");
    let never = "the window `count(100)` never holds more than 100 calls";
    refused(vec![
        (trip(failure_rate(1.5)), "trip: `failure_rate(1.5)`", ratio),
        (trip(failure_rate(f64::NAN)), "trip: `failure_rate(NaN)`", ratio),
        (trip(slow_rate(-0.1, SEC)), "trip: `slow_rate(-0.1, 1s)`", ratio),
        (trip(closed() & failures(0)), "trip: `failures(0)`", one),
        (trip(in_flight_over(0, SEC)), "trip: `in_flight_over(0, 1s)`", one),
        (trip(avg_latency(Duration::ZERO)), "trip: `avg_latency(0s)`", "the duration is above 0s"),
        (trip(closed() & min_requests(101)), "trip: `min_requests(101)`", never),
        (trip(failures(101)), "trip: `failures(101)`", never),
    ]);
    for tripper in [min_requests(100), failures(100), failure_streak(1_000)] {
        assert_eq!(tripper.validate_with(&Window::count(100)), Ok(()), "{tripper}");
    }
    assert_eq!(min_requests(1_000).validate_with(&Window::time(SEC)), Ok(()));
}

#[test]
fn a_tripper_has_at_most_four_thresholds_of_each_sort() {
    let slow = |n: u32| slow_rate(0.5, n * SEC);
    let hanging = |n: u32| in_flight_over(1, n * SEC);
    let four = slow(1) | slow(2) | slow(3) | slow(4);
    let both = four.clone() | slow(4) | hanging(6) | hanging(7) | hanging(8) | hanging(9);
    assert_eq!(both.validate(), Ok(()));
    for (fifth, of_what) in [
        (both.clone() | slow(5), "at most 4 different thresholds for slow calls"),
        (both | hanging(5), "at most 4 different thresholds for calls in flight"),
    ] {
        assert_eq!(fifth.validate().unwrap_err().expected(), of_what);
    }
}

#[test]
fn what_else_is_impossible_is_refused_with_what_would_be_right() {
    let calls = "a window holds from 1 to 1000000 calls";
    let span = "a window spans from 100ms to 1d";
    let jitter = "a jitter goes from 0 up to, but not including, 1";
    let multiplier = "a multiplier is a number above 1";
    let status = "a status goes from 100 to 599, a hundred from 1xx to 5xx";
    let admits = "a ratio goes up to 1, and 0 would never admit a call";
    let backoff = Retry::backoff(SEC, SEC);
    refused(vec![
        (Window::count(0).validate(), "window: `count(0)`", calls),
        (Window::time(SEC / 100).validate(), "window: `time(10ms)`", span),
        (
            Retry::backoff(10 * SEC, SEC).validate(),
            "retry: `backoff(10s, max=1s)`",
            "max, 1s, is below the initial wait, 10s",
        ),
        (
            Retry::cooldown(SEC).with_jitter(1.0).validate(),
            "retry: `cooldown(1s, jitter=1)`",
            jitter,
        ),
        (
            backoff.with_multiplier(f64::INFINITY).validate(),
            "retry: `backoff(1s, max=1s, multiplier=inf)`",
            multiplier,
        ),
        (Permit::random(0.0).validate(), "permit: `random(0)`", admits),
        (Permit::ramp_up(0.0, 1.0, SEC).validate(), "permit: `ramp_up(0, 1, 1s)`", admits),
        (
            Permit::ramp_up(0.5, 0.1, SEC).validate(),
            "permit: `ramp_up(0.5, 0.1, 1s)`",
            "a ramp that starts at 0.5 ends there or above",
        ),
        (Recovery::successes(0).validate(), "recovery: `successes(0)`", "the number is at least 1"),
        (Tracker::status(99).validate(), "failure: `99`", status),
        ((!Tracker::status_hundreds(6)).validate(), "failure: `6xx`", status),
    ]);
}

fn wait(retry: &Retry, reopens: u32, draw: f64, retry_after: Option<Duration>) -> Duration {
    let opened = Moment::from_nanos(5);
    match retry.deadline(opened, reopens, draw, retry_after) {
        Deadline::At(moment) => moment.since(opened),
        other => panic!("{retry}: {other:?}"),
    }
}

#[test]
fn waits_grow_up_to_max_and_never_overflow() {
    let retry: Retry = "backoff(10s, max=5m)".parse().unwrap();
    for (reopens, seconds) in [(0, 10), (1, 20), (4, 160), (5, 300), (64, 300), (u32::MAX, 300)] {
        assert_eq!(wait(&retry, reopens, 0.9, None), seconds * SEC, "{reopens}");
    }
    let steep = Retry::backoff(SEC, 4 * SEC).with_multiplier(1e300);
    assert_eq!(wait(&steep, u32::MAX, 0.0, None), 4 * SEC);
    let endless = Retry::backoff(SEC, Duration::MAX).with_jitter(0.9);
    assert_eq!(endless.deadline(Moment::ZERO, u32::MAX, 0.9, None), Deadline::At(Moment::FAR));
    assert_eq!(wait(&Retry::cooldown(10 * SEC), 7, 0.9, None), 10 * SEC);
    assert_eq!(wait(&Retry::Always, 7, 0.9, None), Duration::ZERO);
    assert_eq!(Retry::Never.deadline(Moment::ZERO, 0, 0.0, Some(SEC)), Deadline::Never);
}

#[test]
fn a_wait_beyond_max_is_mirrored() {
    let retry: Retry = "backoff(10s, max=10s, jitter=0.5)".parse().unwrap();
    for (draw, millis) in [(0.0, 5_000), (0.25, 7_500), (0.5, 10_000), (0.75, 7_500)] {
        assert_eq!(wait(&retry, 3, draw, None), Duration::from_millis(millis), "{draw}");
    }
}

#[test]
fn a_service_may_ask_for_more_time_within_bounds() {
    let hours = |n: u64| Some(Duration::from_secs(n * 3_600));
    for (retry, retry_after, seconds) in [
        ("cooldown(10s)", Some(SEC), 10),
        ("cooldown(10s)", Some(30 * SEC), 30),
        ("cooldown(10s)", hours(5), 3_600),
        ("cooldown(2h)", hours(5), 7_200),
        ("backoff(10s, max=5m)", Some(200 * SEC), 200),
        ("backoff(10s, max=5m)", hours(5), 300),
        ("backoff(10s, max=3h)", hours(5), 3 * 3_600),
        ("always", Some(30 * SEC), 30),
        ("always", Some(Duration::MAX), 3_600),
    ] {
        let parsed = retry.parse().unwrap();
        assert_eq!(wait(&parsed, 0, 0.5, retry_after), seconds * SEC, "{retry} {retry_after:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn jitter_stays_within_its_share_and_below_max(
        jitter in 0.0..1.0f64,
        draw in 0.0..1.0f64,
        reopens in prop_oneof![0..8u32, any::<u32>()],
    ) {
        let cooldown = wait(&Retry::cooldown(10 * SEC).with_jitter(jitter), 0, draw, None);
        let (low, high) = (10.0 * (1.0 - jitter) - 1e-6, 10.0 * (1.0 + jitter) + 1e-6);
        prop_assert!((low..=high).contains(&cooldown.as_secs_f64()), "{cooldown:?}");

        let backoff = Retry::backoff(10 * SEC, 300 * SEC);
        let base = wait(&backoff, reopens, 0.5, None).as_secs_f64();
        let jittered = wait(&backoff.with_jitter(jitter), reopens, draw, None);
        prop_assert!(jittered <= 300 * SEC);
        prop_assert!(jittered.as_secs_f64() >= base * (1.0 - jitter) - 1e-6);
    }
}

#[test]
fn a_ramp_rises_evenly_and_then_stays() {
    let ramp = Permit::ramp_up(0.1, 0.8, 60 * SEC);
    for (second, share) in [(0, 0.1), (15, 0.275), (30, 0.45), (45, 0.625), (60, 0.8), (600, 0.8)] {
        let elapsed = second * SEC;
        assert!(ramp.permits(elapsed, share - 1e-9), "{second} s");
        assert!(!ramp.permits(elapsed, share + 1e-9), "{second} s");
    }
    assert!(Permit::ramp_up(0.1, 1.0, SEC).permits(SEC, 0.999_999_999));
    assert!(Permit::All.permits(Duration::ZERO, 0.999_999_999));
    assert!(Permit::random(0.5).permits(SEC, 0.499) && !Permit::random(0.5).permits(SEC, 0.5));
}

fn decide(recovery: &Recovery, successes: u32, last: Outcome, trips: bool) -> Decision {
    let metrics = Metrics::default();
    let failures = u32::from(last == Outcome::Failure);
    recovery.decide(&RecoveryContext { successes, failures, last, metrics: &metrics, trips })
}

#[test]
fn a_recovery_closes_opens_or_stays() {
    use Decision::{Close, Open, Stay};
    use Outcome::{Failure, Ignored, Success};
    for (recovery, successes, last, trips, decision) in [
        (Recovery::successes(3), 2, Success, false, Stay),
        (Recovery::successes(3), 3, Success, true, Close),
        (Recovery::successes(3), 2, Failure, false, Open),
        (Recovery::successes(3), 3, Ignored, false, Stay),
        (Recovery::Tripper, 1, Success, false, Close),
        (Recovery::Tripper, 9, Success, true, Stay),
        (Recovery::Tripper, 9, Failure, true, Open),
        (Recovery::Tripper, 9, Failure, false, Stay),
        (Recovery::Tripper, 9, Ignored, true, Stay),
    ] {
        let found = decide(&recovery, successes, last, trips);
        assert_eq!(found, decision, "{recovery} {successes} {last:?} {trips}");
    }
}

#[test]
fn a_tracker_tells_errors_rejections_results_statuses_and_kinds_apart() {
    let (error, value) = (std::fmt::Error, 17u8);
    let seen = [
        Seen::error(&error),
        Seen::value(&value),
        Seen::status(503),
        Seen::status(429),
        Seen::kind(Kind::Connect),
        Seen::kind(Kind::Timeout),
        Seen::kind(Kind::Reset),
        Seen::rejection(&error),
    ];
    for (text, matching) in [
        ("errors", [true, false, false, false, true, true, true, false]),
        ("rejections", [false, false, false, false, false, false, false, true]),
        ("errors | rejections", [true, false, false, false, true, true, true, true]),
        ("!(errors | rejections)", [false, true, true, true, false, false, false, false]),
        ("nothing", [false; 8]),
        ("!nothing", [true; 8]),
        ("5xx", [false, false, true, false, false, false, false, false]),
        ("429", [false, false, false, true, false, false, false, false]),
        ("4xx | connect", [false, false, false, true, true, false, false, false]),
        ("errors & !(timeout | reset)", [true, false, false, false, true, false, false, false]),
        ("timeout", [false, false, false, false, false, true, false, false]),
        ("reset", [false, false, false, false, false, false, true, false]),
    ] {
        let tracker: Tracker = text.parse().unwrap();
        assert_eq!(seen.map(|seen| tracker.matches(&seen)), matching, "{text}");
    }
    let large = Tracker::value("large", |n: &u8| *n > 16);
    assert_eq!(
        seen.map(|seen| large.matches(&seen)),
        [false, true, false, false, false, false, false, false]
    );
    assert!(!large.matches(&Seen::value(&16u8)) && !large.matches(&Seen::value(&17u16)));
    let formatting = Tracker::error_type::<std::fmt::Error>();
    assert!(formatting.matches(&seen[0]) && !formatting.matches(&Seen::error(&17u8)));
    assert!(formatting.matches(&seen[7]), "a rejection has a type, too");
    assert!(seen[7].is_error() && seen[7].is_rejection() && !seen[0].is_rejection());
}

#[test]
fn a_classifier_asks_what_is_ignored_first() {
    let classifier = |failures: &str, ignored: &str| Classifier {
        failures: failures.parse().unwrap(),
        ignored: ignored.parse().unwrap(),
    };
    use Outcome::{Failure, Ignored, Success};
    let seen = [Seen::kind(Kind::Timeout), Seen::status(503), Seen::rejection(&())];
    for (failures, ignored, outcomes) in [
        ("errors", "nothing", [Failure, Success, Ignored]),
        ("errors | 5xx", "503", [Failure, Ignored, Ignored]),
        ("5xx", "nothing", [Ignored, Failure, Ignored]),
        ("errors", "timeout", [Ignored, Success, Ignored]),
        ("rejections", "nothing", [Ignored, Success, Failure]),
        ("rejections", "errors", [Ignored, Success, Failure]),
        ("errors | rejections", "rejections", [Failure, Success, Ignored]),
        ("!nothing", "nothing", [Failure, Failure, Failure]),
    ] {
        let classifier = classifier(failures, ignored);
        let got = seen.map(|seen| classifier.classify(&seen));
        assert_eq!(got, outcomes, "{failures} {ignored}");
    }
    assert_eq!(Classifier::default(), classifier("errors", "nothing"));
}

#[test]
fn from_how_many_calls_on_a_success_cannot_trip_is_known_where_it_is_known() {
    for (tripper, from) in [
        (min_requests(20), Some(20)),
        (failure_rate(0.5), Some(0)),
        (failure_rate(0.0), None),
        (slow_rate(0.5, SEC), Some(0)),
        (slow_rate(0.0, SEC), None),
        (failure_streak(1) | failures(1) | closed() | half_open(), Some(0)),
        (failure_rate(0.5) & min_requests(20), Some(20)),
        (min_requests(30) | min_requests(20), Some(30)),
        (min_requests(30) & avg_latency(SEC), None),
        (in_flight_over(1, SEC) | failures(1), None),
    ] {
        assert_eq!(tripper.falls_from(), from, "{tripper}");
    }
}

#[test]
fn a_draw_that_equals_the_ratio_admits_nothing() {
    let ramp = Permit::ramp_up(0.0, 1.0, 10 * SEC);
    for (draw, permitted) in [(0.499_999, true), (0.5, false)] {
        assert_eq!(Permit::random(0.5).permits(SEC, draw), permitted, "{draw}");
        assert_eq!(ramp.permits(5 * SEC, draw), permitted, "{draw}, half of the way up");
    }
}

#[test]
fn a_classifier_that_looks_at_no_value_says_so() {
    let with = |failures: Tracker, ignored| Classifier { failures, ignored };
    for (classifier, plain) in [
        (Classifier::default(), true),
        (with(Tracker::status(500), Tracker::Nothing), false),
        (with(Tracker::Errors, Tracker::value("empty", |_: &String| true)), false),
    ] {
        assert_eq!(classifier.takes_values_for_successes(), plain);
    }
}
