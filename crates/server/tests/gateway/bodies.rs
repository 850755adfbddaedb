//! Bodies pass byte for byte, in both directions, and while they are still being sent.

use crate::rig::{Rig, Setup, answer, get, with_body};
use crate::upstream::{OK, Upstream};
use crate::wire::Framing;

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        // Not with each small one: hyper takes no more than 16 KiB of extensions.
        let extension = if size > 100 { ";ext=\"a b\"" } else { "" };
        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\nx-trailer: 1\r\n\r\n");
    bytes
}

#[tokio::test]
async fn a_requests_body_arrives_exactly_however_it_is_framed() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "PROPFIND"] {
        for length in [0, 1, 2, 16_384, 100_000] {
            for chunk in [None, Some(1), Some(7), Some(70_000)] {
                if chunk == Some(1) && length > 100 {
                    continue;
                }
                let upstream = Upstream::good().await;
                let rig = Rig::before(&upstream).await;
                let body = noise(length);
                let mut request = format!("{method} / HTTP/1.1\r\nhost: a\r\n").into_bytes();
                match chunk {
                    None => {
                        request.extend(format!("content-length: {length}\r\n\r\n").bytes());
                        request.extend(&body);
                    }
                    Some(size) => {
                        request.extend(b"transfer-encoding: chunked\r\n\r\n");
                        request.extend(chunked(&body, size));
                    }
                }
                let case = format!("{method}, {length} bytes in chunks of {chunk:?}");
                assert_eq!(rig.ask(request).await.status, 200, "{case}");
                let seen = upstream.only();
                assert!(seen.whole && seen.body == body, "{case}: {:?}", seen.head);
                assert_eq!(seen.get("x-trailer"), None);
            }
        }
    }
}

