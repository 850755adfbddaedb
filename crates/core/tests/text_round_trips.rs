//! The text forms under random values: whatever is valid is read back the same, and no text makes a parser panic.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::policy::{
    FailureClass, Permit, Recovery, Retry, Tracker, Tripper, Window, avg_latency, closed,
    failure_rate, failure_streak, failures, half_open, in_flight_over, min_requests, slow_rate,
};
use fuseboard_core::text::{ParseError, format_duration, parse_duration};
use proptest::prelude::*;

fn reads_back<T>(value: &T)
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq,
{
    assert_eq!(value.to_string().parse::<T>().as_ref(), Ok(value), "{value}");
}

fn duration() -> impl Strategy<Value = Duration> {
    let nanos = prop_oneof![1..5_000u64, 1..100_000_000_000u64, 1..u64::MAX];
    (nanos, prop_oneof![Just(1u64), Just(1_000), Just(1_000_000), Just(1_000_000_000)])
        .prop_map(|(nanos, grain)| Duration::from_nanos((nanos / grain * grain).max(1)))
}

fn tripper() -> impl Strategy<Value = Tripper> {
    // Few different thresholds, because a tripper may not have more.
    let threshold =
        || prop::sample::select([1, 250, 1_000, 90_000].map(Duration::from_millis).to_vec());
    let term = prop_oneof![
        (1..u64::MAX).prop_map(min_requests),
        (0.0..=1.0).prop_map(failure_rate),
        (1..u64::MAX).prop_map(failure_streak),
        (1..u64::MAX).prop_map(failures),
        ((0.0..=1.0), threshold()).prop_map(|(ratio, after)| slow_rate(ratio, after)),
        duration().prop_map(avg_latency),
        ((1..u64::MAX), threshold()).prop_map(|(n, after)| in_flight_over(n, after)),
        Just(closed()),
        Just(half_open()),
    ];
    term.prop_recursive(8, 64, 2, |inner| {
        (inner.clone(), inner, any::<bool>())
            .prop_map(|(left, right, both)| if both { left & right } else { left | right })
    })
}

fn tracker() -> impl Strategy<Value = Tracker> {
    let term = prop_oneof![
        Just(Tracker::Errors),
        Just(Tracker::Rejections),
        Just(Tracker::Nothing),
        Just(Tracker::Class(FailureClass::Connect)),
        Just(Tracker::Class(FailureClass::Timeout)),
        Just(Tracker::Class(FailureClass::Reset)),
        (100..=599u16).prop_map(Tracker::status),
        (1..=5u8).prop_map(Tracker::status_hundreds),
    ];
    term.prop_recursive(8, 64, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left & right),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left | right),
            inner.prop_map(|inner| !inner),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_duration_reads_back(nanos in any::<u64>(), exact in duration()) {
        for duration in [Duration::from_nanos(nanos), exact] {
            prop_assert_eq!(parse_duration(&format_duration(duration).to_string()), Ok(duration));
        }
    }

    #[test]
    fn every_tripper_reads_back(tripper in tripper()) {
        prop_assert_eq!(tripper.validate(), Ok(()));
        reads_back(&tripper);
    }

    #[test]
    fn every_tracker_reads_back(tracker in tracker()) {
        prop_assert_eq!(tracker.validate(), Ok(()));
        reads_back(&tracker);
    }

    #[test]
    fn every_window_permit_and_recovery_reads_back(
        size in 1..=1_000_000u32,
        span in 100_000_000..=86_400_000_000_000u64,
        from in 0.001..1.0f64,
        more in 0.0..1.0f64,
        over in duration(),
        n in 1..u32::MAX,
    ) {
        reads_back(&Window::count(size));
        reads_back(&Window::time(Duration::from_nanos(span)));
        reads_back(&Permit::random(from));
        reads_back(&Permit::ramp_up(from, from + (1.0 - from) * more, over));
        reads_back(&Recovery::successes(n));
    }

    #[test]
    fn every_retry_reads_back(
        (one, other) in (duration(), duration()),
        multiplier in prop_oneof![Just(2.0), 1.0001..1e300f64],
        jitter in prop_oneof![Just(0.0), 0.0..1.0f64],
    ) {
        reads_back(&Retry::cooldown(one).with_jitter(jitter));
        let backoff = Retry::backoff(one.min(other), one.max(other));
        reads_back(&backoff.with_multiplier(multiplier).with_jitter(jitter));
    }

    #[test]
    fn no_text_makes_a_parser_panic(
        text in prop_oneof![
            any::<String>(),
            "[a-z_0-9.(),=&|! ]{0,60}",
            "((count|time|backoff|failure_rate|!|\\(|\\)|,|=|&|\\||10s|0.5|5xx|max|é| ){0,20})",
        ],
    ) {
        // An error's column lies in the text, or just behind it.
        let last = text.chars().count() + 1;
        let errors = [
            parse_duration(&text).err(),
            text.parse::<Window>().err(),
            text.parse::<Tripper>().err(),
            text.parse::<Retry>().err(),
            text.parse::<Permit>().err(),
            text.parse::<Recovery>().err(),
            text.parse::<Tracker>().err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!((1..=last).contains(&error.column()), "{error}");
        }
    }
}
