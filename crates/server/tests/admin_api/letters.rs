//! What is shown of letters, and what is said where nothing can be shown.

use std::time::Duration;

use fuseboard_store::{Draft, Priority};
use serde_json::{Value, json};

use crate::rig::Server;

#[tokio::test]
async fn letters_are_listed_page_by_page_and_filtered() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/letters").await.json(), json!({ "letters": [], "next": null }));
    for key in ["a", "b", "c"] {
        server.capture("payments", key, b"{}").await;
    }
    server.capture("orders/eu", "d", b"{}").await;
    server.replay("payments", 200).await;

    let keys = async |query: &str| {
        let page = server.get(&format!("/v1/letters?{query}")).await.json();
        let letters = page["letters"].as_array().unwrap();
        let keys: String = letters.iter().map(|one| one["key"].as_str().unwrap()).collect();
        (keys, page["next"].as_i64())
    };
    let first = keys("limit=2").await;
    let next = first.1.unwrap();
    assert_eq!(first.0, "ab");
    assert_eq!(keys(&format!("limit=2&after={next}")).await, ("cd".to_owned(), None));
    assert_eq!(keys("limit=4").await, ("abcd".to_owned(), None), "a full page may be the last");
    assert_eq!(keys("circuit=orders/eu").await.0, "d");
    assert_eq!(keys("status=pending&circuit=payments").await.0, "bc");
    assert_eq!(keys("status=resolved").await.0, "a");
    assert_eq!(keys("circuit=unknown").await.0, "");
}

#[tokio::test]
async fn letters_are_found_by_domain_failure_priority_order_key_and_lateness() {
    let server = Server::start().await;
    let draft = |key: &str| server.draft("payments", key, b"");
    let order_key = Some("customer-7".to_owned());
    let first = server.keep(Draft { order_key: order_key.clone(), ..draft("a") }).await;
    server.keep(Draft { order_key, priority: Priority::Low, ..draft("b") }).await;
    server.keep(Draft { domain: "orders".to_owned(), ..draft("c") }).await;
    server.keep(Draft { failure: "timeout".to_owned(), ..draft("d") }).await;
    server.keep(Draft { sla_deadline: None, ..draft("e") }).await;
    server.clock.advance(Duration::from_secs(3600));
    server.capture("payments", "f", b"").await;

    let rows = [
        ("domain=orders", "c"),
        ("failure=timeout", "d"),
        ("priority=low", "b"),
        ("order_key=customer-7", "ab"),
        ("late=true", "abcd"),
        ("late=false", "ef"),
        ("late=true&priority=normal", "acd"),
        ("late=true&limit=2", "ab"),
    ];
    for (query, expected) in rows {
        let page = server.get(&format!("/v1/letters?{query}")).await.json();
        let letters = page["letters"].as_array().unwrap();
        let keys: String = letters.iter().map(|one| one["key"].as_str().unwrap()).collect();
        assert_eq!(keys, expected, "{query}");
    }
    let page = server.get("/v1/letters?late=true&limit=2").await.json();
    let rest = server.get(&format!("/v1/letters?late=true&after={}", page["next"])).await.json();
    assert_eq!(rest["letters"].as_array().unwrap().len(), 2, "{rest}");

    let page = server.get("/v1/letters?order_key=customer-7").await.json();
    let (one, other) = (&page["letters"][0], &page["letters"][1]);
    assert_eq!((&one["blocked_by"], &one["late"]), (&Value::Null, &json!(true)));
    assert_eq!(other["blocked_by"], json!({ "id": first, "status": "pending" }));
    assert_eq!((&other["priority"], &other["order_key"]), (&json!("low"), &json!("customer-7")));
    assert_eq!(other["sla_deadline"], "1970-01-01T01:00:00Z");
    assert_eq!(other["sealed_by"], Value::Null);
}

