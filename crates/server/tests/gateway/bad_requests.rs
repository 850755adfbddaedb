//! Requests that are broken, oversized or meant to deceive: each is refused, and nobody else notices.

use crate::rig::{CHAIN, Rig, Setup, get, with_body};
use crate::upstream::Upstream;
use crate::wire::Wire;

/// What comes after each bad request on its connection: it must never be taken for a request.
pub(crate) const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// This status, and the connection is closed.
    Refused(u16),
    /// No answer at all.
    Closed,
}

use Fate::{Closed, Refused};

/// Sends `bytes`, ends the sending side, and reads all answers.
pub(crate) async fn fates(mut client: Wire, bytes: &[u8]) -> Vec<u16> {
    // The gateway may have closed already.
    if client.try_send(bytes).await.is_ok() {
        let _ = client.try_finish().await;
    }
    let mut statuses = Vec::new();
    while let Some(answer) = client.answer().await {
        statuses.push(answer.status);
    }
    statuses
}

/// Each row, followed by something smuggled, on a server that then still serves a neighbour.
async fn each_is_refused(rows: &[(&str, Vec<u8>, Fate)]) {
    for fallback in ["", CHAIN] {
        let upstream = Upstream::good().await;
        let setup = Setup::of(&upstream).route(fallback).server("max_body = 1000\n");
        let rig = Rig::start(setup).await;
        let mut neighbour = rig.client().await;
        for (name, bytes, fate) in rows {
            let bytes = [bytes, SMUGGLED.as_bytes()].concat();
            let statuses = fates(rig.client().await, &bytes).await;
            let expected = match fate {
                Refused(status) => vec![*status],
                Closed => Vec::new(),
            };
            assert_eq!(statuses, expected, "{name}");
            assert_eq!(neighbour.ask(get("/neighbour")).await.text(), "ok", "after {name}");
        }
        let info = rig.settled().await;
        assert_eq!(info.totals.failure, 0, "none is the upstream's fault: {:?}", info.last_error);
        for request in upstream.requests() {
            let harmless = request.line() == "GET /neighbour" || !request.whole;
            assert!(harmless, "{request:?}");
        }
        assert_eq!(rig.app.letters().counts().await.unwrap().captured, 0);
    }
}

fn post(headers: &str, rest: &str) -> Vec<u8> {
    format!("POST /bad HTTP/1.1\r\nhost: a\r\n{headers}\r\n{rest}").into_bytes()
}

