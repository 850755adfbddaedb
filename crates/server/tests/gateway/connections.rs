//! Connections are kept alive on both sides, and no request pays for one that was closed meanwhile.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::rig::{Rig, Setup, answer, get, with_body};
use crate::upstream::{OK, Upstream};

#[tokio::test]
async fn one_connection_on_each_side_serves_many_requests() {
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    for index in 0..20 {
        let request = match index % 3 {
            0 => get("/"),
            1 => with_body("POST", "/", "", "hello"),
            _ => "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
                .to_owned(),
        };
        assert_eq!(client.ask(request).await.text(), "ok");
    }
    assert_eq!((upstream.accepted(), upstream.requests().len()), (1, 20));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Upstream::answering(|request| answer(200, "", request.line())).await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    let mut requests = String::new();
    for index in 0..50 {
        requests += &match index % 2 {
            0 => get(&format!("/{index}")),
            _ => with_body("POST", &format!("/{index}"), "", "GET /fake HTTP/1.1\r\n\r\n"),
        };
    }
    client.send(requests).await;
    for index in 0..50 {
        let line = if index % 2 == 0 { "GET" } else { "POST" };
        assert_eq!(client.answer().await.unwrap().text(), format!("{line} /{index}"));
    }
    assert_eq!(upstream.requests().len(), 50);
}

#[tokio::test]
async fn a_caller_that_wants_the_connection_closed_gets_it_closed() {
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    let requests = [
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nConnection: x, Close\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
    ];
    for request in requests {
        let mut client = rig.client().await;
        assert_eq!(client.ask(request).await.text(), "ok");
        assert_eq!(client.rest().await, b"", "{request}");
    }
    assert_eq!(upstream.accepted(), 1, "that is no reason to close the upstream's connection");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_is_not_used_again() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say(answer(200, "connection: close\r\n", "bye")).await;
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    for _ in 0..10 {
        assert_eq!(client.ask(get("/")).await.text(), "bye");
    }
    assert_eq!(rig.settled().await.totals.success, 10);
}

/// It says nothing of it, as a server whose idle timeout has passed.
#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_no_request() {
    for reset in [false, true] {
        let upstream = Upstream::scripted(move |mut peer| async move {
            peer.request().await;
            peer.say(OK).await;
            peer.told().await;
            if reset {
                peer.wire.will_reset();
            }
        })
        .await;
        let rig = Rig::before(&upstream).await;
        let mut client = rig.client().await;
        for index in 0..50 {
            let request = if index % 2 == 0 { get("/") } else { with_body("POST", "/", "", "x") };
            assert_eq!(client.ask(request).await.text(), "ok", "{index}");
            upstream.tell();
            upstream.until("its connection's end", |upstream| upstream.open() == 0).await;
        }
        let totals = rig.settled().await.totals;
        assert_eq!((totals.success, totals.failure), (50, 0));
    }
}

/// The request crosses the upstream's closing on the way: what is idempotent is sent again.
#[tokio::test]
async fn an_idempotent_request_that_meets_a_closing_connection_is_sent_again() {
    let rows = [("GET", 200), ("HEAD", 200), ("DELETE", 200), ("POST", 502), ("PATCH", 502)];
    for (method, status) in rows {
        let upstream = Upstream::scripted(|mut peer| async move {
            // The first connection closes when its second request comes.
            let mut count = 0;
            while peer.request().await.is_some() {
                count += 1;
                if (peer.number, count) == (0, 2) {
                    return;
                }
                peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        })
        .await;
        let rig = Rig::before(&upstream).await;
        assert_eq!(rig.ask(get("/")).await.status, 200);
        let mut client = rig.client().await;
        client.send(format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(client.answer_to(method).await.unwrap().status, status, "{method}");
    }
}

#[tokio::test]
async fn a_fresh_connection_that_breaks_is_a_failure_also_for_an_idempotent_request() {
    let upstream = Upstream::resetting().await;
    let rig = Rig::before(&upstream).await;
    assert_eq!(rig.ask(get("/")).await.status, 502);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(rig.settled().await.totals.failure, 1);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_reaches_nobody() {
    let upstream = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let text = answer(200, "", request.line());
            peer.say(format!("{text}{}", answer(200, "", "forged"))).await;
        }
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    for index in 0..20 {
        let text = client.ask(get(&format!("/{index}"))).await.text();
        assert_eq!(text, format!("GET /{index}"));
    }
}

#[tokio::test]
async fn a_slow_upload_after_an_early_answer_keeps_nobody_waiting() {
    let upstream = Upstream::scripted(|mut peer| async move {
        let head = peer.head().await.unwrap();
        peer.say(OK).await;
        if head.start.starts_with("GET") {
            return;
        }
        peer.wire.rest().await;
    })
    .await;
    let setup = Setup::of(&upstream).upstream("timeout = \"500ms\"\ntrip = \"failure_streak(1)\"");
    let rig = Rig::start(setup).await;
    let mut uploading = rig.client().await;
    uploading.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
    assert_eq!(uploading.answer().await.unwrap().text(), "ok");
    for _ in 0..5 {
        let asking = tokio::time::timeout(Duration::from_millis(400), rig.ask(get("/"))).await;
        assert_eq!(asking.expect("it does not wait for the upload").text(), "ok");
    }
    assert_eq!(rig.settled().await.totals.failure, 0);
}

#[tokio::test]
async fn a_server_that_stops_ends_what_it_began() {
    let upstream = Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.told().await;
            peer.say(OK).await;
        }
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let address = rig.app.gateway();
    let mut idle = rig.client().await;
    let mut client = rig.client().await;
    client.send(get("/")).await;
    upstream.until("the request", |upstream| upstream.requests().len() == 1).await;
    let stopping = tokio::spawn(rig.app.stop());
    assert_eq!(idle.rest().await, b"", "who asks nothing is let go");
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
    upstream.tell();
    let answer = client.answer().await.unwrap();
    assert_eq!(
        (answer.text().as_str(), answer.get("connection").as_deref()),
        ("ok", Some("close"))
    );
    stopping.await.unwrap();
}

#[tokio::test]
async fn the_connection_of_a_request_that_was_given_up_is_closed() {
    let upstream = Upstream::silent().await;
    let setup = Setup::of(&upstream).upstream("timeout = \"50ms\"");
    let rig = Rig::start(setup).await;
    assert_eq!(rig.ask(get("/")).await.status, 504);
    upstream.until("the connection's end", |upstream| upstream.open() == 0).await;
    assert_eq!(upstream.accepted(), 1);
}
