//! The capture matrix at the gateway: each kind, named or not, with each voucher, queued or served a static answer.

use fuseboard_core::letter::Status;
use fuseboard_services::capture::CapturePolicy;
use fuseboard_store::{Letter, Query};

use crate::fallbacks::{Undone, broken};
use crate::rig::{Rig, Setup, answer, with_body};
use crate::upstream::{OK, Upstream};

const BODY: &str = "\0\u{1}\r\n\u{e9}";

/// The policy of a route that names `kind` or not, beside others that the test does not see.
fn policy(kind: &str, named: bool, others: &str) -> CapturePolicy {
    let kind: CapturePolicy = kind.parse().unwrap();
    let others: CapturePolicy = others.parse().unwrap();
    if named { others | kind } else { others.without(kind) }
}

async fn letters(rig: &Rig) -> Vec<Letter> {
    let letters = rig.app.letters();
    let counts = letters.counts().await.unwrap();
    let here: u64 = Status::ALL.into_iter().map(|status| counts.of(status)).sum();
    assert_eq!(counts.captured, here + counts.purged, "a letter went missing");
    let all = letters.export(Query { limit: 100, ..Query::default() }).await.unwrap();
    assert_eq!(all.len() as u64, counts.captured);
    all
}

/// The letter has what came in, and the key that the upstream saw, if it saw anything.
fn check_letter(letter: &Letter, kind: &str, keyed: bool, seen: &[String]) {
    assert_eq!((letter.failure.as_str(), letter.method.as_str()), (kind, "POST"));
    assert_eq!(letter.body, BODY.as_bytes());
    assert_eq!(letter.key == "k", keyed, "{}", letter.key);
    assert!(seen.iter().all(|key| *key == letter.key), "{seen:?} but {}", letter.key);
}

