//! A call counts with the upstream's own time: while it has the turn, and until its answer's head.

use std::time::Duration;

use fuseboard_core::{Info, State};

use crate::rig::{Rig, Setup, get};
use crate::upstream::{OK, Upstream};

/// Three slow calls open the circuit.
const SLOW: &str = "trip = \"min_requests(3) & slow_rate(1, 200ms)\"\nretry = \"cooldown(1h)\"\n";
const LONG: Duration = Duration::from_millis(300);

async fn rig(upstream: &Upstream) -> Rig {
    Rig::start(Setup::of(upstream).upstream(SLOW)).await
}

async fn three(rig: &Rig) -> Info {
    rig.until("three calls are over", |info| info.totals.success == 3 && info.in_flight == 0).await
}

/// Answers after `wait`, in two pieces with `pause` between them.
async fn slow(wait: Duration, pause: Duration) -> Upstream {
    Upstream::scripted(move |mut peer| async move {
        while peer.request().await.is_some() {
            tokio::time::sleep(wait).await; // waits for: the time after which a call is slow
            peer.say(&OK[..OK.len() - 1]).await;
            tokio::time::sleep(pause).await; // waits for: the time after which a call is slow
            peer.say("k").await;
        }
    })
    .await
}

async fn upload_slowly(rig: &Rig) {
    let mut callers = Vec::new();
    for _ in 0..3 {
        let mut caller = rig.client().await;
        caller.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
        callers.push(caller);
    }
    tokio::time::sleep(LONG).await; // waits for: the time after which a call is slow
    for caller in &mut callers {
        assert_eq!(caller.ask("llo").await.text(), "ok");
    }
}

#[tokio::test]
async fn slow_uploads_do_not_open_the_circuit() {
    let upstream = Upstream::good().await;
    let rig = rig(&upstream).await;
    upload_slowly(&rig).await;
    assert_eq!(three(&rig).await.state, State::Closed);
}

#[tokio::test]
async fn slow_readers_do_not_open_the_circuit() {
    const SIZE: usize = 32 << 20;
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n")).await;
        peer.say(vec![b'x'; SIZE]).await;
    })
    .await;
    let rig = rig(&upstream).await;
    let mut callers = Vec::new();
    for _ in 0..3 {
        let mut caller = rig.client().await;
        caller.send(get("/")).await;
        callers.push(caller);
    }
    tokio::time::sleep(LONG).await; // waits for: the time after which a call is slow
    assert_eq!(rig.circuit().info().in_flight, 3);
    for caller in &mut callers {
        assert_eq!(caller.answer().await.unwrap().body.len(), SIZE);
    }
    assert_eq!(three(&rig).await.state, State::Closed);
}

#[tokio::test]
async fn a_long_answer_is_not_a_slow_one() {
    let upstream = slow(Duration::ZERO, LONG).await;
    let rig = rig(&upstream).await;
    for _ in 0..3 {
        assert_eq!(rig.ask(get("/")).await.text(), "ok");
    }
    assert_eq!(three(&rig).await.state, State::Closed);
}

#[tokio::test]
async fn a_slow_upstream_opens_the_circuit() {
    let upstream = slow(LONG, Duration::ZERO).await;
    let rig = rig(&upstream).await;
    for _ in 0..3 {
        assert_eq!(rig.ask(get("/")).await.text(), "ok");
    }
    assert_eq!(three(&rig).await.state, State::Open);
}

#[tokio::test]
async fn a_slow_upload_hides_no_slow_upstream() {
    let upstream = slow(LONG, Duration::ZERO).await;
    let rig = rig(&upstream).await;
    upload_slowly(&rig).await;
    assert_eq!(three(&rig).await.state, State::Open);
}

/// Its upload is what made the call old, so that its leaving says nothing about the upstream.
#[tokio::test]
async fn a_caller_that_uploads_slowly_and_then_leaves_is_no_failure_of_the_upstream() {
    let upstream = Upstream::silent().await;
    let circuit = "trip = \"failure_streak(1)\"\ntimeout = \"5s\"\ncancelled_after = \"250ms\"\n";
    let rig = Rig::start(Setup::of(&upstream).upstream(circuit)).await;
    let mut caller = rig.client().await;
    caller.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
    tokio::time::sleep(LONG).await; // waits for: the time after which leaving is a failure
    caller.send("llo").await;
    upstream.until("the request", |upstream| upstream.requests().len() == 1).await;
    drop(caller);
    let info = rig.settled().await;
    assert_eq!((info.state, info.totals.failure), (State::Closed, 0), "{:?}", info.totals);
}
