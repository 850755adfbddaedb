//! What a letter's pages and acknowledgements say: its true status, an answer only if it stands, and nothing that is not
//! known.

use std::time::Duration;

use fuseboard_core::letter::Event;
use fuseboard_core::time::WallTime;
use fuseboard_store::{By, LetterSummary, Query};

use crate::rig::{CALM, CHAIN, Rig, Setup, answer, get, with_body};
use crate::upstream::{Dead, Upstream};

const QUEUE: &str = "fallback = [\"queue\"]\nidempotent = true\n";
const HOURLY: &str = "retry = \"cooldown(1h)\"\n";

fn keyed() -> String {
    with_body("POST", "/", "idempotency-key: k\r\n", "x")
}

async fn letters(rig: &Rig) -> Vec<LetterSummary> {
    rig.app.letters().list(Query::default()).await.unwrap()
}

#[tokio::test]
async fn the_answer_to_a_try_that_is_to_be_made_again_is_not_shown() {
    let upstream = Upstream::answering(|_| answer(503, "x-a: b\r\n", "not yet")).await;
    for (rules, shown) in [(HOURLY.to_owned(), 404), (format!("{HOURLY}max_attempts = 1\n"), 503)] {
        let rig = Rig::start(Setup::of(&upstream).route(QUEUE).letters(&rules)).await;
        rig.force_open();
        let page = rig.ask(keyed()).await.get("location").unwrap();
        let early = rig.ask(get(&format!("{page}/answer"))).await;
        assert_eq!((early.status, early.get("retry-after").as_deref()), (404, Some("1")));
        rig.circuit().reset();
        while letters(&rig).await[0].life.attempts == 0 {
            tokio::task::yield_now().await;
        }
        let seen = rig.ask(get(&format!("{page}/answer"))).await;
        assert_eq!(seen.status, shown, "{rules}");
        if shown == 404 {
            assert_eq!(seen.get("fuseboard-circuit").unwrap(), "shop");
            assert_eq!(seen.get("fuseboard-reason").unwrap(), "pending");
            let wait: u64 = seen.get("retry-after").unwrap().parse().unwrap();
            assert!((3590..=3600).contains(&wait), "{wait}");
        } else {
            assert_eq!((seen.text().as_str(), seen.get("x-a").unwrap()), ("not yet", "b".into()));
        }
    }
}

#[tokio::test]
async fn a_discarded_letter_will_never_have_an_answer() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(QUEUE)).await;
    rig.force_open();
    let page = rig.ask(keyed()).await.get("location").unwrap();
    let id = letters(&rig).await[0].id;
    let by = By::system("");
    rig.app.letters().act(id, Event::Discard, by, WallTime::default()).await.unwrap();
    let seen = rig.ask(get(&format!("{page}/answer"))).await;
    assert_eq!((seen.status, seen.get("retry-after")), (404, None));
    assert_eq!(seen.get("fuseboard-reason").unwrap(), "discarded");
    let again = rig.ask(keyed()).await;
    assert_eq!((again.status, &again.json()["status"]), (202, &"pending".into()));
    assert_ne!(again.get("location").unwrap(), page, "nobody would do the old one");
}

#[tokio::test]
async fn a_repeat_is_told_what_has_become_of_its_letter() {
    let upstream = Upstream::answering(|request| match request.line() {
        "POST /never" => answer(422, "", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let circuit = "trip = \"failure_streak(1000)\"\nretry = \"cooldown(1h)\"\n";
    let rig = Rig::start(Setup::of(&upstream).upstream(circuit).route(QUEUE)).await;
    for (path, status) in [("/", "resolved"), ("/never", "requires_review")] {
        let request = with_body("POST", path, "idempotency-key: k\r\n", "x");
        rig.force_open();
        let first = rig.ask(&request).await;
        assert_eq!(first.get("fuseboard-reason").unwrap(), "rejected");
        let repeat = rig.ask(&request).await;
        assert_eq!(repeat.json(), first.json());
        let reason = repeat.get("fuseboard-reason").unwrap();
        assert_eq!(reason, "rejected; queued before, and pending now");
        let page = first.get("location").unwrap();
        rig.circuit().reset();
        rig.until_letter(&page, status).await;
        rig.force_open();
        let repeat = rig.ask(&request).await;
        assert_eq!((repeat.status, repeat.get("location").unwrap()), (202, page));
        assert_eq!((&repeat.json()["status"], repeat.get("retry-after")), (&status.into(), None));
        let reason = repeat.get("fuseboard-reason").unwrap();
        assert_eq!(reason, format!("rejected; queued before, and {status} now"));
    }
}

/// How long after its capture a letter is due.
async fn wait(setup: Setup, undone: &str) -> Duration {
    let rig = Rig::start(setup).await;
    if undone == "rejected" {
        rig.force_open();
    }
    let kept = rig.ask(keyed()).await;
    assert_eq!(kept.get("fuseboard-reason").unwrap(), undone);
    let letter = letters(&rig).await.remove(0);
    letter.life.not_before.since(letter.captured_at)
}

#[tokio::test]
async fn what_has_just_failed_is_not_replayed_at_once() {
    let (good, silent, resetting) =
        (Upstream::good().await, Upstream::silent().await, Upstream::resetting().await);
    let failing = Upstream::answering(|_| answer(500, "", "")).await;
    let hinting = Upstream::answering(|_| answer(503, "retry-after: 90\r\n", "")).await;
    let dead = Dead::end();
    let backoff = "retry = \"backoff(40s, max=5m, jitter=0.2)\"\n";
    let rows = [
        ("rejected", good.address, backoff, 0),
        ("connect", dead.address, backoff, 40),
        ("timeout", silent.address, backoff, 40),
        ("reset", resetting.address, backoff, 40),
        ("failure", failing.address, backoff, 40),
        ("failure", hinting.address, backoff, 90),
        ("failure", hinting.address, HOURLY, 3600),
        ("failure", hinting.address, "retry = \"never\"\n", 90),
        ("failure", failing.address, "retry = \"never\"\n", 0),
    ];
    for (undone, address, rules, seconds) in rows {
        // Nothing is replayed meanwhile: the letter stays as it was captured.
        let circuit = format!("{CALM}timeout = \"60ms\"\nreplay = {{ rate = 0.0001 }}\n");
        let mut setup = Setup::of(&good).upstream(&circuit).route(QUEUE).letters(rules);
        setup.endpoints = vec![address];
        assert_eq!(wait(setup, undone).await.as_secs(), seconds, "{undone} with {rules}");
    }
}

#[tokio::test]
async fn where_nobody_knows_whether_it_was_queued_nobody_says_so() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(CHAIN)).await;
    rig.force_open();
    rig.app.letters().close().await.unwrap();
    let answer = rig.ask(keyed()).await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "later"));
    let reason = answer.get("fuseboard-reason").unwrap();
    let expected = "rejected; it is not known whether it was queued: the store is unavailable";
    assert!(reason.starts_with(expected) && !reason.contains("not queued"), "{reason}");
}