#[tokio::test]
async fn an_answers_body_arrives_exactly_however_it_is_framed() {
    let framings = ["length", "chunked", "until closed", "both"];
    for framing in framings {
        for length in [0, 1, 10_000, 200_000] {
            let upstream = Upstream::scripted(move |mut peer| async move {
                peer.request().await;
                let body = noise(length);
                let mut bytes = b"HTTP/1.1 200 OK\r\nx-a: b\r\n".to_vec();
                match framing {
                    "length" => {
                        bytes.extend(format!("content-length: {length}\r\n\r\n").bytes());
                        bytes.extend(&body);
                    }
                    "chunked" => {
                        bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                        bytes.extend(chunked(&body, 1000));
                    }
                    // The length is wrong, and does not count beside chunks.
                    "both" => {
                        bytes.extend(b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n");
                        bytes.extend(chunked(&body, 1000));
                    }
                    _ => {
                        bytes.extend(b"\r\n");
                        bytes.extend(&body);
                    }
                }
                peer.say(bytes).await;
            })
            .await;
            let rig = Rig::before(&upstream).await;
            let mut client = rig.client().await;
            let answer = client.ask(get("/")).await;
            let case = format!("{framing}, {length} bytes");
            assert!(answer.whole && answer.body == noise(length), "{case}: {:?}", answer.head);
            assert_eq!(answer.get("x-a").unwrap(), "b");
            assert_eq!(answer.get("x-trailer"), None);
            assert_eq!(client.ask(get("/")).await.body.len(), length, "kept alive: {case}");
            assert_eq!(rig.settled().await.totals.success, 2, "{case}");
        }
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    let rows = [
        ("HEAD", answer(200, "", "").replace("content-length: 0", "content-length: 1234")),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()),
        ("GET", "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n".to_owned()),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 77\r\n\r\n".to_owned(),
        ),
        ("DELETE", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("POST", "HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n".to_owned()),
    ];
    for (method, text) in rows {
        let scripted = text.clone();
        let upstream = Upstream::answering(move |_| scripted.clone()).await;
        let rig = Rig::before(&upstream).await;
        let mut client = rig.client().await;
        for _ in 0..2 {
            client.send(format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            let answer = client.answer_to(method).await.unwrap();
            assert!(text.contains(&format!(" {} ", answer.status)), "{text}");
            assert!(answer.body.is_empty());
            if text.contains("1234") {
                assert_eq!(answer.get("content-length").unwrap(), "1234");
            }
            if text.contains("etag") {
                assert_eq!(answer.get("etag").unwrap(), "\"x\"");
            }
        }
        assert_eq!(rig.settled().await.totals.success, 2, "{text}");
        assert_eq!(upstream.accepted(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_body_streams_to_the_upstream_while_it_is_being_sent() {
    const PIECE: usize = 1 << 20;
    for framing in ["content-length: 3145728\r\n\r\n", "transfer-encoding: chunked\r\n\r\n"] {
        let upstream = Upstream::scripted(|mut peer| async move {
            let head = peer.head().await.unwrap();
            let body = peer.wire.body(head.framing(Framing::Exactly(0))).await;
            assert!(body.whole && body.bytes == noise(3 * PIECE));
            peer.say(OK).await;
        })
        .await;
        // Kept for replay as well: that must not hold it up.
        let setup = Setup::of(&upstream).route("fallback = [\"queue\"]\nqueue_body = \"8MiB\"\n");
        let rig = Rig::start(setup).await;
        let mut client = rig.client().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}")).await;
        for (index, piece) in noise(3 * PIECE).chunks(PIECE).enumerate() {
            match framing.starts_with("transfer") {
                true => {
                    client
                        .send([format!("{PIECE:x}\r\n").as_bytes(), piece, b"\r\n"].concat())
                        .await
                }
                false => client.send(piece).await,
            }
            if index == 0 {
                upstream.until("the head", |upstream| upstream.requests().len() == 1).await;
            }
        }
        if framing.starts_with("transfer") {
            client.send("0\r\n\r\n").await;
        }
        assert_eq!(client.answer().await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn each_piece_of_a_body_arrives_before_the_next_is_sent() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.head().await.unwrap();
        for expected in ["first", "second", "third"] {
            let mut seen = Vec::new();
            while seen.len() < expected.len() {
                seen.extend(peer.wire.some(64).await);
            }
            assert_eq!(seen, expected.as_bytes());
            peer.mark();
        }
        peer.say(OK).await;
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 16\r\n\r\n").await;
    for (index, piece) in ["first", "second", "third"].into_iter().enumerate() {
        client.send(piece).await;
        upstream.until(piece, |upstream| upstream.marks() == index + 1).await;
    }
    assert_eq!(client.answer().await.unwrap().text(), "ok");
}

#[tokio::test]
async fn each_piece_of_an_answer_arrives_before_the_next_is_sent() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        for _ in 0..3 {
            peer.say("5\r\npiece\r\n").await;
            peer.told().await;
        }
        peer.say("0\r\n\r\n").await;
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    client.send(get("/")).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 200 OK");
    let mut seen = Vec::new();
    for _ in 0..3 {
        while !seen.ends_with(b"5\r\npiece\r\n") {
            seen.extend(client.some(64).await);
        }
        seen.clear();
        upstream.tell();
    }
    while !seen.ends_with(b"0\r\n\r\n") {
        seen.extend(client.some(64).await);
    }
    assert_eq!(rig.settled().await.totals.success, 1);
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_passes() {
    let upstream = Upstream::scripted(|mut peer| async move {
        while let Some(head) = peer.head().await {
            peer.say(answer(413, "x-a: b\r\n", "too much")).await;
            // Only then does it read, so that nothing is reset.
            peer.wire.body(head.framing(Framing::Exactly(0))).await;
        }
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (413, "too much".to_owned()));
    // That connection is not free before its body is through: others take another.
    assert_eq!(rig.ask(with_body("POST", "/", "", "x")).await.status, 413);
    assert_eq!(rig.settled().await.totals.success, 2);
    assert_eq!(upstream.accepted(), 2);
}