#[tokio::test]
async fn each_cell_of_the_matrix_is_queued_or_says_why_not() {
    for undone in Undone::ALL {
        for (named, idempotent) in [(false, false), (false, true), (true, false), (true, true)] {
            let policy = policy(undone.word(), named, &CapturePolicy::UNDONE.to_string());
            let only = if named { undone.word().to_owned() } else { policy.to_string() };
            let route = format!(
                "fallback = [\"queue\"]\nidempotent = {idempotent}\ncapture = \"{only}\"\n"
            );
            let broken = broken(undone, &route).await;
            for keyed in [false, true] {
                let case =
                    format!("{undone:?} named={named} idempotent={idempotent} keyed={keyed}");
                let (kept, seen) = (letters(&broken.rig).await, broken.upstream.requests().len());
                let key = if keyed { "idempotency-key: k\r\n" } else { "" };
                let answer = broken.rig.ask(with_body("POST", "/", key, BODY)).await;
                let sure = matches!(undone, Undone::Rejected | Undone::Connect);
                let expected = named && (sure || idempotent || keyed);
                let status = if expected { 202 } else { undone.plain() };
                assert_eq!(answer.status, status, "{case}");
                let now = letters(&broken.rig).await;
                assert_eq!(now.len(), kept.len() + usize::from(expected), "{case}");
                if expected {
                    let seen = &broken.upstream.requests()[seen..];
                    let keys = seen.iter().map(|seen| seen.get("idempotency-key").unwrap());
                    check_letter(
                        now.last().unwrap(),
                        undone.word(),
                        keyed,
                        &keys.collect::<Vec<_>>(),
                    );
                } else if undone != Undone::Failure {
                    let why = match named {
                        true => "it may have been done, and is not idempotent".to_owned(),
                        false => format!("the policy does not name `{}`", undone.word()),
                    };
                    let reason = format!("{}; not queued: {why}", undone.word());
                    assert_eq!(answer.get("fuseboard-reason").unwrap(), reason, "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_served_answer_is_the_usual_one_and_a_letter_where_the_policy_says_so() {
    for undone in Undone::ALL {
        for (named, idempotent) in [(false, false), (false, true), (true, false), (true, true)] {
            // The queue takes others, so that this one is served.
            let others = CapturePolicy::UNDONE.without(undone.word().parse().unwrap());
            let policy = policy("fallback", named, &others.to_string());
            let route = format!(
                "fallback = [\"queue\", {{ status = 503, body = \"later\" }}]\n\
                 idempotent = {idempotent}\ncapture = \"{policy}\"\n"
            );
            let broken = broken(undone, &route).await;
            for keyed in [false, true] {
                let case =
                    format!("{undone:?} named={named} idempotent={idempotent} keyed={keyed}");
                let kept = letters(&broken.rig).await;
                let key = if keyed { "idempotency-key: k\r\n" } else { "" };
                let answer = broken.rig.ask(with_body("POST", "/", key, BODY)).await;
                assert_eq!((answer.status, answer.text().as_str()), (503, "later"), "{case}");
                let sure = matches!(undone, Undone::Rejected | Undone::Connect);
                let expected = named && (sure || idempotent || keyed);
                let now = letters(&broken.rig).await;
                assert_eq!(now.len(), kept.len() + usize::from(expected), "{case}");
                let word = undone.word();
                let mut reason = format!("{word}; not queued: the policy does not name `{word}`");
                if expected {
                    check_letter(now.last().unwrap(), "fallback", keyed, &[]);
                } else if named {
                    reason += "; not queued: it may have been done, and is not idempotent";
                }
                assert_eq!(answer.get("fuseboard-reason").unwrap(), reason, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_served_and_kept_is_done_later_with_the_same_bytes_and_key() {
    let upstream = Upstream::answering(|request| match request.get("fuseboard-replay") {
        None => answer(503, "", "not now"),
        Some(_) => OK.to_owned(),
    })
    .await;
    let route = "fallback = [{ status = 200, body = \"served\" }]\nidempotent = true\ncapture = \"fallback\"\n";
    let setup = Setup::of(&upstream).route(route).letters("retry = \"cooldown(10ms)\"\n");
    let rig = Rig::start(setup).await;
    let served = rig.ask(with_body("POST", "/pay?a=b", "", BODY)).await;
    assert_eq!((served.status, served.text().as_str()), (200, "served"));
    assert_eq!(served.get("fuseboard-reason").unwrap(), "failure");
    assert_eq!(served.get("location"), None, "an answer as usual");
    upstream.until("the replay", |upstream| upstream.requests().len() == 2).await;
    let [live, replay] = upstream.requests().try_into().unwrap();
    assert_eq!((live.body.as_slice(), live.line()), (BODY.as_bytes(), "POST /pay?a=b"));
    assert_eq!((replay.body.as_slice(), replay.line()), (live.body.as_slice(), live.line()));
    assert_eq!(live.get("idempotency-key"), replay.get("idempotency-key"));
    let token = letters(&rig).await[0].token;
    rig.until_letter(&format!("/.fuseboard/letters/{token}"), "resolved").await;
    assert_eq!(letters(&rig).await.len(), 1);
}

#[tokio::test]
async fn an_answer_is_served_although_its_request_cannot_be_kept() {
    let setup = |upstream: &Upstream, lines: &str| {
        let route = "fallback = [{ status = 503, body = \"later\" }]\ncapture = \"fallback\"\nqueue_body = 10\n";
        Setup::of(upstream).route(route).letters(lines)
    };
    let upstream = Upstream::good().await;
    let rig = Rig::start(setup(&upstream, "capacity = 1\n")).await;
    rig.force_open();
    let full = "rejected; not queued: no room for another letter: capacity of 1 letters reached";
    let reused = "rejected; not queued: key-reused";
    let rows = [
        ("POST", "", "12345678901", "rejected; not queued: the body is larger than 10 bytes"),
        ("GET", "", "", "rejected; not queued: GET is not kept"),
        ("POST", "idempotency-key: k\r\n", "1234567890", "rejected"),
        ("POST", "idempotency-key: k\r\n", "1234567890", "rejected"),
        ("POST", "idempotency-key: k\r\n", "another", reused),
        ("POST", "", "1234567890", full),
    ];
    for (method, key, body, reason) in rows {
        let answer = rig.ask(with_body(method, "/", key, body)).await;
        assert_eq!((answer.status, answer.text().as_str()), (503, "later"), "{reason}");
        assert_eq!(answer.get("fuseboard-reason").unwrap(), reason);
    }
    assert_eq!(letters(&rig).await.len(), 1);
}
