//! What a route captures, and what it never can: that is refused before anything starts.

use super::{followed_by, parse, refused};

#[test]
fn what_is_not_said_is_what_comes_to_the_queue() {
    const UNDONE: &str = "rejected | connect | timeout | reset | failure";
    let rows = [
        ("", "nothing"),
        ("fallback = [{ status = 503 }]", "nothing"),
        ("fallback = [\"queue\"]", UNDONE),
        ("fallback = [\"queue\", { status = 503 }]", UNDONE),
        ("fallback = [\"queue\"]\ncapture = \"reset|rejected\"", "rejected | reset"),
        ("fallback = [{ status = 503 }]\ncapture = \"fallback\"", "fallback"),
        (
            "fallback = [\"queue\", { status = 503 }]\ncapture = \"connect | fallback\"",
            "connect | fallback",
        ),
        ("capture = \"nothing\"", "nothing"),
        ("methods = [\"GET\", \"DELETE\"]\nfallback = [\"queue\"]", UNDONE),
        ("failure = [\"connect\"]\nfallback = [\"queue\"]", UNDONE),
    ];
    for (lines, policy) in rows {
        let config = parse(&followed_by(lines)).unwrap_or_else(|error| panic!("{error}\n{lines}"));
        assert_eq!(config.routes[0].capture.to_string(), policy, "{lines}");
    }
}

#[test]
fn what_can_never_be_captured_is_refused() {
    let only_queue =
        "only a \"queue\" in fallback takes it: expected one there, or no kind but `fallback`";
    let idle = "\"queue\" in fallback would take nothing: expected a kind beside `fallback`, or no \"queue\"";
    let unserved = "no answer is ever served: expected one in fallback, such as { status = 503 }";
    let methods =
        "nothing is kept of these methods: expected POST, PUT, PATCH or DELETE in methods";
    let kinds =
        "expected `rejected`, `connect`, `timeout`, `reset`, `failure`, `fallback` or `nothing`";
    let rows = [
        ("capture = \"rejected\"", "8:11: routes[0].capture: `rejected`", only_queue),
        (
            "capture = \"rejected | fallback\"\nfallback = [{ status = 503 }]",
            "8:11: routes[0].capture: `rejected`",
            only_queue,
        ),
        (
            "capture = \"nothing\"\nfallback = [\"queue\"]",
            "8:11: routes[0].capture: `nothing`",
            idle,
        ),
        (
            "capture = \"fallback\"\nfallback = [\"queue\", { status = 503 }]",
            "8:11: routes[0].capture: `fallback`",
            idle,
        ),
        ("capture = \"fallback\"", "8:11: routes[0].capture: `fallback`", unserved),
        (
            "capture = \"reset | fallback\"\nfallback = [\"queue\"]",
            "8:11: routes[0].capture: `fallback`",
            unserved,
        ),
        (
            "capture = \"connect | failure\"\nfallback = [\"queue\"]\nfailure = [\"timeout\"]",
            "8:11: routes[0].capture: `failure`",
            "no answer is a failure here: expected a status in failure, such as \"5xx\"",
        ),
        (
            "methods = [\"GET\", \"HEAD\"]\nfallback = [\"queue\"]",
            "9:12: routes[0].fallback: `[\"queue\"]`",
            methods,
        ),
        (
            "methods = [\"OPTIONS\"]\nfallback = [{ status = 503 }]\ncapture = \"fallback\"",
            "10:11: routes[0].capture: `fallback`",
            methods,
        ),
        (
            "fallback = [\"queue\"]\ncapture = [\"rejected\"]",
            "9:11: routes[0].capture: `[\"rejected\"]`",
            "expected kinds such as rejected | connect",
        ),
    ];
    for (lines, wrong, right) in rows {
        refused(&followed_by(lines), &format!("f.toml:{wrong} is not possible: {right}"));
    }
    refused(
        &followed_by("fallback = [\"queue\"]\ncapture = \"rejected | late\""),
        &format!(
            "f.toml:9:23: routes[0].capture: `rejected | late` is not possible: {kinds}, found `late`"
        ),
    );
}
