//! What is shown of circuits.

use std::time::Duration;

use fuseboard_core::Pin;
use serde_json::{Value, json};

use crate::rig::Server;

#[tokio::test]
async fn a_closed_circuit_is_shown_with_its_rules() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_millis(1500));
    let circuits = server.get("/v1/circuits").await.json();
    let names: Vec<&Value> =
        circuits["circuits"].as_array().unwrap().iter().map(|circuit| &circuit["name"]).collect();
    assert_eq!(names, ["orders/eu", "payments"]);

    let circuit = server.get("/v1/circuits/payments").await.json();
    assert_eq!(circuit, circuits["circuits"][1]);
    let metrics = json!({
        "total": 0, "successes": 0, "failures": 0, "failure_rate": null, "streak": 0, "avg_latency_ms": null,
        "slow": [{ "threshold": "1s", "calls": 0 }], "in_flight_over": [],
    });
    let totals = json!({
        "success": 0, "failure": 0, "ignored": 0, "cancelled": 0, "rejected": 0, "stale": 0,
    });
    let rules = json!({
        "window": "count(10)", "trip": "failure_streak(2) | slow_rate(1, 1s)", "retry": "cooldown(10s)",
        "permit": "all", "slots": "3", "recovery": "successes(3)", "probe_timeout": "1m",
        "cancelled_after": "5s",
    });
    let expected = json!({
        "name": "payments", "state": "closed", "since": "1970-01-01T00:00:00Z", "lasted_ms": 1500,
        "reopens": 0, "generation": 0, "in_flight": 0, "metrics": metrics, "totals": totals,
        "last_error": null, "retry_after_ms": null, "why": null, "pin": null, "override": null, "rules": rules,
    });
    assert_eq!(circuit, expected);
}

#[tokio::test]
async fn an_open_circuit_says_why_and_until_when() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_secs(1));
    server.trip("payments");
    server.clock.advance(Duration::from_secs(4));
    let circuit = server.get("/v1/circuits/payments").await.json();
    assert_eq!(circuit["state"], "open");
    assert_eq!(circuit["since"], "1970-01-01T00:00:01Z");
    assert_eq!((&circuit["lasted_ms"], &circuit["retry_after_ms"]), (&json!(4000), &json!(6000)));
    assert_eq!(circuit["why"], "failure_streak(2): 2 in a row");
    assert_eq!(circuit["totals"]["failure"], 2);
    let last_error = json!({ "message": "503 Service Unavailable", "at": "1970-01-01T00:00:01Z" });
    assert_eq!(circuit["last_error"], last_error);
}

#[tokio::test]
async fn a_pin_is_shown_with_who_set_it() {
    let server = Server::start().await;
    let breaker = server.board.get("orders/eu").unwrap();
    breaker.force_open(Pin::by("ops").because("drill").lasting(Duration::from_secs(60)));
    let circuit = server.get("/v1/circuits/orders%2Feu").await.json();
    assert_eq!(circuit["state"], "forced_open");
    assert_eq!(circuit["why"], "pinned by ops: drill");
    assert_eq!(
        circuit["pin"],
        json!({ "actor": "ops", "reason": "drill", "remaining_ms": 60_000 })
    );
}
