//! The audit log: who did what, page by page and filtered.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Server, assert_line};

#[tokio::test]
async fn records_come_newest_first_page_by_page_and_filtered() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/audit").await.json(), json!({ "records": [], "next": null }));
    for (order, circuit) in [("open", "payments"), ("auto", "payments"), ("open", "orders%2Feu")] {
        let path = format!("/v1/circuits/{circuit}/{order}");
        server.tell("POST", &path, &json!({ "reason": order })).await;
        server.clock.advance(Duration::from_secs(10));
    }
    let ask = async |query: &str| {
        let page = server.get(&format!("/v1/audit?{query}")).await.json();
        let records = page["records"].as_array().unwrap().clone();
        let told = records.iter().map(|record| {
            format!(
                "{} {}",
                record["action"].as_str().unwrap(),
                record["subject"].as_str().unwrap()
            )
        });
        (told.collect::<Vec<_>>(), page["next"].clone())
    };
    let opened = "circuit.force_open circuit/payments".to_owned();
    let ended = "circuit.auto circuit/payments".to_owned();
    let other = "circuit.force_open circuit/orders/eu".to_owned();
    let (first, next) = ask("limit=2").await;
    assert_eq!(first, [other.clone(), ended.clone()]);
    let (rest, end) = ask(&format!("limit=2&after={next}")).await;
    assert_eq!((rest, end), (vec![opened.clone()], Value::Null));
    assert_eq!(ask("action=circuit.auto").await.0, [ended.as_str()]);
    assert_eq!(ask("subject=circuit/orders/eu").await.0, [other.as_str()]);
    assert_eq!(ask("actor=admin&limit=1").await.0, [other.as_str()]);
    assert!(ask("actor=nobody").await.0.is_empty());
    assert_eq!(ask("since=1970-01-01T00:00:20Z").await.0, [other]);
    assert_eq!(ask("until=1970-01-01T00:00:10Z").await.0, [opened]);
    let record = &server.audited("action=circuit.auto").await[0];
    assert_eq!(record["at"], "1970-01-01T00:00:10Z");
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_named() {
    let server = Server::start().await;
    let rows = [
        (
            "colour=red",
            "colour: no such filter: expected actor, action, subject, since, until, after or limit",
        ),
        (
            "since=yesterday",
            "since: `yesterday` is not possible: expected a time such as 2026-01-31T03:00:00Z",
        ),
        ("until=7", "until: `7` is not possible: expected a time such as 2026-01-31T03:00:00Z"),
        ("after=x", "after: `x` is not possible: expected the `next` of the page before"),
        ("limit=501", "limit: `501` is not possible: expected a number from 1 to 500"),
    ];
    for (query, detail) in rows {
        let reply = server.get(&format!("/v1/audit?{query}")).await;
        assert_eq!(reply.problem(400), detail, "{query}");
    }
}

#[tokio::test]
async fn what_became_of_records_is_counted() {
    let server = Server::start().await;
    server.tell("POST", "/v1/circuits/payments/open", &json!({ "reason": "a" })).await;
    let text = server.get("/metrics").await.body;
    assert_line(&text, "fuseboard_audit_records_total{result=\"written\"} 1");
    assert_line(&text, "fuseboard_audit_records_total{result=\"refused\"} 0");
    assert_line(&text, "fuseboard_audit_records_total{result=\"lost\"} 0");
    assert_line(&text, "fuseboard_audit_records_waiting 0");
}
