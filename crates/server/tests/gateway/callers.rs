//! Callers that leave early, leave late, are slow, or break off: the upstream is blamed for what it did, and no more.

use std::time::Duration;

use fuseboard_core::State;

use crate::rig::{CALM, Rig, Setup, get, with_body};
use crate::upstream::{OK, Upstream};

/// One failure opens the circuit, and a caller has waited long enough after 100 ms.
const TOUCHY: &str = "trip = \"failure_streak(1)\"\nretry = \"cooldown(1h)\"\ntimeout = \"5s\"\n\
                      cancelled_after = \"100ms\"\n";

#[tokio::test]
async fn a_caller_that_leaves_early_counts_as_cancelled() {
    let upstream = Upstream::silent().await;
    let circuit = TOUCHY.replace("100ms", "20s");
    let rig = Rig::start(Setup::of(&upstream).upstream(&circuit)).await;
    for count in 1..=10 {
        let mut client = rig.client().await;
        client.send(get("/")).await;
        upstream.until("the request", |upstream| upstream.requests().len() == count).await;
        if count % 2 == 0 {
            client.will_reset();
        }
        drop(client);
        let info = rig.settled().await;
        assert_eq!((info.totals.cancelled, info.totals.failure), (count as u64, 0));
        upstream.until("the end of its connection", |upstream| upstream.open() == 0).await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_late_counts_as_a_failure() {
    let upstream = Upstream::silent().await;
    let rig = Rig::start(Setup::of(&upstream).upstream(TOUCHY)).await;
    let mut client = rig.client().await;
    client.send(get("/")).await;
    tokio::time::sleep(Duration::from_millis(150)).await; // waits for: the time after which leaving is a failure
    assert_eq!(rig.circuit().info().in_flight, 1);
    drop(client);
    let info = rig.settled().await;
    assert_eq!((info.totals.cancelled, info.totals.failure), (0, 1));
}

#[tokio::test]
async fn half_the_timeout_is_late_where_nothing_else_is_said() {
    let upstream = Upstream::silent().await;
    let rig = Rig::start(Setup::of(&upstream).upstream("timeout = \"3s\"")).await;
    assert_eq!(rig.circuit().rules().cancelled_after(), Some(Duration::from_millis(1500)));
}

/// What came was in time, so nothing says that the upstream hangs.
#[tokio::test]
async fn leaving_a_long_answer_that_keeps_coming_is_no_failure() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        loop {
            if peer.wire.try_send("1\r\n.\r\n").await.is_err() {
                return;
            }
            peer.mark();
            tokio::time::sleep(Duration::from_millis(10)).await; // waits for: nothing, events come one by one
        }
    })
    .await;
    let rig = Rig::start(Setup::of(&upstream).upstream(TOUCHY)).await;
    let mut client = rig.client().await;
    client.send(get("/events")).await;
    upstream.until("thirty events", |upstream| upstream.marks() >= 30).await;
    drop(client);
    let info = rig.settled().await;
    assert_eq!((info.state, info.totals.failure), (State::Closed, 0), "{:?}", info.totals);
}

#[tokio::test]
async fn a_caller_that_reads_slowly_and_leaves_is_no_failure_of_the_upstream() {
    const SIZE: usize = 32 << 20;
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n")).await;
        peer.say(vec![b'x'; SIZE]).await;
    })
    .await;
    let rig = Rig::start(Setup::of(&upstream).upstream(TOUCHY)).await;
    let mut client = rig.client().await;
    client.send(get("/")).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 200 OK");
    tokio::time::sleep(Duration::from_millis(250)).await; // waits for: longer than a caller needs to wait
    drop(client);
    let info = rig.settled().await;
    assert_eq!((info.state, info.totals.failure), (State::Closed, 0), "{:?}", info.totals);
}

#[tokio::test]
async fn leaving_an_answer_that_has_stalled_is_a_failure() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
        peer.wire.rest().await;
    })
    .await;
    let rig = Rig::start(Setup::of(&upstream).upstream(TOUCHY)).await;
    let mut client = rig.client().await;
    client.send(get("/")).await;
    client.head().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await; // waits for: the time after which leaving is a failure
    drop(client);
    assert_eq!(rig.settled().await.totals.failure, 1);
}

