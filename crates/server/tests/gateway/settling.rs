//! When a call is over: at the end of its answer's body while the circuit is closed, at the head while it is half-open.

use std::time::Duration;

use fuseboard_core::State;

use crate::rig::{CALM, Rig, Setup, answer, get};
use crate::upstream::{OK, Upstream};
use crate::wire::Wire;

/// An upstream that says the head and the first piece, and the rest when told.
async fn half_way(rest: &'static str) -> Upstream {
    Upstream::scripted(move |mut peer| async move {
        while peer.request().await.is_some() {
            peer.say("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
            peer.told().await;
            match rest {
                "reset" => return peer.wire.will_reset(),
                "close" => return,
                rest => peer.say(rest).await,
            }
        }
    })
    .await
}

/// Reads until the first piece is there.
async fn first_half(rig: &Rig) -> Wire {
    let mut client = rig.client().await;
    client.send(get("/")).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 200 OK");
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.extend(client.some(4).await);
    }
    assert_eq!(seen, b"half");
    client
}

#[tokio::test]
async fn in_a_closed_circuit_a_call_lasts_until_its_body_has_ended() {
    let upstream = half_way("more").await;
    let rig = Rig::before(&upstream).await;
    let mut client = first_half(&rig).await;
    let info = rig.circuit().info();
    assert_eq!((info.in_flight, info.totals.success), (1, 0));
    upstream.tell();
    assert_eq!(client.some(8).await, b"more");
    let info = rig.settled().await;
    assert_eq!((info.totals.success, info.totals.failure), (1, 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_and_the_caller_sees_it_broken() {
    for how in ["reset", "close"] {
        let upstream = half_way(how).await;
        let rig = Rig::before(&upstream).await;
        let mut client = first_half(&rig).await;
        upstream.tell();
        assert_eq!(client.rest().await, b"", "{how}: nothing is made up");
        let info = rig.settled().await;
        assert_eq!((info.totals.success, info.totals.failure), (0, 1), "{how}");
        assert_eq!(info.last_error.unwrap().message, "the answer broke off");
    }
}

#[tokio::test]
async fn broken_chunks_are_a_failure_and_the_caller_sees_them_broken() {
    let bodies = ["4\r\nhalf\r\n", "4\r\nhalf\r\nzz\r\n", "4\r\nhalf\r\n-1\r\n", "4\r\nhalf5\r\n"];
    for body in bodies {
        let upstream = Upstream::scripted(move |mut peer| async move {
            peer.request().await;
            peer.say(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}")).await;
        })
        .await;
        let rig = Rig::before(&upstream).await;
        let mut client = rig.client().await;
        client.send(get("/")).await;
        let answer = client.answer().await;
        assert!(answer.is_none_or(|answer| !answer.whole), "{body:?}");
        assert_eq!(rig.settled().await.totals.failure, 1, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_a_failure_and_is_cut() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
        peer.wire.rest().await;
    })
    .await;
    let rig =
        Rig::start(Setup::of(&upstream).upstream(&format!("{CALM}timeout = \"80ms\"\n"))).await;
    let mut client = first_half(&rig).await;
    assert_eq!(client.rest().await, b"");
    let info = rig.settled().await;
    assert_eq!((info.totals.success, info.totals.failure), (0, 1));
    assert_eq!(info.last_error.unwrap().message, "the answer stalled");
    upstream.until("the end of the connection", |upstream| upstream.open() == 0).await;
}

/// The timeout is for the head, and for each piece after it; not for the whole.
#[tokio::test]
async fn a_long_answer_that_keeps_coming_is_no_failure() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(40)).await; // waits for: the timeout to pass in all
            peer.say(".").await;
        }
    })
    .await;
    let setup = Setup::of(&upstream).upstream(&format!("{CALM}timeout = \"200ms\"\n"));
    let rig = Rig::start(setup).await;
    assert_eq!(rig.ask(get("/")).await.text(), "..........");
    assert_eq!(rig.settled().await.totals.success, 1);
}

const HEALING: &str = "trip = \"failure_streak(1)\"\nretry = \"cooldown(1ms)\"\n\
                       recovery = \"successes(1)\"\nslots = 1\n";

#[tokio::test]
async fn in_a_half_open_circuit_a_call_is_over_at_its_head() {
    let upstream = half_way("more").await;
    let rig = Rig::start(Setup::of(&upstream).upstream(HEALING)).await;
    rig.force_open();
    rig.circuit().auto();
    assert_eq!(rig.circuit().state(), State::HalfOpen);
    let mut client = first_half(&rig).await;
    let info = rig.circuit().info();
    assert_eq!((info.state, info.in_flight, info.totals.success), (State::Closed, 0, 1));
    upstream.tell();
    assert_eq!(client.some(8).await, b"more", "the body still comes");
}

#[tokio::test]
async fn a_half_open_circuit_lets_only_its_slots_through() {
    let upstream = Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.told().await;
            peer.say(OK).await;
        }
    })
    .await;
    let rig = Rig::start(Setup::of(&upstream).upstream(HEALING)).await;
    rig.force_open();
    rig.circuit().auto();
    let mut probe = rig.client().await;
    probe.send(get("/probe")).await;
    upstream.until("the probe", |upstream| upstream.requests().len() == 1).await;
    assert_eq!(rig.ask(get("/")).await.status, 503);
    upstream.tell();
    assert_eq!(probe.answer().await.unwrap().status, 200);
    assert_eq!(rig.circuit().state(), State::Closed);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_probe_that_fails_opens_the_circuit_again() {
    let upstream = Upstream::answering(|_| answer(500, "", "")).await;
    let rig = Rig::start(Setup::of(&upstream).upstream(HEALING)).await;
    rig.force_open();
    rig.circuit().auto();
    assert_eq!(rig.ask(get("/")).await.status, 500);
    let info = rig.settled().await;
    assert_eq!(info.reopens, 1);
}
