//! What operators do to circuits: pins, and other policies for a while.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{CONFIG, JSON, Server};

#[tokio::test]
async fn each_order_does_what_it_says_and_is_on_record() {
    let rows = [
        ("open", "forced_open", "circuit.force_open", "pinned forced_open for 1h30m"),
        ("close", "forced_closed", "circuit.force_close", "pinned forced_closed for 1h30m"),
        ("disable", "disabled", "circuit.disable", "pinned disabled for 1h30m"),
        ("metrics-only", "metrics_only", "circuit.metrics_only", "pinned metrics_only for 1h30m"),
        ("reset", "closed", "circuit.reset", "reset: closed, with an empty window"),
        ("auto", "open", "circuit.auto", "no pin to end: open"),
    ];
    for (order, state, action, message) in rows {
        let server = Server::start().await;
        server.trip("payments");
        let path = format!("/v1/circuits/payments/{order}");
        let reply = server.tell("POST", &path, &json!({ "reason": "drill" })).await;
        assert_eq!(reply.status, 200, "{order}: {}", reply.body);
        let done = reply.json();
        assert_eq!(done["circuit"], "payments", "{order}");
        assert_eq!((&done["previous_state"], &done["state"]), (&json!("open"), &json!(state)));
        assert_eq!(done["message"], message, "{order}");
        let expires =
            if message.contains(" for ") { json!("1970-01-01T01:30:00Z") } else { Value::Null };
        assert_eq!(done["expires_at"], expires, "{order}");
        assert_eq!(server.get("/v1/circuits/payments").await.json()["state"], state, "{order}");

        let records = server.audited("subject=circuit/payments").await;
        let [record] = records.as_slice() else { panic!("{order}: {records:?}") };
        assert_eq!((&record["actor"], &record["action"]), (&json!("admin"), &json!(action)));
        assert_eq!(record["reason"], "drill", "{order}");
        let told = |side: &str| record[side].as_str().unwrap().to_owned();
        assert!(told("before").starts_with("open"), "{order}: {record}");
        assert!(told("after").starts_with(state), "{order}: {record}");
    }
}

#[tokio::test]
async fn a_pin_lasts_as_long_as_it_says_and_never_must_be_said() {
    let config = format!("[circuits]\npin_for = \"10m\"\n{CONFIG}");
    let server = Server::with_config(&config).await;
    let rows = [
        (json!({ "reason": "a" }), Some(600_000)),
        (json!({ "reason": "a", "for": "30s" }), Some(30_000)),
        (json!({ "reason": "a", "for": null }), Some(600_000)),
        (json!({ "reason": "a", "for": "never" }), None),
    ];
    for order in ["open", "close", "disable", "metrics-only"] {
        for (body, remaining) in &rows {
            let path = format!("/v1/circuits/payments/{order}");
            assert_eq!(server.tell("POST", &path, body).await.status, 200, "{order} {body}");
            let pin = server.get("/v1/circuits/payments").await.json()["pin"].clone();
            assert_eq!(pin["remaining_ms"], json!(remaining), "{order} {body}");
            assert_eq!(pin["actor"], "admin", "{order} {body}");
        }
    }
}

