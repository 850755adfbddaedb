//! What a caller gets instead: the route's fallbacks in order, and each says why the one before it did not apply.

use crate::rig::{CALM, CHAIN, Rig, Setup, answer, get, with_body};
use crate::upstream::{Dead, Upstream};

/// Why a request is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    Rejected,
    Connect,
    Timeout,
    Reset,
    Failure,
}

use Undone::{Connect, Failure, Rejected, Reset, Timeout};

impl Undone {
    pub(crate) const ALL: [Undone; 5] = [Rejected, Connect, Timeout, Reset, Failure];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Rejected => "rejected",
            Connect => "connect",
            Timeout => "timeout",
            Reset => "reset",
            Failure => "failure",
        }
    }

    /// What a caller gets where no fallback applies.
    pub(crate) fn plain(self) -> u16 {
        match self {
            Rejected => 503,
            Connect | Reset => 502,
            Timeout => 504,
            Failure => 500,
        }
    }
}

/// A server whose upstream does not do anything, in that way.
pub(crate) struct Broken {
    pub(crate) rig: Rig,
    pub(crate) upstream: Upstream,
    _dead: Dead,
}

pub(crate) async fn broken(undone: Undone, route: &str) -> Broken {
    let upstream = match undone {
        Rejected | Connect => Upstream::good().await,
        Timeout => Upstream::silent().await,
        Reset => Upstream::resetting().await,
        Failure => Upstream::answering(|_| answer(500, "retry-after: 7\r\n", "broken")).await,
    };
    let dead = Dead::end();
    let mut setup = Setup::of(&upstream).route(route);
    // Nothing is replayed meanwhile: the circuit stays as it is.
    setup.upstream = format!("{CALM}timeout = \"60ms\"\nreplay = {{ rate = 0.0001 }}\n");
    if undone == Connect {
        setup.endpoints = vec![dead.address];
    }
    let rig = Rig::start(setup).await;
    if undone == Rejected {
        rig.force_open();
    }
    Broken { rig, upstream, _dead: dead }
}

