//! Many callers at once through an upstream that does everything wrong: every ticket and every connection comes back.

use std::fs;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rig::{Rig, Setup, answer, get, with_body};
use crate::upstream::{OK, Upstream};

/// As many as a thousand, if the system allows that many open files: each call takes up to four.
fn callers() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let files = line.split_whitespace().nth(3).and_then(|files| files.parse().ok());
    files.map_or(1000, |files: usize| (files / 5).min(1000))
}

async fn flapping() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        let mut number = peer.number;
        while peer.request().await.is_some() {
            number += 1;
            match number % 9 {
                0 => peer.say(answer(500, "", "no")).await,
                1 => return,
                2 => return peer.wire.will_reset(),
                3 => {
                    peer.wire.rest().await;
                    return;
                }
                4 => return peer.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await,
                5 => peer.say(answer(200, "connection: close\r\n", "bye")).await,
                _ => peer.say(OK).await,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_flapping_upstream_nothing_leaks() {
    let upstream = flapping().await;
    let circuit = "trip = \"min_requests(20) & failure_rate(0.4)\"\nretry = \"cooldown(20ms)\"\n\
                   timeout = \"500ms\"\nrecovery = \"successes(1)\"\nslots = 3\n";
    let rig = Rig::start(Setup::of(&upstream).upstream(circuit)).await;
    let mut calls = JoinSet::new();
    let callers = callers();
    for caller in 0..callers {
        let mut client = rig.client().await;
        calls.spawn(async move {
            let request = match caller % 3 {
                0 => get("/"),
                1 => with_body("POST", "/", "", &"x".repeat(caller)),
                _ => with_body("PUT", "/", "connection: close\r\n", "x"),
            };
            client.send(request).await;
            if caller % 10 == 0 {
                return None;
            }
            client.answer().await.map(|answer| answer.status)
        });
    }
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    while let Some(status) = calls.join_next().await {
        if let Some(status) = status.unwrap() {
            *statuses.entry(status).or_default() += 1;
        }
    }
    let known = [200, 500, 502, 503, 504];
    assert!(statuses.keys().all(|status| known.contains(status)), "{statuses:?}");
    assert_eq!(statuses.values().sum::<usize>(), callers - callers.div_ceil(10), "{statuses:?}");

    let info = rig.settled().await;
    let counted = info.totals.by_outcome().iter().map(|(_, count)| count).sum::<u64>();
    // Of those that left at once some were never begun.
    let (least, most) = (callers - callers.div_ceil(10), callers);
    assert!(
        (least..=most).contains(&(counted as usize)),
        "each is counted once: {:?}",
        info.totals
    );
    assert!(info.totals.rejected > 0 && info.totals.success > 0, "{:?}", info.totals);
    upstream.until("only idle connections", |upstream| upstream.open() <= 128).await;
    let stopping = timeout(Duration::from_secs(5), rig.app.stop()).await;
    stopping.expect("nothing is in flight, so it stops at once");
    upstream.until("the end of every connection", |upstream| upstream.open() == 0).await;
}
