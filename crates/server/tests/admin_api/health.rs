//! Whether the server can do its work, as it says itself.

use std::time::Duration;

use fuseboard_store::Letters;
use serde_json::json;
use tokio::net::TcpStream;

use crate::rig::{Server, assert_line};

#[tokio::test]
async fn health_follows_the_store() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, json!({ "status": "ok" })), "{path}");
    }
    server.letters.close().await.unwrap();
    for path in ["/healthz", "/readyz"] {
        let detail = server.get(path).await.problem(503);
        assert!(detail.starts_with("store: the store is unavailable"), "{detail}");
    }
    server.get("/v1/letters").await.problem(503);
    let circuits = server.get("/v1/circuits").await;
    assert_eq!(circuits.status, 200, "circuits do not need the store");
    let metrics = server.get("/metrics").await;
    assert!(metrics.body.contains("\nfuseboard_store_up 0\n"), "{}", metrics.body);
    assert!(!metrics.body.contains("fuseboard_letters{"), "what is not known is not claimed");
}

#[tokio::test]
async fn readiness_ends_while_requests_are_not_kept() {
    let server = Server::start().await;
    let degraded = json!({
        "status": "degraded", "detail": "the store did not keep the latest request: disk_full",
    });
    let ready = async || {
        let reply = server.get("/readyz").await;
        (reply.status, reply.json())
    };
    server.metrics.count_refused_capture("payments", "disk_full");
    assert_eq!(ready().await, (503, degraded.clone()));
    assert_eq!(server.get("/healthz").await.status, 200, "it is alive all the same");
    server.metrics.capture_worked();
    assert_eq!(ready().await, (200, json!({ "status": "ok" })));

    server.metrics.count_refused_capture("payments", "disk_full");
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(ready().await, (503, degraded));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        ready().await.0,
        200,
        "without requests, nothing would ever show that it works again"
    );
    server.metrics.count_refused_capture("gone", "disk_full");
    let line = "fuseboard_captures_refused_total{circuit=\"payments\",reason=\"disk_full\"} 2";
    let text = server.get("/metrics").await.body;
    assert_line(&text, line);
    assert!(!text.contains("gone"), "labels are bounded by the configuration");
}

#[tokio::test]
async fn letters_that_nobody_replays_are_told() {
    let server = Server::start().await;
    server.capture("payments", "a", b"").await;
    server.capture("renamed", "b", b"").await;
    server.capture("renamed", "c", b"").await;
    server.capture("finished", "d", b"").await;
    server.replay("renamed", 422).await;
    server.replay("finished", 200).await;
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path).await;
        let expected = json!({ "status": "ok", "unconfigured": { "renamed": 2 } });
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
}

#[tokio::test]
async fn the_api_ends_when_it_is_told_to() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop.send_replace(true);
    // The listener is closed once nobody holds a receiver any more.
    server.stop.closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
}