#[tokio::test]
async fn a_caller_that_sends_its_body_slowly_is_no_failure_of_the_upstream() {
    let upstream = Upstream::good().await;
    let circuit = format!("{TOUCHY}connect_timeout = \"100ms\"\n").replace("5s", "100ms");
    let rig = Rig::start(Setup::of(&upstream).upstream(&circuit)).await;
    let mut slow = rig.client().await;
    slow.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
    tokio::time::sleep(Duration::from_millis(350)).await; // waits for: longer than the upstream may take
    assert_eq!(rig.ask(get("/")).await.text(), "ok", "nobody else is held up");
    slow.send("llo").await;
    assert_eq!(slow.answer().await.unwrap().text(), "ok");
    let info = rig.settled().await;
    assert_eq!((info.totals.success, info.totals.failure), (2, 0));
}

#[tokio::test]
async fn the_upstreams_time_runs_once_it_has_the_whole_body() {
    let upstream = Upstream::silent().await;
    let rig =
        Rig::start(Setup::of(&upstream).upstream(&format!("{CALM}timeout = \"100ms\"\n"))).await;
    let mut slow = rig.client().await;
    slow.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
    tokio::time::sleep(Duration::from_millis(250)).await; // waits for: longer than the upstream may take
    assert_eq!(rig.circuit().info().in_flight, 1);
    slow.send("llo").await;
    assert_eq!(slow.answer().await.unwrap().status, 504);
    assert_eq!(rig.settled().await.totals.failure, 1);
}

/// A probe's slot is for those who use it.
#[tokio::test]
async fn a_slow_caller_does_not_hold_a_half_open_circuit() {
    let upstream = Upstream::good().await;
    let circuit = "trip = \"failure_streak(1)\"\nrecovery = \"successes(1)\"\nslots = 1\n\
                   timeout = \"100ms\"\nprobe_timeout = \"10s\"\n";
    let rig = Rig::start(Setup::of(&upstream).upstream(circuit)).await;
    rig.force_open();
    rig.circuit().auto();
    let mut slow = rig.client().await;
    slow.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
    let answer = slow.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.get("fuseboard-reason").unwrap().as_str()),
        (408, "slow-body")
    );
    let info = rig.settled().await;
    assert_eq!((info.state, info.totals.ignored), (State::HalfOpen, 1));
    assert_eq!(rig.ask(get("/")).await.text(), "ok");
    assert_eq!(rig.circuit().state(), State::Closed);
}

#[tokio::test]
async fn a_caller_whose_body_breaks_off_is_no_failure_of_the_upstream() {
    let beginnings = [
        "content-length: 10\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhel",
        "transfer-encoding: chunked\r\n\r\n",
    ];
    for beginning in beginnings {
        for reset in [false, true] {
            let upstream = Upstream::good().await;
            let setup = Setup::of(&upstream).upstream(TOUCHY).route("fallback = [\"queue\"]\n");
            let rig = Rig::start(setup).await;
            let mut client = rig.client().await;
            client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{beginning}")).await;
            rig.until("it is under way", |info| info.in_flight == 1).await;
            if reset {
                client.will_reset();
            }
            drop(client);
            let info = rig.settled().await;
            assert_eq!((info.state, info.totals.failure), (State::Closed, 0), "{beginning}");
            assert_eq!(rig.app.letters().counts().await.unwrap().captured, 0, "{beginning}");
            assert!(upstream.requests().iter().all(|request| !request.whole), "{beginning}");
            assert_eq!(rig.ask(with_body("POST", "/", "", "x")).await.text(), "ok");
        }
    }
}

#[tokio::test]
async fn a_caller_that_left_while_its_request_waits_for_its_body_leaves_no_letter() {
    let upstream = Upstream::answering(|_| OK).await;
    let rig = Rig::start(Setup::of(&upstream).route("fallback = [\"queue\"]\n")).await;
    rig.force_open();
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
    rig.until("it was rejected", |info| info.totals.rejected == 1).await;
    client.finish().await;
    let answer = client.answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert_eq!(rig.app.letters().counts().await.unwrap().captured, 0);
}