#[tokio::test]
async fn the_actor_is_the_name_of_the_token() {
    let server = Server::with_config(&format!("{CONFIG}[server.tokens]\nops = \"s3cret\"\n")).await;
    let credentials = "Authorization: Bearer s3cret\r\n";
    let headers = format!("{JSON}{credentials}");
    let reply =
        server.order("/v1/circuits/payments/open", "{\"reason\": \"drill\"}", &headers).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let headers = format!("Host: localhost\r\n{credentials}");
    let page = server.ask("GET", "/v1/audit?actor=ops", &headers).await.json();
    assert_eq!(page["records"][0]["action"], "circuit.force_open", "{page}");
    let circuit = server.ask("GET", "/v1/circuits/payments", &headers).await.json();
    assert_eq!(circuit["why"], "pinned by ops: drill");
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let of = |order: &str| format!("/v1/circuits/payments/{order}");
    let rows = [
        (of("open"), json!({}), 400, "reason: expected one line of text, of 1 to 500 bytes"),
        (
            of("open"),
            json!({ "reason": 7 }),
            400,
            "reason: expected one line of text, of 1 to 500 bytes",
        ),
        (
            of("open"),
            json!({ "reason": "a", "for": "soon" }),
            400,
            "for: `soon` is not possible: expected a duration from 1ms such as 30m or 2h, or never",
        ),
        (
            of("open"),
            json!({ "reason": "a", "for": 30 }),
            400,
            "for: `30` is not possible: expected a duration from 1ms such as 30m or 2h, or never",
        ),
        (
            of("open"),
            json!({ "reason": "a", "replay": true }),
            400,
            "replay: no such field: expected reason, for",
        ),
        (
            of("close"),
            json!({ "reason": "a", "replay": "yes" }),
            400,
            "replay: `yes` is not possible: expected true or false",
        ),
        (
            of("auto"),
            json!({ "reason": "a", "for": "1h" }),
            400,
            "for: no such field: expected reason",
        ),
        (
            of("close"),
            json!({ "reasn": "a" }),
            400,
            "reasn: no such field: did you mean `reason`? expected reason, for, replay",
        ),
        (
            of("opn"),
            json!({ "reason": "a" }),
            404,
            "`opn` is not an order: did you mean `open`? expected one of open, close, auto, reset, disable, \
             metrics-only",
        ),
        (
            "/v1/circuits/paiments/open".to_owned(),
            json!({ "reason": "a" }),
            404,
            "there is no circuit `paiments`: expected one of orders/eu, payments",
        ),
    ];
    for (path, body, status, detail) in rows {
        let reply = server.tell("POST", &path, &body).await;
        assert_eq!(reply.problem(status), detail, "{path} {body}");
    }
    let read = server.get("/v1/circuits/payments/open").await;
    assert_eq!(read.problem(405), "`/v1/circuits/payments/open` does not take GET: expected POST");
    let circuit = server.get("/v1/circuits/payments").await.json();
    assert_eq!((&circuit["state"], &circuit["generation"]), (&json!("closed"), &json!(0)));
    assert!(server.audited("").await.is_empty(), "what was refused was not done");
}

const OVERRIDE: &str = "/v1/circuits/payments/override";

async fn rules(server: &Server) -> (String, String) {
    let rules = server.get("/v1/circuits/payments").await.json()["rules"].clone();
    let text = |name: &str| rules[name].as_str().unwrap().to_owned();
    (text("trip"), text("retry"))
}

#[tokio::test]
async fn an_override_holds_for_its_time_and_then_the_configured_rules_are_back() {
    let server = Server::start().await;
    let configured = rules(&server).await;
    let order = json!({ "trip": "failure_streak(1) | slow_rate(0.1, 5s)", "for": "30m", "reason": "release" });
    let reply = server.tell("PUT", OVERRIDE, &order).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let expected = json!({
        "trip": "failure_streak(1) | slow_rate(0.1, 5s)", "retry": null, "actor": "admin",
        "reason": "release", "remaining_ms": 1_800_000,
    });
    assert_eq!(reply.json()["override"], expected);
    assert_eq!(server.get("/v1/circuits/payments").await.json()["override"], expected);
    let with = ("failure_streak(1) | slow_rate(0.1, 5s)".to_owned(), configured.1.clone());
    assert_eq!(rules(&server).await, with);

    let again =
        json!({ "retry": "cooldown(1m)", "reason": "the provider asks for it", "for": "1h" });
    assert_eq!(server.tell("PUT", OVERRIDE, &again).await.status, 200);
    let with = (configured.0.clone(), "cooldown(1m)".to_owned());
    assert_eq!(rules(&server).await, with, "the second replaces the first");

    server.clock.advance(Duration::from_secs(3599));
    assert_eq!(rules(&server).await, with);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(rules(&server).await, configured);
    assert_eq!(server.get("/v1/circuits/payments").await.json()["override"], Value::Null);
    let reset = json!({ "reason": "flush" });
    server.tell("POST", "/v1/circuits/orders%2Feu/reset", &reset).await;
    let records = server.audited("subject=circuit/payments").await;
    let actions: Vec<&Value> = records.iter().map(|record| &record["action"]).collect();
    let lapsed =
        ["circuit.override_lapsed", "circuit.override_applied", "circuit.override_applied"];
    assert_eq!(actions, lapsed);
    assert_eq!(records[0]["actor"], "system");
    assert_eq!(records[0]["reason"], "ordered by admin: the provider asks for it");
}

