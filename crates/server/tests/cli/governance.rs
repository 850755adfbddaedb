//! `fuseboard governance` against a running server.

use crate::console::{Console, names, words};
use crate::process::{Serving, http};

const DEAD: &str = r#"
[upstreams.payments]
endpoints = ["http://127.0.0.1:1"]
trip = "failure_streak(100)"
slo = { objective = 0.9, window = "1h", min_calls = 1 }

[[routes]]
path = "/"
upstream = "payments"
"#;

#[test]
fn the_gate_is_closed_and_opened_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let console = Console::of(&serving);
    let replay =
        |text: &str| text.lines().next().unwrap().trim_start_matches("replay").trim().to_owned();
    assert_eq!(replay(&console.does(&["governance", "show"])), "allowed");
    let rows: [(&[&str], &str); 5] = [
        (&["kill-switch", "on"], "blocked: the kill switch is on"),
        (&["emergency", "3"], "blocked: the kill switch is on"),
        (&["kill-switch", "off"], "blocked: the emergency level is 3"),
        (&["emergency", "1"], "allowed"),
        (&["emergency", "normal"], "allowed"),
    ];
    for (order, expected) in rows {
        let arguments = [&["governance"], order, &["--reason", "drill 7"]].concat();
        assert_eq!(replay(&console.does(&arguments)), expected, "{order:?}");
        let shown = console.does(&["governance", "show"]);
        assert_eq!(replay(&shown), expected, "{order:?}");
        assert!(shown.contains("(by admin at 20") && shown.contains(": drill 7)"), "{shown}");
    }
    let json = console.json(&["governance", "show"]);
    assert_eq!(json["kill_switch"]["value"], "off");
    assert_eq!(names(&json["emergency_level"]), "actor changed_at reason revision value");
    assert_eq!(json["emergency_level"]["revision"], 3);
    let again = console.json(&["governance", "kill-switch", "on", "--reason", "x"]);
    assert_eq!(
        (&again["kill_switch"]["value"], &again["kill_switch"]["reason"]),
        (&"on".into(), &"x".into())
    );
}

#[test]
fn a_spent_error_budget_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let console = Console::of(&serving);
    for _ in 0..2 {
        assert!(http(serving.gateway, "GET /", "").starts_with("HTTP/1.1 502"));
    }
    let table = console.does(&["governance", "budgets"]);
    let lines = words(&table);
    assert_eq!(lines[1], ["payments", "0.9", "1h", "0", "2", "1000", "%", "10.0", "blocked"]);
    let shown = console.does(&["governance", "show"]);
    assert!(shown.contains("allowed, but not for payments: error budget spent"), "{shown}");
    let json = console.json(&["governance", "budgets"]);
    let budget = &json["budgets"][0];
    assert_eq!((&budget["circuit"], &budget["exhausted"]), (&"payments".into(), &true.into()));
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&folder, DEAD);
    let console = Console::of(&serving);
    let rows: &[(&[&str], i32, &str)] = &[
        (
            &["kill-switch", "maybe", "--reason", "x"],
            2,
            "invalid value 'maybe' for '<on|off>'\n  [possible values: on, off]",
        ),
        (
            &["emergency", "4", "--reason", "x"],
            2,
            "invalid value '4' for '<LEVEL>'\n  [possible values: normal, 1, 2, 3]",
        ),
        (&["emergency", "2"], 2, "the following required arguments were not provided:\n  --reason"),
        (&["kill-switch", "on", "--reason="], 2, "reason: "),
    ];
    for (arguments, code, message) in rows {
        console.fails(&[&["governance"], *arguments].concat(), *code, message);
    }
}
