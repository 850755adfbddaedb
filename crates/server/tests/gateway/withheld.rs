//! Headers that no letter may keep.

use fuseboard_core::letter::Event;
use fuseboard_store::{By, LetterId, Query};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup, get, with_body};
use crate::upstream::Upstream;

const QUEUE: &str = "fallback = [\"queue\"]\n";
const WITHHOLD: &str = "withhold_headers = [\"Authorization\", \"x-api-key\"]\n";

async fn start(upstream: &Upstream) -> Rig {
    Rig::start(Setup::of(upstream).route(QUEUE).letters(WITHHOLD)).await
}

#[tokio::test]
async fn a_request_that_has_them_becomes_a_letter_that_waits_for_a_person() {
    let upstream = Upstream::good().await;
    let rig = start(&upstream).await;
    rig.force_open();
    let secret = "AUTHORIZATION: Bearer abc\r\nX-Api-Key: 12345\r\nx-other: kept\r\n";
    let accepted = rig.ask(with_body("POST", "/", secret, "x")).await;
    assert_eq!((accepted.status, &accepted.json()["status"]), (202, &"requires_review".into()));
    let page = accepted.get("location").unwrap();
    assert_eq!(rig.ask(get(&page)).await.json()["status"], "requires_review");

    let letters = rig.app.letters();
    let id = letters.list(Query::default()).await.unwrap()[0].id;
    let kept = letters.get(id).await.unwrap().unwrap().headers;
    let value = |wanted: &str| {
        let found = kept.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!((value("authorization"), value("x-api-key")), (None, None));
    assert_eq!(value("x-other").unwrap(), "kept");
    assert_eq!(value("(withheld)").unwrap(), "authorization, x-api-key");
    let history = letters.history(id).await.unwrap();
    assert_eq!(
        history[1].what,
        "set aside by system: withheld: authorization, x-api-key; it can be replayed by hand, with their values"
    );

    rig.circuit().reset();
    let whole = rig.ask(with_body("POST", "/", "", "y")).await;
    assert_eq!(whole.status, 200);
    let now = letters.get(id).await.unwrap().unwrap().updated_at;
    letters.act(LetterId(1), Event::Requeue, By::new("ops", "try"), now).await.unwrap();
    let json = rig.until_letter(&page, "requires_review").await.json();
    assert!(
        json["last_error"].to_string().contains("withheld: authorization, x-api-key;"),
        "{json}"
    );
    assert_eq!(upstream.requests().len(), 1, "nothing goes out without them");
}

#[tokio::test]
async fn it_is_replayed_by_hand_with_their_values_which_nobody_keeps() {
    let upstream = Upstream::good().await;
    let rig = start(&upstream).await;
    rig.force_open();
    let secret = "authorization: Bearer old\r\nx-api-key: 12345\r\n";
    rig.ask(with_body("POST", "/", secret, "x")).await;
    rig.circuit().reset();
    let replay = async |headers: Value| {
        let order = json!({ "reason": "a new token", "headers": headers });
        rig.tell("POST", "/v1/letters/1/replay", &order).await
    };

    let partly = replay(json!({ "authorization": "Bearer new" })).await.json();
    assert_eq!(partly["error"], "cannot replay: no value for x-api-key");
    let beyond = json!({ "authorization": "Bearer new", "x-api-key": null, "cookie": "a" });
    assert_eq!(replay(beyond).await.json()["error"], "cannot replay: not withheld: cookie");
    for (headers, detail) in [
        (json!({}), "headers: expected an object such as {\"authorization\": \"…\"}"),
        (json!(["Bearer new"]), "headers: expected an object such as {\"authorization\": \"…\"}"),
        (
            json!({ "x-api-key": "a\nb" }),
            "headers.x-api-key: expected the header's value, one line of text, or null to go without",
        ),
    ] {
        let refused = replay(headers).await;
        assert_eq!((refused.status, &refused.json()["detail"]), (400, &json!(detail)));
    }
    assert!(upstream.requests().is_empty());

    let given = json!({ "Authorization": "Bearer new", "x-api-key": null });
    let done = replay(given).await.json();
    assert_eq!((&done["success"], &done["status"]), (&json!(true), &json!("resolved")), "{done}");
    let request = upstream.only();
    assert_eq!(request.get("authorization").unwrap(), "Bearer new");
    assert_eq!((request.get("x-api-key"), request.body.as_slice()), (None, b"x".as_slice()));
    let kept = rig.app.letters().get(LetterId(1)).await.unwrap().unwrap();
    assert!(!format!("{kept:?}").contains("Bearer new"));
}

#[tokio::test]
async fn a_request_without_them_is_replayed_as_ever_and_live_ones_keep_them() {
    let upstream = Upstream::good().await;
    let rig = start(&upstream).await;
    let live = rig.ask(with_body("POST", "/", "authorization: Bearer abc\r\n", "x")).await;
    assert_eq!(live.status, 200);
    assert_eq!(upstream.only().get("authorization").unwrap(), "Bearer abc");
    rig.force_open();
    let accepted = rig.ask(with_body("POST", "/", "", "y")).await;
    assert_eq!(accepted.json()["status"], "pending");
    rig.circuit().reset();
    rig.until_letter(&accepted.get("location").unwrap(), "resolved").await;
}

#[tokio::test]
async fn a_repeat_of_it_is_the_same_letter_and_moves_nothing() {
    let upstream = Upstream::good().await;
    let rig = start(&upstream).await;
    rig.force_open();
    let request = with_body("POST", "/", "authorization: a\r\nidempotency-key: k\r\n", "x");
    let first = rig.ask(&request).await;
    let letters = rig.app.letters();
    let letter = letters.list(Query::default()).await.unwrap().remove(0);
    letters.act(letter.id, Event::Requeue, By::new("ops", "try"), letter.updated_at).await.unwrap();
    let again = rig.ask(&request).await;
    assert_eq!(again.get("location"), first.get("location"));
    assert_eq!(again.json()["status"], "pending", "as the operator left it");
}
