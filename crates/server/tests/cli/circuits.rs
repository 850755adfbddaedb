//! `fuseboard circuits` against a running server.

use crate::console::{Console, names, words};
use crate::process::{Serving, http};

/// Two circuits whose services are not there.
const DEAD: &str = r#"
[defaults]
trip = "failure_streak(100)"
retry = "cooldown(1h)"

[upstreams.payments]
endpoints = ["http://127.0.0.1:1"]

[upstreams."orders/eu"]
endpoints = ["http://127.0.0.1:1"]

[[routes]]
path = "/"
upstream = "payments"
"#;

fn serving() -> (tempfile::TempDir, Serving, Console) {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let console = Console::of(&serving);
    (folder, serving, console)
}

#[test]
fn every_pin_holds_until_auto_ends_it() {
    let (_folder, serving, console) = serving();
    let rows = [
        ("open", "forced_open", "half_open"),
        ("close", "forced_closed", "closed"),
        ("disable", "disabled", "closed"),
        ("metrics-only", "metrics_only", "closed"),
    ];
    for (action, pinned, after) in rows {
        let order = |action, more: &[&'static str]| {
            [&["circuits", action, "payments", "--reason", "drill"], more].concat()
        };
        let done = console.does(&order(action, &["--for", "30m"]));
        assert_eq!(done, format!("payments: pinned {pinned} for 30m\n"));
        let list = console.does(&["circuits", "list"]);
        let line = words(&list).into_iter().find(|words| words[0] == "payments").unwrap();
        assert_eq!(line[1], pinned);
        assert!(list.contains("pinned by admin: drill"), "{list}");

        let done = console.does(&order(action, &["--for", "never"]));
        assert_eq!(done, format!("payments: pinned {pinned} until it is ended by hand\n"));
        let answer = console.json(&order(action, &[]));
        assert_eq!(
            names(&answer),
            "circuit expires_at message previous_state replay_triggered state"
        );
        assert_eq!((&answer["circuit"], &answer["state"]), (&"payments".into(), &pinned.into()));
        assert_eq!(answer["message"], format!("pinned {pinned} for 1h30m"));

        let done = console.does(&order("auto", &[]));
        assert_eq!(done, format!("payments: the pin is ended: {after}\n"));
        let nothing = format!("payments: no pin to end: {after}");
        console.fails(&order("auto", &[]), 1, &nothing);
        console.does(&order("reset", &[]));
    }
    assert!(http(serving.gateway, "GET /", "").starts_with("HTTP/1.1 502"));
}

#[test]
fn an_open_circuit_lets_no_call_through_until_it_is_reset() {
    let (_folder, serving, console) = serving();
    console.does(&["circuits", "open", "payments", "--reason", "drill"]);
    assert!(http(serving.gateway, "GET /", "").starts_with("HTTP/1.1 503"));
    let shown = console.does(&["circuits", "show", "payments"]);
    assert!(shown.contains("forced_open") && shown.contains("drill"), "{shown}");
    assert!(words(&shown).contains(&vec!["rejected", "1"]), "{shown}");
    let done = console.does(&["circuits", "reset", "payments", "--reason", "over"]);
    assert_eq!(done, "payments: reset: closed, with an empty window\n");
    assert!(http(serving.gateway, "GET /", "").starts_with("HTTP/1.1 502"));
}

#[test]
fn names_are_taken_as_they_are() {
    let (_folder, _serving, console) = serving();
    let answer = console.json(&["circuits", "open", "orders/eu", "--reason", "a \"reason\""]);
    assert_eq!(answer["circuit"], "orders/eu");
    let shown = console.json(&["circuits", "show", "orders/eu"]);
    assert_eq!(
        (&shown["name"], &shown["pin"]["reason"]),
        (&"orders/eu".into(), &"a \"reason\"".into())
    );
}