#[tokio::test]
async fn an_override_is_removed_by_hand_and_lasts_as_long_as_the_configuration_says() {
    let config = format!("[circuits]\noverride_for = \"5m\"\n{CONFIG}");
    let server = Server::with_config(&config).await;
    let configured = rules(&server).await;
    let reason = json!({ "reason": "done" });
    let none = server.tell("DELETE", OVERRIDE, &reason).await;
    let detail = "`payments` has no override: its rules are the configured ones";
    assert_eq!(none.problem(404), detail);

    for (lasting, remaining) in [(Value::Null, json!(300_000)), (json!("never"), Value::Null)] {
        let order = json!({ "trip": "failure_streak(9)", "for": lasting, "reason": "a" });
        let reply = server.tell("PUT", OVERRIDE, &order).await.json();
        assert_eq!(reply["override"]["remaining_ms"], remaining);
    }
    server.clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(rules(&server).await.0, "failure_streak(9)", "what never ends does not end");
    let removed = server.tell("DELETE", OVERRIDE, &reason).await;
    assert_eq!((removed.status, &removed.json()["override"]), (200, &Value::Null));
    assert_eq!(rules(&server).await, configured);
    let record = &server.audited("action=circuit.override_removed").await[0];
    assert_eq!((&record["actor"], &record["reason"]), (&json!("admin"), &json!("done")));
}

#[tokio::test]
async fn an_override_that_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let configured = rules(&server).await;
    let rows = [
        (json!({ "reason": "a" }), "trip, retry: expected at least one of them"),
        (
            json!({ "trip": "failure_streak(2)" }),
            "reason: expected one line of text, of 1 to 500 bytes",
        ),
        (
            json!({ "reason": "a", "trip": "failure_streak(0)" }),
            "trip: `failure_streak(0)` is not possible: expected",
        ),
        (
            json!({ "reason": "a", "trip": "streak(2)" }),
            "trip: `streak(2)` is not possible: expected",
        ),
        (
            json!({ "reason": "a", "trip": 5 }),
            "trip: `5` is not possible: expected a tripper such as",
        ),
        (json!({ "reason": "a", "retry": "soon" }), "retry: `soon` is not possible: expected"),
        (
            json!({ "reason": "a", "trip": "min_requests(20) & failure_rate(0.5)" }),
            "trip: `min_requests(20)` is not possible: the window `count(10)` never holds more than 10 calls",
        ),
        (
            json!({ "reason": "a", "trip": "failure_streak(2)", "for": "0s" }),
            "for: `0s` is not possible: expected a duration from 1ms",
        ),
        (
            json!({ "reason": "a", "slots": 2 }),
            "slots: no such field: expected trip, retry, for, reason",
        ),
    ];
    for (body, detail) in rows {
        let found = server.tell("PUT", OVERRIDE, &body).await.problem(400);
        assert!(found.starts_with(detail), "{body}: {found}");
        assert_eq!(rules(&server).await, configured, "{body}");
    }
    let read = server.get(OVERRIDE).await;
    let detail = format!("`{OVERRIDE}` does not take GET: expected PUT or DELETE");
    assert_eq!(read.problem(405), detail);
    assert!(server.audited("").await.is_empty(), "what was refused was not done");
}
