//! Random bytes and requests with random damage: whatever comes, the upstream gets only what is sound.

use fuseboard_core::random::{Random, SeededRandom};

use crate::bad_requests::{SMUGGLED, fates};
use crate::rig::{Rig, Setup, get, with_body};
use crate::upstream::Upstream;

/// One request with a few bytes changed, taken out or put in.
fn mutate(random: &SeededRandom, bytes: &[u8]) -> Vec<u8> {
    let below = |limit: usize| (random.draw() * limit as f64) as usize;
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(4) {
        let at = below(bytes.len().max(1));
        match below(5) {
            0 if at < bytes.len() => bytes[at] = below(256) as u8,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"\r\n :,;\0\t\xff0"[below(10)]),
            3 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..(at + below(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_of_many_seeds_harms_nobody() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).server("max_body = 1000\n")).await;
    let whole = [
        with_body("POST", "/a?b", "x-y: z\r\nconnection: x-y\r\n", "hello"),
        format!(
            "PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"
        ),
        format!("{SMUGGLED}{SMUGGLED}"),
        get("/.fuseboard/letters/0123456789abcdef0123456789abcdef/answer"),
    ];
    let mut neighbour = rig.client().await;
    for seed in 0..2000 {
        let random = SeededRandom::new(seed);
        let bytes = match seed % 5 {
            0 => (0..(random.draw() * 500.0) as usize)
                .map(|_| (random.draw() * 256.0) as u8)
                .collect(),
            kind => mutate(&random, whole[kind as usize - 1].as_bytes()),
        };
        let statuses = fates(rig.client().await, &bytes).await;
        let known = [200, 400, 404, 405, 408, 413, 414, 431, 501];
        assert!(statuses.iter().all(|status| known.contains(status)), "{seed}: {statuses:?}");
        if seed % 20 == 0 {
            assert_eq!(neighbour.ask(get("/neighbour")).await.text(), "ok", "after seed {seed}");
        }
    }
    let info = rig.settled().await;
    assert_eq!(info.totals.failure, 0, "{:?}", info.last_error);
    for request in upstream.requests() {
        // The upstream understands whatever it gets, and in one way only.
        let lengths = request.head.all("content-length").len();
        let chunked = request.head.all("transfer-encoding").len();
        assert!(lengths + chunked <= 1, "{request:?}");
        assert_eq!(request.head.all("host").len(), 1, "{request:?}");
    }
}