#[tokio::test]
async fn what_may_be_queued_depends_on_the_method_the_reason_and_who_vouches_for_it() {
    for undone in Undone::ALL {
        for idempotent in [false, true] {
            let route = format!("fallback = [\"queue\"]\nidempotent = {idempotent}\n");
            let broken = broken(undone, &route).await;
            for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"] {
                for keyed in [false, true] {
                    let changes = ["POST", "PUT", "PATCH", "DELETE"].contains(&method);
                    let sure = matches!(undone, Rejected | Connect);
                    let queued = changes && (sure || idempotent || keyed);
                    let key = if keyed { "idempotency-key: k\r\n" } else { "" };
                    let mut client = broken.rig.client().await;
                    client.send(with_body(method, &format!("/{method}"), key, "x")).await;
                    let answer = client.answer_to(method).await.unwrap();
                    let case = format!("{undone:?} {method} idempotent={idempotent} keyed={keyed}");
                    let status = if queued { 202 } else { undone.plain() };
                    assert_eq!(answer.status, status, "{case}");
                    assert_eq!(answer.get("location").is_some(), queued, "{case}");
                    if queued {
                        assert_eq!(answer.get("fuseboard-reason").unwrap(), undone.word());
                    } else if undone == Failure {
                        assert_eq!(answer.get("fuseboard-reason"), None, "the upstream's own");
                    } else {
                        let reason = answer.get("fuseboard-reason").unwrap();
                        let why = match changes {
                            true => "it may have been done, and is not idempotent".to_owned(),
                            false => format!("{method} is not kept"),
                        };
                        assert_eq!(reason, format!("{}; not queued: {why}", undone.word()));
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn without_fallbacks_the_caller_gets_the_plain_error() {
    for undone in Undone::ALL {
        let broken = broken(undone, "").await;
        let answer = broken.rig.ask(with_body("POST", "/", "", "x")).await;
        assert_eq!(answer.status, undone.plain(), "{undone:?}");
        if undone == Failure {
            assert_eq!(answer.text(), "broken");
            continue;
        }
        assert_eq!(answer.get("fuseboard-circuit").unwrap(), "shop");
        assert_eq!(answer.get("fuseboard-reason").unwrap(), undone.word());
        assert_eq!(answer.json()["status"], undone.plain());
        assert_eq!(answer.json()["circuit"], "shop");
    }
}

#[tokio::test]
async fn a_static_answer_says_which_circuit_why_and_when_to_come_back() {
    for undone in Undone::ALL {
        let broken = broken(undone, CHAIN).await;
        let answer = broken.rig.ask(get("/")).await;
        assert_eq!((answer.status, answer.text()), (503, "later".to_owned()), "{undone:?}");
        assert_eq!(answer.get("content-type").unwrap(), "text/x");
        assert_eq!(answer.get("cache-control").unwrap(), "no-store");
        assert_eq!(answer.get("fuseboard-circuit").unwrap(), "shop");
        let reason = answer.get("fuseboard-reason").unwrap();
        assert_eq!(reason, format!("{}; not queued: GET is not kept", undone.word()));
        let known = (undone == Failure).then(|| "7".to_owned());
        assert_eq!(answer.get("retry-after"), known, "{undone:?}");
    }
}

#[tokio::test]
async fn every_answer_of_an_open_circuit_says_when_to_come_back() {
    let upstream = Upstream::answering(|_| answer(500, "", "")).await;
    let circuit = "trip = \"failure_streak(1)\"\nretry = \"cooldown(1h)\"\n";
    for (route, statuses) in [("", [503, 503]), (CHAIN, [503, 202])] {
        let rig = Rig::start(Setup::of(&upstream).upstream(circuit).route(route)).await;
        rig.ask(get("/")).await;
        for (request, status) in [get("/"), with_body("POST", "/", "", "x")].iter().zip(statuses) {
            let answer = rig.ask(request).await;
            assert_eq!(answer.status, status);
            let wait: u64 = answer.get("retry-after").unwrap().parse().unwrap();
            assert!((3590..=3600).contains(&wait), "{wait}");
        }
    }
}

#[tokio::test]
async fn a_static_answer_takes_whatever_comes_to_it() {
    let answers = [
        ("fallback = [{ status = 200, body = \"first\" }]", 200, "first"),
        ("fallback = [{ status = 418 }]", 418, ""),
        ("fallback = [{ status = 204 }]", 204, ""),
    ];
    for (route, status, body) in answers {
        let broken = broken(Rejected, route).await;
        let mut client = broken.rig.client().await;
        for _ in 0..2 {
            let answer = client.ask(with_body("POST", "/", "", "x")).await;
            assert_eq!((answer.status, answer.text().as_str()), (status, body), "{route}");
            assert_eq!(answer.get("fuseboard-reason").unwrap(), "rejected");
        }
        assert_eq!(broken.rig.app.letters().counts().await.unwrap().captured, 0);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_goes_to_the_next_fallback() {
    for undone in [Rejected, Connect, Timeout, Failure] {
        let broken = broken(undone, &format!("{CHAIN}queue_body = 10\nidempotent = true\n")).await;
        let rows = [(10, 202), (11, 503), (100_000, 503)];
        for (length, status) in rows {
            let body = "x".repeat(length);
            let chunked = format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                 {length:x}\r\n{body}\r\n0\r\n\r\n"
            );
            for request in [with_body("POST", "/", "", &body), chunked] {
                let answer = broken.rig.ask(request).await;
                assert_eq!(answer.status, status, "{undone:?} with {length} bytes");
                if status == 503 {
                    let reason = answer.get("fuseboard-reason").unwrap();
                    let why = "not queued: the body is larger than 10 bytes";
                    assert_eq!(reason, format!("{}; {why}", undone.word()));
                }
            }
        }
        assert_eq!(broken.rig.app.letters().counts().await.unwrap().captured, 2);
    }
}

/// It is refused by its length, before the caller has sent it.
#[tokio::test]
async fn a_body_that_says_it_is_too_large_to_keep_is_not_waited_for() {
    let broken = broken(Rejected, &format!("{CHAIN}queue_body = 10\n")).await;
    let mut client = broken.rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 503);
}

/// What the upstream said before it had the whole body still reaches the caller where nothing is kept.
#[tokio::test]
async fn an_early_failure_is_relayed_whole_when_it_cannot_be_queued() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.head().await.unwrap();
        peer.say("HTTP/1.1 503 No\r\ncontent-length: 10\r\n\r\nfirst").await;
        peer.told().await;
        peer.say("later").await;
        peer.wire.rest().await;
    })
    .await;
    let route = "fallback = [\"queue\"]\nidempotent = true\nqueue_body = 10\n";
    let rig = Rig::start(Setup::of(&upstream).route(route)).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhello").await;
    let head = client.head().await.unwrap();
    assert_eq!(head.start, "HTTP/1.1 503 No");
    upstream.tell();
    let mut body = Vec::new();
    while body.len() < 10 {
        let piece = client.some(10).await;
        assert!(!piece.is_empty(), "it broke off");
        body.extend(piece);
    }
    assert_eq!(body, b"firstlater");
}

#[tokio::test]
async fn the_rest_of_a_body_is_kept_although_the_upstream_is_gone() {
    let upstream = Upstream::scripted(|mut peer| async move {
        let head = peer.head().await.unwrap();
        peer.wire.some(1).await;
        match head.start.contains("reset") {
            true => peer.wire.will_reset(),
            false => peer.say(answer(500, "", "no")).await,
        }
    })
    .await;
    let route = "fallback = [\"queue\"]\nidempotent = true\n";
    let rig = Rig::start(Setup::of(&upstream).route(route)).await;
    for path in ["/reset", "/fail"] {
        let mut client = rig.client().await;
        client
            .send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello"))
            .await;
        rig.until("the call has failed", |info| info.totals.failure > 0).await;
        client.send("world").await;
        assert_eq!(client.answer().await.unwrap().status, 202, "{path}");
        rig.circuit().reset();
    }
    let letters = rig.app.letters();
    for summary in letters.list(Default::default()).await.unwrap() {
        assert_eq!(letters.get(summary.id).await.unwrap().unwrap().body, b"helloworld");
    }
    assert_eq!(letters.counts().await.unwrap().captured, 2);
}
