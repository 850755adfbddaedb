//! The text forms of policies and durations: what is accepted, what is refused and where, and how it is printed.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::policy::{
    FailureClass, Permit, PermitPolicy, Recovery, Retry, Tracker, Tripper, Window, avg_latency,
    closed, failure_rate, failure_streak, failures, half_open, in_flight_over, min_requests,
    slow_rate,
};
use fuseboard_core::text::{ParseError, format_duration, parse_duration};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Each text reads as the value, and the value prints as the last text.
fn reads<T>(texts: &[&str], value: T)
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq,
{
    for text in texts {
        assert_eq!(text.parse::<T>().as_ref(), Ok(&value), "{text}");
    }
    assert_eq!(value.to_string(), *texts.last().expect("a text"));
}

/// Each text is refused with exactly this message.
fn refuses<T: FromStr<Err = ParseError> + Debug>(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let error = text.parse::<T>().expect_err(text);
        assert_eq!(error.to_string(), *message, "{text}");
    }
}

#[test]
fn durations_read_and_print_in_their_shortest_form() {
    let cases: &[(&[&str], Duration)] = &[
        (&["0ms", "0.0h", "0s"], Duration::ZERO),
        (&["0.25s", "250ms"], millis(250)),
        (&["10000ms", "10s"], secs(10)),
        (&["300s", "5m"], secs(300)),
        (&["90s", "1.5m", "1m30s"], secs(90)),
        (&["1s500ms", "1500ms", "1.5s"], millis(1500)),
        (&["24h", " 1d ", "1d"], secs(86_400)),
        (&["36h", "1.5d", "1d12h"], secs(129_600)),
        (&["1500ns", "1.5us"], Duration::from_nanos(1500)),
        (&["0.000000001s", "1ns"], Duration::from_nanos(1)),
        (&["1.0000152587890625d"], Duration::from_nanos(86_401_318_359_375)),
    ];
    for (texts, duration) in cases {
        for text in *texts {
            assert_eq!(parse_duration(text), Ok(*duration), "{text}");
        }
    }
    for (texts, duration) in &cases[..cases.len() - 1] {
        assert_eq!(format_duration(*duration).to_string(), *texts.last().expect("a text"));
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    let sample = "a duration such as `10s`";
    for (text, column, expected, found) in [
        ("", 1, sample, "the end"),
        ("  ", 3, sample, "the end"),
        ("10", 1, sample, "`10`"),
        ("s", 1, sample, "`s`"),
        ("10x", 1, sample, "`10x`"),
        ("10S", 1, sample, "`10S`"),
        ("-5s", 1, sample, "`-5s`"),
        (".5s", 1, sample, "`.5s`"),
        ("1.s", 1, sample, "`1.s`"),
        ("1.2.3s", 1, sample, "`1.2.3s`"),
        ("10 s", 1, sample, "`10`"),
        ("1m30", 1, sample, "`1m30`"),
        ("10s 5s", 5, "the end", "`5s`"),
        ("٣s", 1, sample, "`٣s`"),
        ("30s1m", 1, "a duration with its largest unit first, such as `1m30s`", "`30s1m`"),
        ("1s1s", 1, "a duration with its largest unit first, such as `1m30s`", "`1s1s`"),
        ("0.5ns", 1, "a duration in whole nanoseconds", "`0.5ns`"),
        (
            "0.00000000000000000001d",
            1,
            "a duration in whole nanoseconds",
            "`0.00000000000000000001d`",
        ),
        ("18446744073709551616s", 1, "a duration that is not too long", "`18446744073709551616s`"),
        (
            "18446744073709551615s1000ms",
            1,
            "a duration that is not too long",
            "`18446744073709551615s1000ms`",
        ),
    ] {
        let error = parse_duration(text).expect_err(text);
        assert_eq!((error.column(), error.expected(), error.found()), (column, expected, found));
    }
    let huge = format!("{}d", "9".repeat(60));
    let error = parse_duration(&huge).unwrap_err();
    assert_eq!(error.expected(), "a duration that is not too long");
    assert_eq!(error.found(), format!("`{}…`", "9".repeat(40)));
}

#[test]
fn windows_permits_and_recoveries_read_and_print() {
    reads(&["count( 100 )", "count(100)"], Window::count(100));
    reads(&["count(1000000)"], Window::count(1_000_000));
    reads(&["time(60s)", "time(1m)"], Window::time(secs(60)));
    reads(&["time(0.1s)", "time(100ms)"], Window::time(millis(100)));
    reads(&["time(24h)", "time(1d)"], Window::time(secs(86_400)));
    reads(&[" all", "all"], Permit::All);
    reads(&["random(0.50)", "random(0.5)"], Permit::random(0.5));
    reads(&["ramp_up(0.1,1.0,60s)", "ramp_up(0.1, 1, 1m)"], Permit::ramp_up(0.1, 1.0, secs(60)));
    reads(&["successes(3)"], Recovery::successes(3));
    reads(&["tripper"], Recovery::Tripper);
}

#[test]
fn retries_read_and_print_without_their_defaults() {
    reads(&["always"], Retry::Always);
    reads(&["never"], Retry::Never);
    reads(&["cooldown(10s, jitter=0)", "cooldown(10s)"], Retry::cooldown(secs(10)));
    reads(&["cooldown(10s, jitter=0.2)"], Retry::cooldown(secs(10)).with_jitter(0.2));
    let plain = Retry::backoff(secs(10), secs(300));
    reads(&["backoff(10s)", "backoff(10s, multiplier=2)", "backoff(10s, max=5m)"], plain.clone());
    reads(
        &[
            "backoff(10s, jitter=0.2, max=300s, multiplier=3)",
            "backoff(10s, max=5m, multiplier=3, jitter=0.2)",
        ],
        plain.with_multiplier(3.0).with_jitter(0.2),
    );
}

#[test]
fn trippers_read_and_print_with_the_fewest_parentheses() {
    let (a, b, c) = (closed, half_open, || failures(3));
    reads(&["min_requests(20)"], min_requests(20));
    reads(&["slow_rate(0.3, 1s)"], slow_rate(0.3, secs(1)));
    reads(&["avg_latency(2000ms)", "avg_latency(2s)"], avg_latency(secs(2)));
    reads(&["in_flight_over(20, 5s)"], in_flight_over(20, secs(5)));
    reads(&["failure_rate(0.070)", "failure_rate(0.07)"], failure_rate(0.07));
    reads(&["((closed))", "closed"], a());
    assert_eq!(failure_rate(-0.0).to_string(), "failure_rate(0)");
    reads(&["(closed&half_open)|failures(3)", "closed & half_open | failures(3)"], a() & b() | c());
    reads(&["closed & (half_open | failures(3))"], a() & (b() | c()));
    reads(&["(closed | half_open) & failures(3)"], (a() | b()) & c());
    reads(&["closed | half_open & failures(3)"], a() | b() & c());
    reads(
        &["(closed | half_open) | failures(3)", "closed | half_open | failures(3)"],
        a() | b() | c(),
    );
    reads(&["closed | (half_open | failures(3))"], a() | (b() | c()));
    reads(&["closed & (half_open & failures(3))"], a() & (b() & c()));
    let whole = "failure_streak(5) | min_requests(20) & (failure_rate(0.5) | slow_rate(0.3, 1s))";
    let rates = failure_rate(0.5) | slow_rate(0.3, secs(1));
    reads(&[whole], failure_streak(5) | min_requests(20) & rates);
}

#[test]
fn trackers_read_and_print_with_the_fewest_parentheses() {
    let (connect, timeout, reset) = (
        Tracker::Class(FailureClass::Connect),
        Tracker::Class(FailureClass::Timeout),
        Tracker::Class(FailureClass::Reset),
    );
    reads(&["errors"], Tracker::Errors);
    reads(&["rejections"], Tracker::Rejections);
    reads(&["nothing"], Tracker::Nothing);
    reads(&["errors|rejections", "errors | rejections"], Tracker::Errors | Tracker::Rejections);
    reads(
        &["( !rejections )&5xx", "!rejections & 5xx"],
        !Tracker::Rejections & Tracker::status_hundreds(5),
    );
    reads(&["503"], Tracker::status(503));
    reads(&["5xx & ! 501", "5xx & !501"], Tracker::status_hundreds(5) & !Tracker::status(501));
    reads(&["!!connect"], !!connect.clone());
    reads(&["(!connect)&timeout", "!connect & timeout"], !connect.clone() & timeout.clone());
    reads(&["!(connect & timeout)"], !(connect.clone() & timeout.clone()));
    reads(&["connect | timeout | reset"], connect | timeout | reset);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    assert_eq!(Window::default().to_string(), "count(100)");
    let tripper = "failure_streak(5) | min_requests(20) & failure_rate(0.5)";
    assert_eq!(Tripper::default().to_string(), tripper);
    assert_eq!(Retry::default().to_string(), "backoff(10s, max=5m, jitter=0.2)");
    assert_eq!(Permit::default().to_string(), "all");
    assert_eq!(Recovery::default().to_string(), "successes(3)");
}

const TERMS: &str = "`min_requests`, `failure_rate`, `failure_streak`, `failures`, `slow_rate`, \
                     `avg_latency`, `in_flight_over`, `closed`, `half_open` or `(`";

#[test]
fn bad_trippers_are_refused_at_their_column() {
    let unknown = |column, found| format!("column {column}: expected {TERMS}, found {found}");
    refuses::<Tripper>(&[
        ("", &unknown(1, "the end")),
        ("custom", &unknown(1, "`custom`")),
        ("closed & ", &unknown(10, "the end")),
        ("closed && half_open", &unknown(9, "`&`")),
        ("!closed", &unknown(1, "`!`")),
        ("失敗(1)", &unknown(1, "`失敗`")),
        ("closed | 失敗 | #", &unknown(10, "`失敗`")),
        ("failure_rate(1.5)", "column 14: expected a ratio from 0 to 1, found `1.5`"),
        ("failure_rate(-0.5)", "column 14: expected a ratio from 0 to 1, found `-0.5`"),
        ("failure_rate(NaN)", "column 14: expected a ratio from 0 to 1, found `NaN`"),
        ("failure_rate()", "column 14: expected a ratio from 0 to 1, found `)`"),
        ("failure_rate", "column 13: expected `(`, found the end"),
        ("failure_rate(", "column 14: expected an argument, found the end"),
        ("failure_rate(0.5", "column 17: expected `,` or `)`, found the end"),
        ("failure_rate(0.5, 1s)", "column 19: expected `)`, found `1s`"),
        ("failure_rate(x=0.5)", "column 14: expected a value without a name, found `x`"),
        ("min_requests(0)", "column 14: expected a whole number of at least 1, found `0`"),
        ("min_requests(2.5)", "column 14: expected a whole number, found `2.5`"),
        ("failure_rate(.5)", "column 14: expected a ratio from 0 to 1, found `.5`"),
        ("failure_rate(+0.5)", "column 14: expected a ratio from 0 to 1, found `+0.5`"),
        ("closed # closed", "column 8: expected `&`, `|` or the end, found `#`"),
        (
            "failures(18446744073709551616)",
            "column 10: expected a whole number up to 18446744073709551615, found `18446744073709551616`",
        ),
        ("closed | slow_rate(0.3)", "column 23: expected a duration such as `10s`, found `)`"),
        ("slow_rate(0.3, 0s)", "column 16: expected a duration above 0s, found `0s`"),
        ("in_flight_over(0, 5s)", "column 16: expected a whole number of at least 1, found `0`"),
        ("closed()", "column 7: expected `&`, `|` or the end, found `(`"),
        ("closed half_open", "column 8: expected `&`, `|` or the end, found `half_open`"),
        ("(closed", "column 8: expected `&`, `|` or `)`, found the end"),
        ("closed)", "column 7: expected `&`, `|` or the end, found `)`"),
        (
            "avg_latency(1s) | slow_rate(1, 1s) | slow_rate(1, 2s) | slow_rate(1, 3s) | slow_rate(1, 4s) | slow_rate(1, 5s)",
            "column 1: expected at most 4 different thresholds for slow calls, found `avg_latency(1s) | slow_rate(1, 1s) | slo…`",
        ),
    ]);
}

#[test]
fn bad_windows_and_retries_are_refused_at_their_column() {
    refuses::<Window>(&[
        ("count(0)", "column 7: expected a number of calls from 1 to 1000000, found `0`"),
        (
            "count(1000001)",
            "column 7: expected a number of calls from 1 to 1000000, found `1000001`",
        ),
        (
            "count(4294967296)",
            "column 7: expected a whole number up to 4294967295, found `4294967296`",
        ),
        (
            "count(18446744073709551616)",
            "column 7: expected a whole number up to 4294967295, found `18446744073709551616`",
        ),
        ("count(2.5)", "column 7: expected a whole number, found `2.5`"),
        ("time(99ms)", "column 6: expected a duration from 100ms to 1d, found `99ms`"),
        ("time(24h1ns)", "column 6: expected a duration from 100ms to 1d, found `24h1ns`"),
        ("hour", "column 1: expected `count(100)` or `time(60s)` or the like, found `hour`"),
        ("count(1) count(2)", "column 10: expected the end, found `count`"),
    ]);
    refuses::<Retry>(&[
        ("cooldown(0s)", "column 10: expected a duration above 0s, found `0s`"),
        ("cooldown(10s, 0.2)", "column 15: expected `jitter=`, found `0.2`"),
        (
            "cooldown(10s, jitter=1)",
            "column 22: expected a jitter from 0 up to, but not including, 1, found `1`",
        ),
        ("cooldown(10s, jitter=)", "column 22: expected a value, found `)`"),
        (
            "backoff(10s, max=1s)",
            "column 18: expected a max of at least the initial wait, 10s, found `1s`",
        ),
        ("backoff(1h)", "column 9: expected a max of at least the initial wait, 1h, found `1h`"),
        ("backoff(10s, multiplier=1)", "column 25: expected a multiplier above 1, found `1`"),
        (
            "backoff(10s, min=1s)",
            "column 14: expected `max=`, `multiplier=` or `jitter=`, found `min`",
        ),
        ("backoff(10s, max=1m, max=2m)", "column 22: expected `max` only once, found `max`"),
        ("backoff(10s,)", "column 13: expected an argument, found `)`"),
    ]);
}

#[test]
fn bad_permits_recoveries_and_trackers_are_refused_at_their_column() {
    refuses::<Permit>(&[
        (
            "random(0)",
            "column 8: expected a ratio above 0, up to 1 (0 would never admit a call), found `0`",
        ),
        (
            "ramp_up(0.5, 0.1, 60s)",
            "column 14: expected a ratio of at least 0.5, where the ramp starts, found `0.1`",
        ),
        ("ramp_up(0.1, 1, 0s)", "column 17: expected a duration above 0s, found `0s`"),
        (
            "some",
            "column 1: expected `all`, `random(0.5)`, `ramp_up(0.1, 1, 60s)` or the like, found `some`",
        ),
    ]);
    refuses::<Recovery>(&[
        ("successes(0)", "column 11: expected a whole number of at least 1, found `0`"),
        ("success", "column 1: expected `successes(3)` or the like, or `tripper`, found `success`"),
    ]);
    let terms = "`errors`, `rejections`, `nothing`, `connect`, `timeout`, `reset`, \
                 a status from 100 to 599, `1xx` to `5xx`, `!` or `(`";
    refuses::<Tracker>(&[
        ("rejection", &format!("column 1: expected {terms}, found `rejection`")),
        ("errors | Rejections", &format!("column 10: expected {terms}, found `Rejections`")),
        ("rejections()", "column 11: expected `&`, `|` or the end, found `(`"),
    ]);
    for text in ["600", "099", "0404", "+404", "6xx", "0xx", "55xx", "05xx", "261xx", "éxx"] {
        assert_eq!(text.parse::<Tracker>().unwrap_err().column(), 1, "{text}");
    }
    assert_eq!("5xx | 42".parse::<Tracker>().unwrap_err().column(), 7);
}

#[test]
fn nesting_and_length_are_bounded() {
    let nested = |n: usize| format!("{}closed{}", "(".repeat(n), ")".repeat(n)).parse::<Tripper>();
    assert!(nested(64).is_ok());
    assert_eq!(nested(65).unwrap_err().column(), 65);
    assert_eq!(
        nested(1_000_000).unwrap_err().expected(),
        "at most 64 `(` or `!` inside one another"
    );
    assert_eq!("!".repeat(100_000).parse::<Tracker>().unwrap_err().column(), 65);

    let chain = |n: usize| vec!["closed"; n].join("|").parse::<Tripper>();
    assert!(chain(256).is_ok());
    assert_eq!(chain(257).unwrap_err().expected(), "at most 256 terms");
    assert_eq!(chain(100_000).unwrap_err().column(), 256 * 7 + 1);

    let side_by_side = vec!["(closed | half_open)"; 100].join(" & ").parse::<Tripper>();
    assert!(side_by_side.is_ok(), "parentheses that are closed again nest nothing");
    let denied = |n: usize| (0..n).fold(Tracker::Errors, |inner, _| !inner).validate();
    assert_eq!((denied(64).is_ok(), denied(65).is_ok()), (true, false));
    let built = (0..100).fold(closed(), |inner, _| half_open() | inner);
    assert_eq!(built.validate().unwrap_err().expected(), "at most 256 terms, nested 64 deep");
}

#[derive(Debug)]
struct Named(&'static str);

impl PermitPolicy for Named {
    fn permits(&self, _: Duration, _: f64) -> bool {
        true
    }

    fn name(&self) -> &str {
        assert_ne!(self.0, "panic");
        self.0
    }
}

#[test]
fn custom_policies_print_and_refuse_to_be_read() {
    for (name, text) in [
        ("", "custom"),
        ("weekend", "custom(weekend)"),
        ("all", "custom(all)"),
        ("panic", "custom"),
    ] {
        let permit = Permit::custom(Named(name));
        assert_eq!(permit.to_string(), text);
        assert!(text.parse::<Permit>().is_err());
        assert_eq!(permit, permit.clone());
        assert_ne!(permit, Permit::custom(Named(name)));
    }
}
