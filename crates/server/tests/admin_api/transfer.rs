//! Letters out of one server and into another.

use fuseboard_store::{Draft, Letter, LetterId, Letters, Priority};
use serde_json::{Value, json};

use crate::rig::Server;

const EXPORT: &str = "/v1/letters/export";
const IMPORT: &str = "/v1/letters/import";

async fn letter(server: &Server, id: i64) -> Letter {
    server.letters.get(LetterId(id)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_letter_arrives_with_every_byte_that_left() {
    let (from, to) = (Server::start().await, Server::start().await);
    let draft = Draft {
        scope: vec![0, 255, 16],
        order_key: Some("customer-7".to_owned()),
        priority: Priority::Critical,
        sealed_by: Some("key-1".to_owned()),
        fingerprint: Some(vec![7; 32]),
        ..from.draft("payments", "a", &[0xff, 0, b'\n'])
    };
    let id = from.keep(draft).await;
    from.replay("payments", 422).await;
    let large = "x".repeat(3 << 20);
    from.capture("payments", "b", large.as_bytes()).await;

    let page = from.get(&format!("{EXPORT}?circuit=payments&limit=1")).await.json();
    assert_eq!(page["next"], json!(id));
    let page = from.get(&format!("{EXPORT}?circuit=payments")).await.json();
    assert_eq!((page["letters"].as_array().unwrap().len(), &page["next"]), (2, &Value::Null));
    to.capture("orders/eu", "other", b"").await;
    let order = json!({ "letters": page["letters"], "reason": "moving house" });
    let reply = to.tell("POST", IMPORT, &order).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "imported": [2, 3], "refused": [] })));

    let (sent, kept) = (letter(&from, id).await, letter(&to, 2).await);
    assert_eq!(Letter { id: kept.id, life: kept.life, ..sent.clone() }, kept);
    assert_eq!((sent.life.status, sent.life.attempts), (kept.life.status, kept.life.attempts));
    assert_eq!(letter(&to, 3).await.body, large.as_bytes(), "also what is larger than most orders");
    let history = to.letters.history(LetterId(2)).await.unwrap();
    assert_eq!(history[0].what, "imported by admin: moving house");

    let again = to.tell("POST", IMPORT, &order).await.json();
    assert_eq!(again["imported"], json!([]));
    assert_eq!(
        (&again["refused"][1]["index"], again["refused"].as_array().unwrap().len()),
        (&json!(1), 2)
    );
    let exports = from.audited("action=letters.export").await;
    assert_eq!((exports.len(), &exports[0]["after"]), (2, &json!("2 letters, from 1 to 2")));
    let imports = to.audited("action=letters.import").await;
    assert_eq!(imports[1]["after"], "2 imported, 0 refused");
    assert_eq!(
        (&imports[1]["actor"], &imports[1]["reason"]),
        (&json!("admin"), &json!("moving house"))
    );
}

#[tokio::test]
async fn what_is_no_letter_refuses_the_whole_import() {
    let server = Server::start().await;
    let good = {
        let from = Server::start().await;
        from.capture("payments", "a", b"").await;
        from.get(EXPORT).await.json()["letters"][0].clone()
    };
    let with = |field: &str, value: Value| {
        let mut letter = good.clone();
        letter[field] = value;
        json!({ "reason": "a", "letters": [good, letter] })
    };
    let rows = [
        (json!({ "letters": [good] }), "reason: expected one line of text, of 1 to 500 bytes"),
        (json!({ "reason": "a" }), "letters: expected a list of letters of an export"),
        (
            json!({ "reason": "a", "letters": [] }),
            "letters: `[]` is not possible: expected a list of letters of an export",
        ),
        (json!({ "reason": "a", "letters": [{ "id": 1 }] }), "letters[0]: missing field `token`"),
        (
            with("priority", json!("high")),
            "letters[1]: `high` is not a priority: expected critical, normal or low",
        ),
        (with("scope", json!("f")), "letters[1]: expected hexadecimal digits, two for each byte"),
        (
            with("captured_at", json!("today")),
            "letters[1]: `today` is no time: expected one such as 2026-01-31T03:00:00Z",
        ),
        (with("body", json!("text")), "letters[1]: invalid type: unit variant"),
        (with("colour", json!("red")), "letters[1]: unknown field `colour`"),
    ];
    for (body, detail) in rows {
        let found = server.tell("POST", IMPORT, &body).await.problem(400);
        assert!(found.starts_with(detail), "{found}");
    }
    let late = server.get(&format!("{EXPORT}?late=true")).await.problem(400);
    assert_eq!(late, "late: no such filter here: expected any other");
    assert_eq!(server.get("/v1/letters").await.json()["letters"], json!([]));
    assert!(server.audited("").await.is_empty(), "what was refused was not done");
}
