//! The rules of a circuit: the defaults, and the refusal of what cannot work.
#![cfg(test)]

use std::time::Duration;

use fuseboard_core::policy::{
    Permit, Recovery, Retry, Tracker, Tripper, Window, avg_latency, failure_rate, failure_streak,
    failures, in_flight_over, min_requests, slow_rate,
};
use fuseboard_core::{BuildError, Rules, RulesBuilder};

const ZERO: Duration = Duration::ZERO;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let rules = Rules::default();
    let written = [
        ("window", "count(100)"),
        ("failure", "errors"),
        ("ignore", "nothing"),
        ("trip", "failure_streak(5) | min_requests(20) & failure_rate(0.5)"),
        ("retry", "backoff(10s, max=5m, jitter=0.2)"),
        ("permit", "all"),
        ("slots", "3"),
        ("recovery", "successes(3)"),
        ("probe_timeout", "1m"),
        ("cancelled_after", "never"),
    ];
    assert_eq!(
        rules.settings().map(|(_, value)| value),
        written.map(|(_, value)| value.to_owned())
    );
    assert_eq!(rules.settings().map(|(name, _)| name), written.map(|(name, _)| name));
    assert_eq!(
        (rules.probe_timeout(), rules.slots(), rules.cancelled_after()),
        (secs(60), 3, None)
    );
    assert!(!rules.times_calls(), "nothing in them looks at latency");
    assert_eq!(rules, Rules::builder().build().unwrap());
}

#[test]
fn the_defaults_of_the_rules_are_those_of_the_policies() {
    let rules = Rules::default();
    assert_eq!(*rules.window(), Window::default());
    assert_eq!(*rules.tripper(), Tripper::default());
    assert_eq!(*rules.retry(), Retry::default());
    assert_eq!(*rules.permit(), Permit::default());
    assert_eq!(*rules.recovery(), Recovery::default());
}