fn head(lines: &str) -> Vec<u8> {
    format!("{lines}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn lengths_that_say_two_things_are_refused() {
    let five = "content-length: 5\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    let chunk = "5\r\nhello\r\n0\r\n\r\n";
    let rows = [
        ("two lengths", post("content-length: 5\r\ncontent-length: 6\r\n", "hello")),
        ("two lengths in one", post("content-length: 5, 6\r\n", "hello")),
        ("one length twice in one", post("content-length: 5, 5\r\n", "hello")),
        ("a signed length", post("content-length: +5\r\n", "hello")),
        ("a negative length", post("content-length: -5\r\n", "hello")),
        ("a hexadecimal length", post("content-length: 0x5\r\n", "hello")),
        ("no number", post("content-length: five\r\n", "hello")),
        ("an empty length", post("content-length:\r\n", "hello")),
        ("a fraction", post("content-length: 5.0\r\n", "hello")),
        ("a spaced length", post("content-length: 5 5\r\n", "hello")),
        ("an endless length", post("content-length: 18446744073709551616\r\n", "hello")),
        ("length, then chunks", post(&format!("{five}{chunked}"), chunk)),
        ("chunks, then length", post(&format!("{chunked}{five}"), chunk)),
        ("chunks, then a bad length", post(&format!("{chunked}content-length: x\r\n"), chunk)),
        ("length zero and chunks", post(&format!("Content-Length: 0\r\n{chunked}"), chunk)),
        (
            "chunks in capitals and length",
            post(&format!("TRANSFER-ENCODING: Chunked\r\n{five}"), chunk),
        ),
        (
            "chunks and length far apart",
            post(&format!("{five}x: {}\r\n{chunked}", "y".repeat(9000)), chunk),
        ),
    ];
    each_is_refused(&rows.map(|(name, bytes)| (name, bytes, Refused(400)))).await;
}

#[tokio::test]
async fn transfer_codings_that_are_not_plain_chunks_are_refused() {
    let chunk = "5\r\nhello\r\n0\r\n\r\n";
    let rows = [
        ("gzip", post("transfer-encoding: gzip\r\n", chunk), Refused(400)),
        ("identity", post("transfer-encoding: identity\r\n", chunk), Refused(400)),
        ("chunked first", post("transfer-encoding: chunked, gzip\r\n", chunk), Refused(400)),
        ("an empty one", post("transfer-encoding:\r\n", chunk), Refused(400)),
        ("a misspelt one", post("transfer-encoding: xchunked\r\n", chunk), Refused(400)),
        ("a quoted one", post("transfer-encoding: \"chunked\"\r\n", chunk), Refused(400)),
        ("a vertical tab", post("transfer-encoding: \x0bchunked\r\n", chunk), Refused(400)),
        ("twice", post("transfer-encoding: chunked, chunked\r\n", chunk), Refused(400)),
        (
            "two headers",
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", chunk),
            Refused(400),
        ),
        (
            "identity beside it",
            post("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", chunk),
            Refused(400),
        ),
        (
            "one that we do not know",
            post("transfer-encoding: gzip, chunked\r\n", chunk),
            Refused(501),
        ),
        (
            "in HTTP/1.0",
            b"POST /bad HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
            Refused(400),
        ),
    ];
    each_is_refused(&rows).await;
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    let bodies = [
        ("no number", "zz\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a prefixed size", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("an endless size", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("a spaced size", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("an empty size", "\r\nhello\r\n0\r\n\r\n"),
        ("a chunk that is longer than it says", "5\r\nhello!\r\n0\r\n\r\n"),
        ("a chunk that is shorter than it says", "5\r\nhell\r\n0\r\n\r\n"),
        ("no line end after a chunk", "5\r\nhello0\r\n\r\n"),
        ("an extension with a line end", "5;a=\nb\r\nhello\r\n0\r\n\r\n"),
    ];
    let rows = bodies
        .map(|(name, body)| (name, post("transfer-encoding: chunked\r\n", body), Refused(400)));
    each_is_refused(&rows).await;
}

#[tokio::test]
async fn heads_that_are_no_heads_are_refused() {
    let rows = [
        ("no colon", head("GET /bad HTTP/1.1\r\nhost: a\r\nnonsense"), Refused(400)),
        ("a space before the colon", head("GET /bad HTTP/1.1\r\nhost : a"), Refused(400)),
        ("a tab before the colon", head("GET /bad HTTP/1.1\r\nhost: a\r\nx\t: b"), Refused(400)),
        ("a folded line", head("GET /bad HTTP/1.1\r\nhost: a\r\nx: b\r\n c: d"), Refused(400)),
        ("a folded length", post("content-length:\r\n 5\r\n", "hello"), Refused(400)),
        ("a first line with a space", head("GET /bad HTTP/1.1\r\n host: a"), Refused(400)),
        ("an empty name", head("GET /bad HTTP/1.1\r\nhost: a\r\n: b"), Refused(400)),
        ("NUL in a value", head("GET /bad HTTP/1.1\r\nhost: a\r\nx: a\0b"), Refused(400)),
        ("NUL in a name", head("GET /bad HTTP/1.1\r\nhost: a\r\nx\0y: b"), Refused(400)),
        ("CR in a value", head("GET /bad HTTP/1.1\r\nhost: a\r\nx: a\rb: c"), Refused(400)),
        ("DEL in a value", head("GET /bad HTTP/1.1\r\nhost: a\r\nx: a\x7f"), Refused(400)),
        ("a bell in a value", head("GET /bad HTTP/1.1\r\nhost: a\r\nx: \x07"), Refused(400)),
        ("a name in parentheses", head("GET /bad HTTP/1.1\r\nhost: a\r\n(x): b"), Refused(400)),
        ("a bad method", head("G(T /bad HTTP/1.1\r\nhost: a"), Refused(400)),
        ("an empty method", head(" /bad HTTP/1.1\r\nhost: a"), Refused(400)),
        (
            "a control character in the target",
            head("GET /b\x01ad HTTP/1.1\r\nhost: a"),
            Refused(400),
        ),
        ("two spaces", head("GET  /bad HTTP/1.1\r\nhost: a"), Refused(400)),
        ("a space in the target", head("GET /bad bad HTTP/1.1\r\nhost: a"), Refused(400)),
        ("no target", head("GET HTTP/1.1\r\nhost: a"), Refused(400)),
        ("no version", head("GET /bad"), Refused(400)),
        ("a small version", head("GET /bad http/1.1\r\nhost: a"), Refused(400)),
        ("HTTP/1.2", head("GET /bad HTTP/1.2\r\nhost: a"), Refused(400)),
        ("HTTP/2.0", head("GET /bad HTTP/2.0\r\nhost: a"), Refused(400)),
        ("HTTP/0.9", b"GET /bad\r\n".to_vec(), Refused(400)),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Closed),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Refused(400)),
        ("an answer", head("HTTP/1.1 200 OK\r\ncontent-length: 0"), Refused(400)),
    ];
    each_is_refused(&rows).await;
}

#[tokio::test]
async fn a_request_has_one_host() {
    let rows = [
        ("none", head("GET /bad HTTP/1.1\r\nx: y"), Refused(400)),
        ("two", head("GET /bad HTTP/1.1\r\nhost: a\r\nHost: b"), Refused(400)),
        ("two alike", head("GET /bad HTTP/1.1\r\nhost: a\r\nhost: a"), Refused(400)),
        ("two in one", head("GET /bad HTTP/1.1\r\nhost: a, b"), Refused(400)),
        ("a path", head("GET /bad HTTP/1.1\r\nhost: a/b"), Refused(400)),
        ("a user", head("GET /bad HTTP/1.1\r\nhost: u@a"), Refused(400)),
        ("a space", head("GET /bad HTTP/1.1\r\nhost: a b"), Refused(400)),
        ("bytes", b"GET /bad HTTP/1.1\r\nhost: \xff\r\n\r\n".to_vec(), Refused(400)),
        ("a bad port", head("GET /bad HTTP/1.1\r\nhost: a:b"), Refused(400)),
    ];
    // These are whole requests: what comes after them is not smuggled, but the next one.
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    for (name, bytes, fate) in &rows {
        let statuses = fates(rig.client().await, bytes).await;
        let Refused(status) = fate else { unreachable!("each is refused") };
        assert_eq!(statuses, [*status], "{name}");
    }
    assert_eq!(upstream.requests().len(), 0);
    for host in ["a", "a:1", "[::1]:80", "127.0.0.1", "a-b.c_d.example:8080", ""] {
        let answer = rig.ask(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn an_idempotency_key_is_one_printable_text() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(CHAIN)).await;
    let longest = "k".repeat(255);
    let rows: [(&[u8], u16); 8] = [
        (b"idempotency-key: order-17\r\n", 200),
        (b"idempotency-key: \"quoted text\"\r\n", 200),
        (&[b"idempotency-key: ", longest.as_bytes(), b"\r\n"].concat(), 200),
        (&[b"idempotency-key: k", longest.as_bytes(), b"\r\n"].concat(), 400),
        (b"idempotency-key:\r\n", 400),
        (b"idempotency-key: caf\xc3\xa9\r\n", 400),
        (b"idempotency-key: a\tb\r\n", 400),
        (b"idempotency-key: a\r\nidempotency-key: a\r\n", 400),
    ];
    let mut passed = 0;
    for (header, status) in rows {
        let request =
            [b"POST / HTTP/1.1\r\nhost: a\r\n", header, b"content-length: 1\r\n\r\nx"].concat();
        let name = String::from_utf8_lossy(header).into_owned();
        assert_eq!(rig.ask(request).await.status, status, "{name}");
        passed += usize::from(status == 200);
        assert_eq!(upstream.requests().len(), passed, "{name}");
    }
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n", "x".repeat(length));
    let chunked = |chunks: &str| post("transfer-encoding: chunked\r\n", chunks);
    let rows = [
        ("declared", post("content-length: 1001\r\n", &"x".repeat(1001)), Refused(413)),
        ("declared and not sent", post("content-length: 99999999\r\n", ""), Refused(413)),
        ("one chunk", chunked(&format!("{}0\r\n\r\n", chunk(1001))), Refused(413)),
        (
            "the largest that is a number",
            post("content-length: 18446744073709551615\r\n", ""),
            Refused(431),
        ),
        ("many chunks", chunked(&format!("{}0\r\n\r\n", chunk(10).repeat(101))), Refused(413)),
        ("chunks without end", chunked(&chunk(100).repeat(50)), Refused(413)),
    ];
    each_is_refused(&rows).await;
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).server("max_body = 1000\n")).await;
    assert_eq!(rig.ask(with_body("POST", "/", "", &"x".repeat(1000))).await.status, 200);
}

/// The caller writes everything before it looks for an answer, as many do.
#[tokio::test]
async fn the_refusal_of_a_large_body_reaches_a_caller_that_is_still_sending() {
    for framing in
        ["content-length: 8388608\r\n\r\n", "transfer-encoding: chunked\r\n\r\n800000\r\n"]
    {
        let upstream = Upstream::good().await;
        let rig = Rig::start(Setup::of(&upstream).server("max_body = 1000\n")).await;
        let mut client = rig.client().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}")).await;
        // It may be cut off while it sends.
        let _ = client.try_send(vec![b'x'; 8 << 20]).await;
        let answer = client.answer().await.expect("the refusal is not lost");
        assert_eq!(answer.status, 413);
    }
}

