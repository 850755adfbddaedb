//! The gate over every replay, looked at and changed.

use serde_json::{Value, json};

use crate::rig::{CONFIG, Server, assert_line};

const PATH: &str = "/v1/governance";

#[tokio::test]
async fn governance_begins_with_every_gate_open() {
    let server = Server::start().await;
    let status = server.get(PATH).await.json();
    let control = |value: &str| json!({ "value": value, "revision": 0, "actor": "", "reason": "", "changed_at": null });
    assert_eq!(status["kill_switch"], control("off"));
    assert_eq!(status["emergency_level"], control("normal"));
    assert_eq!((&status["budgets"], &status["trouble"]), (&json!([]), &Value::Null));
    assert_eq!((&status["blocked"], &status["overridden"]), (&json!(0), &json!(0)));
    assert!(status["read_at"].is_string());
}

#[tokio::test]
async fn a_change_says_what_it_was_who_did_it_and_why() {
    let server = Server::start().await;
    let rows = [
        ("kill_switch", json!("on"), Value::Null, "on"),
        ("kill_switch", json!("off"), json!("on"), "off"),
        ("emergency_level", json!("2"), Value::Null, "2"),
        ("emergency_level", json!("normal"), json!("2"), "normal"),
    ];
    for (name, value, before, after) in rows {
        let reply = server.tell("PUT", PATH, &json!({ name: value, "reason": "drill" })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let status = reply.json();
        assert_eq!(status[name]["value"], after);
        assert_eq!(
            (&status[name]["actor"], &status[name]["reason"]),
            (&json!("admin"), &json!("drill"))
        );
        let change = &status["changes"][0];
        assert_eq!((&change["before"], &change["after"]), (&before, &json!(after)));
        let record = &server.audited(&format!("subject=setting/{name}&limit=1")).await[0];
        assert_eq!((&record["actor"], &record["reason"]), (&json!("admin"), &json!("drill")));
        assert_eq!((&record["before"], &record["after"]), (&before, &json!(after)));
    }
}

#[tokio::test]
async fn several_settings_are_changed_at_once_and_a_dry_run_changes_none() {
    let server = Server::start().await;
    let both =
        json!({ "kill_switch": "on", "emergency_level": "3", "reason": "a", "dry_run": true });
    let status = server.tell("PUT", PATH, &both).await.json();
    assert_eq!(status["changes"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&status["changes"][0]["after"], &status["changes"][0]["dry_run"]),
        (&json!("on"), &json!(true))
    );
    assert_eq!(status["kill_switch"]["value"], "off");
    assert!(server.audited("").await.is_empty());

    let both = json!({ "kill_switch": "on", "emergency_level": "3", "reason": "a" });
    let status = server.tell("PUT", PATH, &both).await.json();
    assert_eq!(
        (&status["kill_switch"]["value"], &status["emergency_level"]["value"]),
        (&json!("on"), &json!("3"))
    );
    let text = server.get("/metrics").await.body;
    assert_line(&text, "fuseboard_governance{gate=\"kill_switch\"} 1");
    assert_line(&text, "fuseboard_governance{gate=\"emergency_level\"} 1");
    assert_line(&text, "fuseboard_governance{gate=\"error_budget\"} 0");
    assert_line(&text, "fuseboard_emergency_level 3");
}

#[tokio::test]
async fn who_saw_an_older_revision_changes_nothing() {
    let server = Server::start().await;
    let on = json!({ "kill_switch": "on", "reason": "a", "seen": 0 });
    assert_eq!(server.tell("PUT", PATH, &on).await.json()["kill_switch"]["revision"], 1);
    let late = json!({ "kill_switch": "off", "reason": "a", "seen": 0 });
    let detail = server.tell("PUT", PATH, &late).await.problem(409);
    assert!(detail.starts_with("the setting `kill_switch` was changed meanwhile"), "{detail}");
    assert_eq!(server.get(PATH).await.json()["kill_switch"]["value"], "on");
}

#[tokio::test]
async fn a_spent_error_budget_is_shown_and_begins_anew_when_somebody_says_so() {
    let slo = "[governance]\nslo = { objective = 0.9, window = \"1h\", min_calls = 2 }\n";
    let server = Server::with_config(&format!("{slo}{CONFIG}")).await;
    server.get(PATH).await;
    server.trip("payments");
    let status = server.get(PATH).await.json();
    let budget = &status["budgets"][1];
    assert_eq!(budget["circuit"], "payments", "{status}");
    assert_eq!((&budget["good"], &budget["bad"]), (&json!(0), &json!(2)));
    assert_eq!((&budget["exhausted"], &budget["objective"]), (&json!(true), &json!(0.9)));
    assert_eq!(
        (&budget["window_ms"], &budget["burn_window_ms"]),
        (&json!(3_600_000), &json!(3_600_000))
    );
    let text = server.get("/metrics").await.body;
    assert_line(&text, "fuseboard_governance{gate=\"error_budget\"} 1");
    assert_line(&text, "fuseboard_error_budget_spent{circuit=\"payments\"} 10.0");

    let reset = json!({ "reset_budget": "payments", "reason": "the cause is gone" });
    let status = server.tell("PUT", PATH, &reset).await.json();
    assert_eq!(status["budgets"][1]["exhausted"], false, "{status}");
    let records = server.audited("subject=setting/error_budget/payments&actor=admin").await;
    assert_eq!(records[0]["reason"], "the cause is gone");
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let rows = [
        (
            json!({ "kill_switch": "on" }),
            400,
            "reason: expected one line of text, of 1 to 500 bytes",
        ),
        (
            json!({ "reason": "a" }),
            400,
            "kill_switch, emergency_level, reset_budget: expected at least one of them",
        ),
        (
            json!({ "reason": "a", "kill_switch": true }),
            400,
            "kill_switch: `true` is not possible: expected on or off",
        ),
        (
            json!({ "reason": "a", "emergency_level": "4" }),
            400,
            "emergency_level: `4` is not possible: expected normal, 1, 2 or 3",
        ),
        (
            json!({ "reason": "a", "kill_swich": "on" }),
            400,
            "kill_swich: no such field: did you mean `kill_switch`? expected kill_switch, emergency_level, \
             reset_budget, seen, dry_run, reason",
        ),
        (
            json!({ "reason": "a", "reset_budget": "nope" }),
            400,
            "reset_budget: there is no circuit `nope`: expected one of orders/eu, payments",
        ),
        (
            json!({ "reason": "a", "reset_budget": "payments" }),
            400,
            "circuit: `payments` is not possible: a circuit with an objective",
        ),
        (
            json!({ "reason": "a", "kill_switch": "on", "seen": -1 }),
            400,
            "seen: `-1` is not possible: expected a whole number from 0 to 18446744073709551615",
        ),
        (
            json!({ "reason": "a", "kill_switch": "on", "emergency_level": "1", "seen": 0 }),
            400,
            "seen: expected only one setting to be changed with it",
        ),
        (
            json!({ "reason": "a", "kill_switch": "on", "dry_run": 1 }),
            400,
            "dry_run: `1` is not possible: expected true or false",
        ),
    ];
    for (body, status, detail) in rows {
        let reply = server.tell("PUT", PATH, &body).await;
        assert_eq!(reply.problem(status), detail, "{body}");
    }
    let deleted = server.tell("DELETE", PATH, &json!({ "reason": "a" })).await;
    assert_eq!(deleted.problem(405), format!("`{PATH}` does not take DELETE: expected GET or PUT"));
    assert_eq!(server.get(PATH).await.json()["kill_switch"]["revision"], 0);
    assert!(server.audited("").await.is_empty(), "what was refused was not done");
}