/// A builder with one setting that cannot work; the setting's name, its value in the message, and words of what would
/// be right.
type Impossible = (RulesBuilder, &'static str, &'static str, &'static str);

fn assert_refused(table: impl IntoIterator<Item = Impossible>) {
    for (builder, field, value, remedy) in table {
        let error = match builder.build() {
            Ok(rules) => panic!("{field} `{value}` was accepted: {:?}", rules.settings()),
            Err(error) => error,
        };
        assert_eq!((error.field(), error.value()), (field, value), "{error}");
        assert!(
            error.expected().contains(remedy),
            "{field} `{value}`: `{remedy}` is not in: {error}"
        );
        let message = BuildError::from(error.clone()).to_string();
        for part in [field, value, error.expected()] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn what_is_impossible_in_one_setting_is_refused_with_its_field_its_value_and_what_would_be_right() {
    let rules = Rules::builder;
    let retry = |text: &str| text.parse::<Retry>().unwrap();
    let day = secs(86_400);
    let backoff = |initial, max| Retry::backoff(secs(initial), secs(max));
    assert_refused([
        (rules().window(Window::count(0)), "window", "count(0)", "from 1 to 1000000"),
        (rules().window(Window::count(1_000_001)), "window", "count(1000001)", "from 1 to 1000000"),
        (rules().window(Window::time(ZERO)), "window", "time(0s)", "from 100ms"),
        (rules().window(Window::time(secs(1) / 100)), "window", "time(10ms)", "from 100ms"),
        (rules().window(Window::time(2 * day)), "window", "time(2d)", "to 1d"),
        (rules().retry(Retry::cooldown(ZERO)), "retry", "cooldown(0s)", "above 0s"),
        (rules().retry(backoff(0, 10)), "retry", "backoff(0s, max=10s)", "above 0s"),
        (rules().retry(backoff(10, 9)), "retry", "backoff(10s, max=9s)", "initial wait, 10s"),
        (
            rules().retry(retry("cooldown(10s)").with_jitter(1.0)),
            "retry",
            "cooldown(10s, jitter=1)",
            "from 0 up to, but not including, 1",
        ),
        (
            rules().retry(retry("backoff(10s)").with_jitter(-0.5)),
            "retry",
            "backoff(10s, max=5m, jitter=-0.5)",
            "from 0 up to, but not including, 1",
        ),
        (
            rules().retry(retry("backoff(10s)").with_multiplier(1.0)),
            "retry",
            "backoff(10s, max=5m, multiplier=1)",
            "above 1",
        ),
        (rules().permit(Permit::random(0.0)), "permit", "random(0)", "never admit"),
        (rules().permit(Permit::random(1.5)), "permit", "random(1.5)", "up to 1"),
        (
            rules().permit(Permit::ramp_up(0.0, 1.0, day)),
            "permit",
            "ramp_up(0, 1, 1d)",
            "never admit",
        ),
        (
            rules().permit(Permit::ramp_up(0.5, 0.1, day)),
            "permit",
            "ramp_up(0.5, 0.1, 1d)",
            "starts at 0.5",
        ),
        (
            rules().permit(Permit::ramp_up(0.1, 1.0, ZERO)),
            "permit",
            "ramp_up(0.1, 1, 0s)",
            "above 0s",
        ),
        (rules().recovery(Recovery::successes(0)), "recovery", "successes(0)", "at least 1"),
        (rules().slots(0), "slots", "0", "from 1 to 10000"),
        (rules().slots(10_001), "slots", "10001", "from 1 to 10000"),
        (rules().probe_timeout(ZERO), "probe_timeout", "0s", "from 1ms"),
        (rules().probe_timeout(2 * day), "probe_timeout", "2d", "to 24h"),
        (rules().cancelled_after(ZERO), "cancelled_after", "0s", "above zero"),
    ]);
}

#[test]
fn a_status_that_http_does_not_have_is_refused_wherever_the_term_stands() {
    let (status, hundreds) = (Tracker::status, Tracker::status_hundreds);
    let remedy = "a status goes from 100 to 599, a hundred from 1xx to 5xx";
    let table = [
        (status(0), "0"),
        (status(42), "42"),
        (status(99), "99"),
        (status(600), "600"),
        (hundreds(0), "0xx"),
        (hundreds(6), "6xx"),
        (hundreds(7), "7xx"),
    ];
    for (term, value) in table {
        let (errors, last) = (Tracker::Errors, term.clone());
        for tracker in [term.clone(), !term, errors.clone() & (errors | !last)] {
            assert_refused([
                (Rules::builder().tracker(tracker.clone()), "failure", value, remedy),
                (Rules::builder().ignoring(tracker), "ignore", value, remedy),
            ]);
        }
    }
    let possible = [status(100), status(599), hundreds(1), hundreds(5), Tracker::Rejections];
    for term in possible {
        let rules = Rules::builder().tracker(term.clone()).ignoring(!term.clone());
        assert!(rules.build().is_ok(), "{term}");
    }
}

#[test]
fn a_tracker_that_is_too_long_for_text_is_refused() {
    let joined = |count| vec![Tracker::Errors; count].into_iter().reduce(|a, b| a | b).unwrap();
    assert!(Rules::builder().tracker(joined(256)).ignoring(joined(256)).build().is_ok());
    let (limit, value) = ("at most 256 terms", "257 terms, nested 0 deep");
    assert_refused([
        (Rules::builder().tracker(joined(257)), "failure", value, limit),
        (Rules::builder().ignoring(joined(257)), "ignore", value, limit),
    ]);
}

#[test]
fn a_tripper_that_cannot_be_meant_is_refused_wherever_the_term_stands() {
    let table = [
        (min_requests(0), "min_requests(0)", "at least 1"),
        (failure_streak(0), "failure_streak(0)", "at least 1"),
        (failures(0), "failures(0)", "at least 1"),
        (failure_rate(1.5), "failure_rate(1.5)", "from 0 to 1"),
        (failure_rate(-0.5), "failure_rate(-0.5)", "from 0 to 1"),
        (slow_rate(1.5, secs(1)), "slow_rate(1.5, 1s)", "from 0 to 1"),
        (slow_rate(0.5, ZERO), "slow_rate(0.5, 0s)", "above 0s"),
        (avg_latency(ZERO), "avg_latency(0s)", "above 0s"),
        (in_flight_over(0, secs(1)), "in_flight_over(0, 1s)", "at least 1"),
        (in_flight_over(1, ZERO), "in_flight_over(1, 0s)", "above 0s"),
        (min_requests(101), "min_requests(101)", "never holds more than 100 calls"),
        (failures(101), "failures(101)", "never holds more than 100 calls"),
    ];
    for (term, value, remedy) in table {
        let (fine, last) = (failure_streak(7), term.clone());
        let places = [term.clone(), term.clone() & fine.clone(), fine.clone() | fine & last];
        assert_refused(places.map(|trip| (Rules::builder().tripper(trip), "trip", value, remedy)));
    }
    let nan = Rules::builder().tripper(failure_rate(f64::NAN)).build().unwrap_err();
    assert_eq!((nan.field(), nan.expected()), ("trip", "a ratio goes from 0 to 1"));
}

#[test]
fn a_tripper_may_wait_for_as_many_calls_as_the_window_holds() {
    let table = [
        (Window::count(20), min_requests(20), true),
        (Window::count(20), min_requests(21), false),
        (Window::count(20), failures(20), true),
        (Window::count(20), failures(21), false),
        (Window::count(20), failure_streak(21), true),
        (Window::time(secs(60)), min_requests(1_000_000), true),
    ];
    for (window, tripper, possible) in table {
        let case = format!("{window}, {tripper}");
        let built = Rules::builder().window(window.clone()).tripper(tripper).build();
        assert_eq!(built.is_ok(), possible, "{case}");
        if let Err(error) = built {
            assert!(error.to_string().contains(&format!("`{window}`")), "{case}: {error}");
        }
    }
}

#[test]
fn more_thresholds_than_can_be_measured_are_refused() {
    let slow = (1..=5).map(|n| slow_rate(0.5, secs(n)));
    let hanging = (1..=5).map(|n| in_flight_over(n, secs(n)));
    for (terms, what) in
        [(slow.collect::<Vec<_>>(), "slow calls"), (hanging.collect(), "calls in flight")]
    {
        let joined = |count: usize| terms[..count].iter().cloned().reduce(|a, b| a | b).unwrap();
        assert!(Rules::builder().tripper(joined(4)).build().is_ok(), "{what}");
        let error = Rules::builder().tripper(joined(5)).build().unwrap_err();
        assert_eq!(error.field(), "trip");
        assert!(
            error.expected().contains("at most 4") && error.expected().contains(what),
            "{error}"
        );
    }
}

#[test]
fn the_limits_themselves_are_possible() {
    let (rules, day) = (Rules::builder, secs(86_400));
    let possible = [
        rules().window(Window::count(1)).tripper(min_requests(1) & failure_rate(1.0)),
        rules().window(Window::count(1_000_000)),
        rules().window(Window::time(Duration::from_millis(100))),
        rules().window(Window::time(day)),
        rules().tripper(failure_rate(0.0) | slow_rate(1.0, Duration::from_nanos(1))),
        rules().retry(Retry::backoff(secs(10), secs(10))),
        rules().permit(Permit::random(1.0)),
        rules().permit(Permit::ramp_up(0.5, 0.5, Duration::from_nanos(1))),
        rules().slots(1),
        rules().slots(10_000),
        rules().probe_timeout(Duration::from_millis(1)),
        rules().probe_timeout(day),
        rules().cancelled_after(Duration::from_nanos(1)),
        rules().recovery(Recovery::successes(1)),
    ];
    for (index, builder) in possible.into_iter().enumerate() {
        assert!(builder.clone().build().is_ok(), "{index}: {:?}", builder.build());
    }
}

#[test]
fn only_what_the_rules_ask_for_is_timed() {
    let table = [
        ("failure_streak(5) | min_requests(20) & failure_rate(0.5)", false),
        ("failures(3) & closed | half_open", false),
        ("slow_rate(0.3, 1s)", true),
        ("failures(3) | avg_latency(2s)", true),
        ("failures(3) & in_flight_over(20, 5s)", true),
    ];
    for (trip, timed) in table {
        let rules = Rules::builder().tripper(trip.parse().unwrap());
        assert_eq!(rules.clone().build().unwrap().times_calls(), timed, "{trip}");
        let hangs = rules.cancelled_after(secs(5)).build().unwrap();
        assert!(hangs.times_calls(), "{trip}, cancelled_after");
    }
}