#[tokio::test]
async fn heads_over_the_limit_are_refused() {
    let many = (0..101).map(|index| format!("x-{index}: y\r\n")).collect::<String>();
    let rows = [
        ("one large header", post(&format!("x: {}\r\n", "y".repeat(70_000)), ""), Refused(431)),
        ("many headers", post(&many, ""), Refused(431)),
        (
            "no end",
            format!("GET /bad HTTP/1.1\r\nx: {}", "y".repeat(200_000)).into_bytes(),
            Refused(431),
        ),
        (
            "a long target",
            head(&format!("GET /{} HTTP/1.1\r\nhost: a", "x".repeat(70_000))),
            Refused(414),
        ),
    ];
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    for (name, bytes, fate) in rows {
        let Refused(status) = fate else { unreachable!("each is refused") };
        // The gateway stops reading, and what it did not read may cost the caller the answer.
        let statuses = fates(rig.client().await, &bytes).await;
        assert!(statuses == [status] || statuses.is_empty(), "{name}: {statuses:?}");
        assert_eq!(rig.ask(get("/")).await.text(), "ok", "after {name}");
    }
    assert!(upstream.requests().iter().all(|request| request.line() == "GET /"));
    let mut client = rig.client().await;
    client.send(post(&many, "")).await;
    assert_eq!(client.answer().await.unwrap().status, 431, "what was read whole gets its answer");
    let large = post(&format!("x: {}\r\n", "y".repeat(70_000)), "");
    assert_eq!(rig.ask(large).await.status, 431);
    let fits = post(&format!("x: {}\r\n", "y".repeat(60_000)), "");
    assert_eq!(rig.ask(fits).await.status, 200);
}