#[tokio::test]
async fn a_letter_is_shown_with_all_that_is_kept_of_it() {
    let server = Server::start().await;
    let id = server.capture("payments", "order-7", b"{\"amount\":1}").await;
    server.replay("payments", 422).await;
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    let text = |field: &str| letter[field].as_str().unwrap().to_owned();
    assert_eq!(letter["id"], id);
    assert!(text("location").starts_with("/.fuseboard/letters/"), "{letter}");
    assert_eq!(
        (text("circuit"), text("status")),
        ("payments".to_owned(), "requires_review".to_owned())
    );
    assert_eq!((text("method"), text("uri")), ("POST".to_owned(), "/charge?order=7".to_owned()));
    assert_eq!((text("failure"), text("key")), ("rejected".to_owned(), "order-7".to_owned()));
    assert_eq!(
        (text("body_text"), letter["body_length"].as_u64()),
        ("{\"amount\":1}".to_owned(), Some(12))
    );
    assert_eq!(
        (letter["attempts"].as_u64(), letter["answer_status"].as_u64()),
        (Some(1), Some(422))
    );
    assert_eq!(text("captured_at"), "1970-01-01T00:00:00Z");
    let headers = json!([
        { "name": "accept", "text": "*/*" },
        { "name": "x-raw", "hex": "ff01" },
        { "name": "Authorization", "hidden": 10 },
    ]);
    assert_eq!(letter["headers"], headers);
    assert_eq!(
        (&letter["answer"]["status"], &letter["answer"]["body_text"]),
        (&json!(422), &json!("no"))
    );
    let history = letter["history"].as_array().unwrap();
    let what: Vec<&str> = history.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert!(what.starts_with(&["captured", "claimed", "answered 422"]), "{what:?}");
}

#[tokio::test]
async fn a_body_that_is_no_text_is_shown_in_hexadecimal() {
    let server = Server::start().await;
    let id = server.capture("payments", "k", &[0x00, 0xff, 0x7f]).await;
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    assert_eq!((&letter["body_hex"], &letter["body_text"]), (&json!("00ff7f"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_that_says_what_could() {
    let server = Server::start().await;
    let rows = [
        (
            "/v1/circuits/nope",
            404,
            "there is no circuit `nope`: expected one of orders/eu, payments",
        ),
        ("/v1/letters/7", 404, "there is no letter 7, or it was purged"),
        ("/v1/letters/x", 400, "id: `x` is not a letter's number: expected decimal digits"),
        (
            "/v1/letters?limit=501",
            400,
            "limit: `501` is not possible: expected a number from 1 to 500",
        ),
        ("/v1/letters?limit=0", 400, "limit: `0` is not possible: expected a number from 1 to 500"),
        (
            "/v1/letters?after=x",
            400,
            "after: `x` is not a letter's number: expected decimal digits",
        ),
        (
            "/v1/letters?colour=a",
            400,
            "colour: no such filter: expected circuit, domain, status, failure, priority, order_key, late, \
             after or limit",
        ),
        (
            "/v1/letters?priority=high",
            400,
            "priority: `high` is not a priority: expected critical, normal or low",
        ),
        ("/v1/letters?late=maybe", 400, "late: `maybe` is not possible: expected true or false"),
        (
            "/v1/letters?status=lost",
            400,
            "status: `lost` is not a status: expected pending, replaying, requires_review, resolved, \
             discarded or expired",
        ),
        (
            "/v2",
            404,
            "there is nothing at `/v2`: expected /v1/circuits, /v1/letters, /v1/jobs, /v1/governance, \
             /v1/audit, /healthz, /readyz or /metrics",
        ),
    ];
    for (path, status, detail) in rows {
        let reply = server.get(path).await;
        assert_eq!(reply.problem(status), detail, "{path}");
        assert!(reply.has("cache-control: no-store"), "{}", reply.head);
    }
    let not_text = server.get("/v1/circuits/%ff").await;
    assert!(not_text.problem(400).contains("UTF-8"), "{}", not_text.body);

    let host = format!("Host: {}\r\n", server.address);
    let reply = server.ask("DELETE", "/v1/letters", &host).await;
    assert_eq!(reply.problem(405), "`/v1/letters` does not take DELETE: expected GET");
    assert!(reply.has("allow: get,head"), "{}", reply.head);
}
