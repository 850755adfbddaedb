//! The policies of circuits: by themselves, together, and beside the timeout of their upstream.

use std::time::Duration;

use super::{LEAST, followed_by, in_upstream, parse, refused};

#[test]
fn a_probe_outlasts_the_call_that_it_is() {
    let lease = |text: &str| parse(text).unwrap().upstreams["payments"].rules.probe_timeout();
    let rows = [
        (LEAST.to_owned(), 60),
        (in_upstream("timeout = \"50s\""), 60),
        (in_upstream("timeout = \"51s\""), 61),
        (in_upstream("timeout = \"5m\""), 310),
        (in_upstream("timeout = \"5m\"\nprobe_timeout = \"301s\""), 301),
        (in_upstream("timeout = \"1s\"") + "[defaults]\nprobe_timeout = \"2s\"\n", 2),
    ];
    for (text, seconds) in rows {
        assert_eq!(lease(&text), Duration::from_secs(seconds), "{text}");
    }
    let rows = [
        (
            in_upstream("probe_timeout = \"10s\""),
            "3:17: upstreams.payments.probe_timeout: `10s` is not possible: expected more than timeout, \
             which is 10s",
        ),
        (
            in_upstream("timeout = \"31s\"") + "[defaults]\nprobe_timeout = \"30s\"\n",
            "3:11: upstreams.payments.timeout: `31s` is not possible: expected less than probe_timeout, \
             which is 30s",
        ),
        (
            followed_by("[defaults]\nprobe_timeout = \"5s\"\n"),
            "1:12: upstreams.payments: `probe_timeout = 5s` is not possible: expected more than timeout, \
             which is 10s",
        ),
        (
            in_upstream("timeout = \"24h\""),
            "3:11: upstreams.payments.timeout: `24h` is not possible: expected less than probe_timeout, \
             which is 1d",
        ),
    ];
    for (text, expected) in rows {
        refused(&text, &format!("f.toml:{expected}"));
    }
}

#[test]
fn an_error_in_a_policy_points_into_its_text() {
    let rows = [
        (
            in_upstream("trip = \"min_requests(20) & failure_rate(1.5)\""),
            "3:41: upstreams.payments.trip: `min_requests(20) & failure_rate(1.5)` is not possible: \
             expected a ratio from 0 to 1, found `1.5`",
        ),
        (
            in_upstream("trip = '''\n\nfailure_rate(1.5)'''"),
            "5:14: upstreams.payments.trip: ` failure_rate(1.5)` is not possible: expected a ratio \
             from 0 to 1, found `1.5`",
        ),
        (
            in_upstream("trip = \"\\u0066ailure_rate(1.5)\""),
            "3:8: upstreams.payments.trip: `failure_rate(1.5)` is not possible: expected a ratio from \
             0 to 1, found `1.5`",
        ),
        (
            in_upstream("window = \"count(0)\""),
            "3:17: upstreams.payments.window: `count(0)` is not possible: expected a number of calls \
             from 1 to 1000000, found `0`",
        ),
        (
            in_upstream("window = 100"),
            "3:10: upstreams.payments.window: `100` is not possible: expected a window such as \
             count(100) or time(60s)",
        ),
        (
            followed_by("failure = [\"5xx\", \"6xx\"]"),
            "8:20: routes[0].failure[1]: `6xx` is not possible: expected `errors`, `rejections`, `nothing`, \
             `connect`, `timeout`, `reset`, a status from 100 to 599, `1xx` to `5xx`, `!` or `(`, \
             found `6xx`",
        ),
    ];
    for (text, expected) in rows {
        refused(&text, &format!("f.toml:{expected}"));
    }
}

#[test]
fn policies_that_do_not_go_together_are_refused_where_one_was_said() {
    let rows = [
        (
            followed_by("[defaults]\nwindow = \"count(10)\"\n"),
            "9:10: defaults.window: `count(10)` is not possible: with trip `min_requests(20)`, ",
        ),
        (
            followed_by("[defaults]\nwindow = \"count(10)\"\ntrip = \"min_requests(11)\"\n"),
            "10:8: defaults.trip: `min_requests(11)` is not possible: ",
        ),
        (
            in_upstream("window = \"count(10)\"")
                + "[defaults]\ntrip = \"min_requests(20)\"\nslots = 1\n",
            "3:10: upstreams.payments.window: `count(10)` is not possible: with trip `min_requests(20)`, ",
        ),
        (
            in_upstream("slots = 2\ntrip = \"min_requests(200)\""),
            "4:8: upstreams.payments.trip: `min_requests(200)` is not possible: ",
        ),
    ];
    for (text, expected) in rows {
        let error = parse(&text).unwrap_err().to_string();
        let expected = format!("f.toml:{expected}");
        assert!(error.starts_with(&expected), "{error}\ndoes not begin with\n{expected}");
        assert!(error.contains("never holds more than"), "{error}");
    }
}