/// The whole head counts, however it is made up; and each of a connection for itself.
#[tokio::test]
async fn a_head_is_as_large_as_the_limit_and_no_larger() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).server("max_header_bytes = 20000\n")).await;
    let begin = "GET /limit HTTP/1.1\r\nhost: a\r\n";
    let one = |length: usize| format!("{begin}x: {}\r\n\r\n", "y".repeat(length));
    let many = |length: usize| {
        let lines = (0..50).map(|index| format!("x-{index:02}: {}\r\n", "y".repeat(300)));
        let lines: String = lines.collect();
        format!("{begin}{lines}z: {}\r\n\r\n", "y".repeat(length - lines.len()))
    };
    let rest = 20_000 - one(0).len();
    for (largest, larger) in [(one(rest), one(rest + 1)), (many(rest), many(rest + 1))] {
        assert_eq!((largest.len(), larger.len()), (20_000, 20_001));
        let mut client = rig.client().await;
        for _ in 0..3 {
            let request = with_body("POST", "/", "", &"x".repeat(50_000));
            assert_eq!(client.ask(request).await.status, 200);
            assert_eq!(client.ask(&largest).await.status, 200);
        }
        let passed = upstream.requests().len();
        let refused = client.ask(&larger).await;
        assert_eq!(refused.status, 431);
        assert_eq!(refused.get("fuseboard-reason").unwrap(), "large-head");
        assert_eq!(client.rest().await, b"");
        assert_eq!(upstream.requests().len(), passed);
    }
}

