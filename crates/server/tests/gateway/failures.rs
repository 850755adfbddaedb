//! What counts as a failure is what the route says.

use std::time::Duration;

use fuseboard_core::State;

use crate::rig::{CALM, Rig, Setup, answer, get};
use crate::upstream::{Dead, Upstream};

/// What the upstream does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Answers(u16),
    Hangs,
    Resets,
    Closes,
    Garbage,
    Refuses,
}

use Does::{Answers, Closes, Garbage, Hangs, Refuses, Resets};

async fn upstream(does: Does) -> Upstream {
    Upstream::scripted(move |mut peer| async move {
        while peer.request().await.is_some() {
            match does {
                Answers(status) => peer.say(answer(status, "", "said")).await,
                Hangs | Refuses => {}
                Resets => return peer.wire.will_reset(),
                Closes => return,
                Garbage => peer.say("this is no HTTP\r\n\r\n").await,
            }
        }
    })
    .await
}

/// The status that the caller gets, and whether it was a failure; if it was none, whether it was ignored.
async fn comes_to(does: Does, failure: Option<&str>) -> (u16, u64, u64) {
    let (upstream, dead) = (upstream(does).await, Dead::end());
    let mut setup = Setup::of(&upstream).upstream(&format!("{CALM}timeout = \"60ms\"\n"));
    if let Some(failure) = failure {
        setup = setup.route(&format!("failure = {failure}\n"));
    }
    if does == Refuses {
        setup.endpoints = vec![dead.address];
    }
    let rig = Rig::start(setup).await;
    let answer = rig.ask(get("/")).await;
    if let Answers(status) = does {
        assert_eq!((answer.status, answer.text().as_str()), (status, "said"), "it is relayed");
    } else {
        assert_eq!(answer.get("fuseboard-circuit").unwrap(), "shop");
    }
    let totals = rig.settled().await.totals;
    assert_eq!(totals.success + totals.failure + totals.ignored, 1, "{totals:?}");
    (answer.status, totals.failure, totals.ignored)
}

#[tokio::test]
async fn without_a_word_the_usual_things_are_failures() {
    let rows = [
        (Answers(200), (200, 0, 0)),
        (Answers(301), (301, 0, 0)),
        (Answers(404), (404, 0, 0)),
        (Answers(408), (408, 0, 0)),
        (Answers(429), (429, 1, 0)),
        (Answers(500), (500, 1, 0)),
        (Answers(501), (501, 1, 0)),
        (Answers(599), (599, 1, 0)),
        (Hangs, (504, 1, 0)),
        (Resets, (502, 1, 0)),
        (Closes, (502, 1, 0)),
        (Garbage, (502, 1, 0)),
        (Refuses, (502, 1, 0)),
    ];
    for (does, result) in rows {
        assert_eq!(comes_to(does, None).await, result, "{does:?}");
    }
}

#[tokio::test]
async fn a_route_says_what_is_a_failure() {
    let rows = [
        (Answers(500), "[\"5xx & !501\", \"404\"]", (500, 1, 0)),
        (Answers(501), "[\"5xx & !501\", \"404\"]", (501, 0, 0)),
        (Answers(404), "[\"5xx & !501\", \"404\"]", (404, 1, 0)),
        (Answers(429), "[\"5xx\"]", (429, 0, 0)),
        (Answers(503), "[\"nothing\"]", (503, 0, 0)),
        (Hangs, "[\"timeout\"]", (504, 1, 0)),
        (Hangs, "[\"5xx\", \"connect\", \"reset\"]", (504, 0, 1)),
        (Resets, "[\"reset\"]", (502, 1, 0)),
        (Resets, "[\"5xx\", \"connect\", \"timeout\"]", (502, 0, 1)),
        (Closes, "[\"reset\"]", (502, 1, 0)),
        (Garbage, "[\"reset\"]", (502, 1, 0)),
        (Refuses, "[\"connect\"]", (502, 1, 0)),
        (Refuses, "[\"5xx\", \"timeout\", \"reset\"]", (502, 0, 1)),
    ];
    for (does, failure, result) in rows {
        assert_eq!(comes_to(does, Some(failure)).await, result, "{does:?} with {failure}");
    }
}

#[tokio::test]
async fn failures_open_the_circuit_and_then_nothing_is_sent() {
    let upstream = upstream(Answers(500)).await;
    let setup =
        Setup::of(&upstream).upstream("trip = \"failure_streak(3)\"\nretry = \"cooldown(1h)\"");
    let rig = Rig::start(setup).await;
    for _ in 0..3 {
        assert_eq!(rig.ask(get("/")).await.status, 500);
    }
    let rejected = rig.ask(get("/")).await;
    assert_eq!(rejected.status, 503);
    assert_eq!(rejected.get("fuseboard-reason").unwrap(), "rejected");
    assert_eq!(rejected.get("fuseboard-circuit").unwrap(), "shop");
    assert_eq!(rejected.get("content-type").unwrap(), "application/problem+json");
    assert_eq!(rejected.get("cache-control").unwrap(), "no-store");
    let wait: u64 = rejected.get("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert_eq!(upstream.requests().len(), 3);
    let info = rig.settled().await;
    assert_eq!((info.state, info.totals.rejected), (State::Open, 1));
    assert_eq!(info.last_error.unwrap().message, "answered 500 Internal Server Error");
}

#[tokio::test]
async fn the_upstreams_own_retry_after_delays_the_deadline() {
    let rows = [
        ("retry-after: 90\r\n", 90),
        ("retry-after:  120 \r\n", 120),
        ("", 5),
        ("retry-after: 2\r\n", 5),
        ("retry-after: soon\r\n", 5),
        ("retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 5),
        ("retry-after: 99999999999999999999\r\n", 5),
        ("retry-after: 18446744073709551615\r\n", 3600),
    ];
    for status in [503, 429] {
        for (header, seconds) in rows {
            let upstream = Upstream::answering(move |_| answer(status, header, "")).await;
            let circuit = "trip = \"failure_streak(1)\"\nretry = \"cooldown(5s)\"";
            let rig = Rig::start(Setup::of(&upstream).upstream(circuit)).await;
            assert_eq!(rig.ask(get("/")).await.status, status);
            let wait = rig.settled().await.retry_after.expect("it is open");
            let expected = Duration::from_secs(seconds);
            let least = expected.saturating_sub(Duration::from_secs(4));
            assert!((least..=expected).contains(&wait), "{header}: {wait:?}");
            let said: u64 = rig.ask(get("/")).await.get("retry-after").unwrap().parse().unwrap();
            assert!(said >= wait.as_secs() && said <= seconds, "{header}: {said}");
        }
    }
}
