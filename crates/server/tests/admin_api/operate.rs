//! What operators do to letters.

use std::time::Duration;

use fuseboard_store::Letters;
use serde_json::json;

use crate::rig::{CONFIG, JSON, Server};

const REASON: &str = "{\"reason\": \" the address is fixed \"}";

#[tokio::test]
async fn an_operator_sends_a_letter_back_or_gives_it_up() {
    let tokens = "[server.tokens]\nops = \"s3cret\"\n";
    for (config, actor) in [(CONFIG.to_owned(), "admin"), (format!("{CONFIG}{tokens}"), "ops")] {
        let server = Server::with_config(&config).await;
        let headers = format!("{JSON}Authorization: Bearer s3cret\r\n");
        let id = server.capture("payments", "a", b"").await;
        server.replay("payments", 422).await;
        server.clock.advance(Duration::from_secs(5));
        let requeue = format!("/v1/letters/{id}/requeue");
        let reply = server.order(&requeue, REASON, &headers).await;
        let due_at = "1970-01-01T00:00:05Z";
        let expected = json!({ "id": id, "status": "pending", "due_at": due_at });
        assert_eq!((reply.status, reply.json()), (200, expected));
        let again = server.order(&requeue, REASON, &headers).await;
        assert_eq!(again.problem(409), "a letter that is pending does not take this");

        let discard = format!("/v1/letters/{id}/discard");
        let reply = server.order(&discard, REASON, &headers).await;
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("discarded")));
        let again = server.order(&discard, REASON, &headers).await;
        assert_eq!(again.problem(409), "a letter that is discarded does not take this");

        let history = server.letters.history(fuseboard_store::LetterId(id)).await.unwrap();
        let what: Vec<&str> = history.iter().map(|entry| entry.what.as_str()).collect();
        for done in ["requeued", "discarded"] {
            let entry = format!("{done} by {actor}: the address is fixed");
            assert!(what.contains(&&*entry), "{entry}: {what:?}");
        }
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_changes_nothing() {
    let server = Server::start().await;
    let id = server.capture("payments", "a", b"").await;
    let path = format!("/v1/letters/{id}/discard");
    let rows = [
        (path.as_str(), REASON, "", 415, "Expected request with `Content-Type: application/json`"),
        (&path, REASON, "Content-Type: text/plain\r\n", 415, "Expected request with"),
        (&path, "{", JSON, 400, "Failed to parse the request body as JSON"),
        (&path, "{}", JSON, 400, "reason: expected one line of text"),
        (&path, "[]", JSON, 400, "the body: expected an object with reason"),
        (
            &path,
            "{\"reason\": \"a\", \"by\": \"b\"}",
            JSON,
            400,
            "by: no such field: expected reason",
        ),
        (&path, "{\"reason\": \" \"}", JSON, 400, "reason: expected one line of text"),
        (&path, "{\"reason\": \"a\\nb\"}", JSON, 400, "reason: expected one line of text"),
        ("/v1/letters/x/discard", REASON, JSON, 400, "id: `x` is not a letter's number"),
        (
            "/v1/letters/7000/discard",
            REASON,
            JSON,
            404,
            "there is no letter 7000, or it was purged",
        ),
        (
            "/v1/letters/7000/requeue",
            REASON,
            JSON,
            404,
            "there is no letter 7000, or it was purged",
        ),
        ("/v1/letters/1/burn", REASON, JSON, 404, "there is nothing at `/v1/letters/1/burn`"),
    ];
    for (path, body, headers, status, detail) in rows {
        let found = server.order(path, body, headers).await.problem(status);
        assert!(found.starts_with(detail), "{path} {body}: {found}");
    }
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(501));
    server.order(&path, &long, JSON).await.problem(400);
    let foreign = format!("{JSON}Origin: http://evil.example\r\n");
    server.order(&path, REASON, &foreign).await.problem(403);
    let read = server.get(&path).await;
    assert_eq!(read.problem(405), format!("`{path}` does not take GET: expected POST"));
    let letter = server.get(&format!("/v1/letters/{id}")).await.json();
    assert_eq!(letter["status"], "pending");
    assert_eq!(letter["history"].as_array().unwrap().len(), 1, "{letter}");
}