#[test]
fn an_override_holds_until_it_is_cleared() {
    let (_folder, serving, console) = serving();
    let change = ["circuits", "override", "payments", "--reason", "risky release"];
    let set = ["--trip", "failure_streak(2)", "--retry", "cooldown(2h)", "--for", "1h"];
    let done = console.does(&[&change[..], &set].concat());
    assert_eq!(done, "payments: its rules are overridden for 1h\n");
    let shown = console.json(&["circuits", "show", "payments"]);
    assert_eq!(shown["rules"]["trip"], "failure_streak(2)");
    assert_eq!(shown["rules"]["retry"], "cooldown(2h)");
    let in_words = console.does(&["circuits", "show", "payments"]);
    assert!(words(&in_words).contains(&vec!["override"]), "{in_words}");
    assert!(in_words.contains("risky release"), "{in_words}");
    for _ in 0..2 {
        http(serving.gateway, "GET /", "");
    }
    assert_eq!(console.json(&["circuits", "show", "payments"])["state"], "open");

    console.does(&[&change[..], &["--clear"]].concat());
    let shown = console.json(&["circuits", "show", "payments"]);
    assert_eq!(shown["rules"]["trip"], "failure_streak(100)");
    console.fails(&[&change[..], &["--clear"]].concat(), 1, "");
}

#[test]
fn circuits_are_listed_for_people_and_programs() {
    let (_folder, _serving, console) = serving();
    let list = console.does(&["circuits", "list"]);
    let lines = words(&list);
    assert_eq!(lines[0], ["CIRCUIT", "STATE", "FOR", "FAILURES", "REJECTED", "TRIES", "IN", "WHY"]);
    let firsts: Vec<_> = lines[1..].iter().map(|line| (line[0], line[1])).collect();
    assert_eq!(firsts, [("orders/eu", "closed"), ("payments", "closed")]);
    let json = console.json(&["circuits", "list"]);
    let circuits = json["circuits"].as_array().unwrap();
    assert_eq!(circuits.len(), 2);
    for field in
        ["name", "state", "since", "why", "pin", "metrics", "totals", "rules", "retry_after_ms"]
    {
        assert!(circuits[0].get(field).is_some(), "{field}\n{json}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let (_folder, _serving, console) = serving();
    let change = ["override", "payments", "--reason", "x"];
    let rows: &[(&[&str], i32, &str)] = &[
        (
            &["show", "payment"],
            1,
            "there is no circuit `payment`: expected one of orders/eu, payments",
        ),
        (
            &["open", "payment", "--reason", "x"],
            1,
            "there is no circuit `payment`: expected one of",
        ),
        (&["open", "payments", "--reason="], 2, "reason: expected"),
        (
            &["open", "payments"],
            2,
            "the following required arguments were not provided:\n  --reason",
        ),
        (
            &["open", "payments", "--reason", "x", "--for", "5"],
            2,
            "invalid value '5' for '--for <TIME>': expected a duration",
        ),
        (
            &["open", "payments", "--reason", "x", "--for", "0s"],
            2,
            "invalid value '0s' for '--for <TIME>': expected a duration of 1ms or more",
        ),
        (&["open", "payments", "--reason", "x", "--replay"], 2, "unexpected argument '--replay'"),
        (&["shut", "payments"], 2, "unrecognized subcommand 'shut'"),
        (
            &change,
            2,
            "the following required arguments were not provided:\n  <--trip <RULE>|--retry <RULE>|--clear>",
        ),
        (
            &[&change[..], &["--trip", "streak(2)"]].concat(),
            2,
            "invalid value 'streak(2)' for '--trip <RULE>': column 1: expected `min_requests`",
        ),
        (
            &[&change[..], &["--retry", "later"]].concat(),
            2,
            "invalid value 'later' for '--retry <RULE>': column 1: expected",
        ),
        (&[&change[..], &["--trip", "min_requests(1000) & failures(3)"]].concat(), 2, ""),
        (
            &[&change[..], &["--clear", "--for", "1h"]].concat(),
            2,
            "the argument '--clear' cannot be used with '--for <TIME>'",
        ),
    ];
    for (arguments, code, message) in rows {
        console.fails(&[&["circuits"], *arguments].concat(), *code, message);
    }
}