#[tokio::test]
async fn truncated_requests_are_dropped_and_never_look_whole() {
    let requests = [
        with_body("POST", "/", "idempotency-key: k\r\n", "hello"),
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            .to_owned(),
    ];
    for request in requests {
        let upstream = Upstream::good().await;
        let rig = Rig::start(Setup::of(&upstream).route(CHAIN)).await;
        for open in [false, true] {
            if open {
                rig.force_open();
            }
            for length in 0..request.len() {
                let statuses = fates(rig.client().await, &request.as_bytes()[..length]).await;
                assert!(statuses.iter().all(|status| *status == 400), "{length}: {statuses:?}");
            }
        }
        let info = rig.settled().await;
        assert_eq!(info.totals.failure, 0, "{:?}", info.last_error);
        assert!(upstream.requests().iter().all(|request| !request.whole));
        assert_eq!(rig.app.letters().counts().await.unwrap().captured, 0);
        rig.circuit().reset();
        assert_eq!(rig.ask(&request).await.text(), "ok");
    }
}

/// What a body holds is never a request, whatever it looks like and however the request before it was answered.
#[tokio::test]
async fn a_body_is_never_taken_for_the_next_request() {
    let upstream = Upstream::good().await;
    let setup = Setup::of(&upstream).route("methods = [\"POST\", \"GET\"]\nhost = \"a\"\n");
    let rig = Rig::start(setup.server("max_body = 1000\n")).await;
    let body = SMUGGLED.repeat(10);
    let long = SMUGGLED.repeat(100);
    let no_route = with_body("PUT", "/", "", &body);
    let page = with_body("POST", "/.fuseboard/letters/x", "", &body);
    let page_get = with_body("GET", "/.fuseboard/letters/x", "", &body);
    let too_large = with_body("POST", "/", "", &long);
    let expecting = with_body("PUT", "/", "expect: 100-continue\r\n", &body);
    let bad_key = with_body("POST", "/", "idempotency-key:\r\n", &body);
    let passes = with_body("POST", "/", "", &body);
    let rows = [
        (no_route, 404),
        (page, 405),
        (page_get, 404),
        (too_large, 413),
        (expecting, 404),
        (bad_key, 400),
        (passes, 200),
    ];
    for (request, status) in rows {
        let request = request.replacen("host: a", "host: a\r\nconnection: close", 1);
        for (open, passed) in [(false, 200), (true, 503)] {
            if open {
                rig.force_open();
            }
            let mut client = rig.client().await;
            client.send(&request).await;
            let expected = if status == 200 { passed } else { status };
            assert_eq!(client.answer().await.unwrap().status, expected, "{}", &request[..60]);
            assert_eq!(client.rest().await, b"", "{}", &request[..60]);
            rig.circuit().reset();
        }
    }
    assert!(upstream.requests().iter().all(|request| request.line() != "GET /smuggled"));
}
