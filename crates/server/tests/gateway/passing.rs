//! Requests and answers pass through: everything that is meant for the other end, and nothing that is not.

use crate::rig::{Rig, Setup, answer, get, with_body};
use crate::upstream::{OK, Request, Upstream};

/// The request that an upstream gets when a caller sends `request`.
async fn passed(request: impl AsRef<[u8]>) -> Request {
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    let answer = rig.ask(request).await;
    assert_eq!((answer.status, answer.text()), (200, "ok".to_owned()));
    upstream.only()
}

#[tokio::test]
async fn a_request_line_passes_as_it_is() {
    let lines = [
        ("GET /", "GET /"),
        ("GET /a/b?c=d&e=%20f", "GET /a/b?c=d&e=%20f"),
        ("GET /a//b/../c;d=e?", "GET /a//b/../c;d=e?"),
        ("DELETE /%2e%2E/x", "DELETE /%2e%2E/x"),
        ("PURGE /cache", "PURGE /cache"),
        ("OPTIONS /x", "OPTIONS /x"),
        ("PUT /x?a=http://b/c", "PUT /x?a=http://b/c"),
        ("GET http://a/abs?x=1", "GET /abs?x=1"),
        ("GET http://a", "GET /"),
    ];
    for (sent, seen) in lines {
        let request = passed(format!("{sent} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(request.line(), seen);
    }
}

#[tokio::test]
async fn headers_pass_in_their_number_and_bytes() {
    let request = passed(
        b"GET / HTTP/1.1\r\nHost: shop.example:8080\r\nX-Many: 1\r\nx-many: 2\r\nX-MANY: 1\r\n\
          x-bytes: caf\xe9 \xff\x80\r\nx-empty:\r\nx-spaces:  a  b \t\r\nCookie: a=b; c=d\r\n\
          authorization: Basic Zm9v\r\ncontent-type: text/plain\r\n\r\n",
    )
    .await;
    let all = |name: &str| request.head.all(name).iter().map(|v| v.to_vec()).collect::<Vec<_>>();
    assert_eq!(all("host"), [b"shop.example:8080"]);
    assert_eq!(all("x-many"), [b"1", b"2", b"1"]);
    assert_eq!(all("x-bytes"), [b"caf\xe9 \xff\x80"]);
    assert_eq!(all("x-empty"), [b""]);
    assert_eq!(all("x-spaces"), [b"a  b"]);
    assert_eq!(all("cookie"), [b"a=b; c=d"]);
    assert_eq!(all("authorization"), [b"Basic Zm9v"]);
    assert_eq!(all("content-type"), [b"text/plain"]);
}

#[tokio::test]
async fn what_belongs_to_one_connection_does_not_pass() {
    let request = passed(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, X-Own, x-own-too\r\n\
         Connection: x-third\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
         te: trailers\r\ntrailer: x-sum\r\nupgrade: h2c\r\nproxy-authorization: Basic Zm9v\r\n\
         x-own: 1\r\nx-own-too: 2\r\nx-third: 3\r\nx-stays: 4\r\n\r\n",
    )
    .await;
    let gone = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "x-own",
        "x-own-too",
        "x-third",
    ];
    for name in gone {
        assert_eq!(request.get(name), None, "{name}");
    }
    assert_eq!(request.get("x-stays").unwrap(), "4");
}

/// `Connection` may not take away what the upstream needs to understand the request, or the gateway to keep it.
#[tokio::test]
async fn naming_the_wrong_headers_in_connection_does_no_harm() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route("fallback = [\"queue\"]\n")).await;
    let headers = "connection: host, content-length, idempotency-key, x-forwarded-for\r\n\
                   idempotency-key: own\r\n";
    rig.ask(with_body("POST", "/", headers, "hello")).await;
    let request = upstream.only();
    assert_eq!(request.get("host").unwrap(), "a");
    assert_eq!(request.body, b"hello");
    let key = request.get("idempotency-key").unwrap();
    assert!(key.starts_with("fuseboard-"), "the caller withdrew its own key: {key}");
    assert_eq!(request.get("x-forwarded-for").unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn answers_lose_what_belongs_to_one_connection_too() {
    let upstream = Upstream::answering(|_| {
        answer(
            200,
            "Connection: keep-alive, x-own\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n\
             upgrade: h2c\r\ntrailer: x\r\nx-own: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n",
            "body",
        )
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let answer = rig.ask(get("/")).await;
    assert_eq!(answer.text(), "body");
    for name in ["connection", "keep-alive", "proxy-authenticate", "upgrade", "trailer", "x-own"] {
        assert_eq!(answer.get(name), None, "{name}");
    }
    assert_eq!(answer.head.all("set-cookie"), [b"a=1", b"b=2"]);
}

#[tokio::test]
async fn the_callers_address_is_added_to_those_before_it() {
    let chains = [
        ("", "127.0.0.1"),
        ("x-forwarded-for: 10.0.0.1\r\n", "10.0.0.1, 127.0.0.1"),
        (
            "X-Forwarded-For: 10.0.0.1, ::2\r\nx-forwarded-for: unknown\r\n",
            "10.0.0.1, ::2, unknown, 127.0.0.1",
        ),
    ];
    for (sent, seen) in chains {
        let request = passed(with_body("GET", "/", sent, "")).await;
        assert_eq!(request.get("x-forwarded-for").unwrap(), seen);
    }
}

#[tokio::test]
async fn a_caller_cannot_pretend_to_be_a_replay() {
    let request = passed(with_body("POST", "/", "Fuseboard-Replay: 1\r\n", "x")).await;
    assert_eq!(request.get("fuseboard-replay"), None);
}

#[tokio::test]
async fn a_key_is_made_only_where_a_letter_may_be() {
    let rows = [
        ("POST", true, None),
        ("PUT", true, None),
        ("PATCH", true, None),
        ("DELETE", true, None),
        ("GET", false, None),
        ("POST", true, Some("own key")),
        ("GET", true, Some("own key")),
    ];
    for (method, has_key, own) in rows {
        let upstream = Upstream::good().await;
        let rig = Rig::start(Setup::of(&upstream).route("fallback = [\"queue\"]\n")).await;
        let header = own.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        rig.ask(with_body(method, "/", &header, "")).await;
        let key = upstream.only().get("idempotency-key");
        assert_eq!(key.is_some(), has_key, "{method}");
        if own.is_some() {
            assert_eq!(key.as_deref(), own, "{method}");
        }
    }
}

#[tokio::test]
async fn the_host_of_an_absolute_target_is_the_host() {
    let request = passed("GET http://shop.example:81/x HTTP/1.1\r\nhost: other\r\n\r\n").await;
    assert_eq!(request.get("host").unwrap(), "shop.example:81");
}

#[tokio::test]
async fn a_caller_of_http_1_0_is_served_and_the_upstream_gets_a_host() {
    let upstream = Upstream::answering(
        |_| "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    )
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    let answer = client.ask("GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.text()), (200, "ok".to_owned()));
    assert_eq!(answer.get("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert_eq!(upstream.only().get("host").unwrap(), upstream.address.to_string());
}

#[tokio::test]
async fn an_answer_in_http_1_0_is_passed_on_in_http_1_1() {
    let upstream = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.0 200 Fine\r\nx-a: b\r\n\r\nuntil the end").await;
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    let first = client.ask(get("/")).await;
    assert_eq!(first.head.start, "HTTP/1.1 200 Fine");
    assert_eq!((first.text().as_str(), first.whole), ("until the end", true));
    assert_eq!(client.ask(get("/")).await.text(), "until the end", "kept alive");
}

#[tokio::test]
async fn an_expectation_is_met_before_the_body_is_sent() {
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await;
    let interim = client.head().await.unwrap();
    assert_eq!(interim.start, "HTTP/1.1 100 Continue");
    assert_eq!(client.ask("hello").await.text(), "ok");
    assert_eq!(upstream.only().body, b"hello");
}

#[tokio::test]
async fn an_expectation_is_not_met_when_the_body_is_not_wanted() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).server("max_body = 4\n")).await;
    let mut client = rig.client().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    client.send(head).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn interim_answers_of_the_upstream_are_not_taken_for_the_answer() {
    let upstream = Upstream::answering(|_| {
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{OK}")
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let answer = rig.ask(with_body("POST", "/", "expect: 100-continue\r\n", "x")).await;
    assert_eq!((answer.status, answer.text()), (200, "ok".to_owned()));
}

/// Nobody asked for it: `Upgrade` does not pass.
#[tokio::test]
async fn an_upstream_cannot_switch_protocols() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nraw bytes"
    })
    .await;
    let rig = Rig::before(&upstream).await;
    let mut client = rig.client().await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    assert_eq!(client.ask(request).await.status, 502);
    assert_eq!(client.ask(get("/")).await.status, 502, "the connection still speaks HTTP");
    assert_eq!(rig.settled().await.totals.failure, 2);
}

#[tokio::test]
async fn a_path_that_no_route_takes_is_not_found() {
    let upstream = Upstream::good().await;
    let route = "host = \"shop.example\"\nmethods = [\"GET\", \"POST\"]\n";
    let rig = Rig::start(Setup::of(&upstream).route(route)).await;
    let rows = [
        ("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nhost: SHOP.example:8080\r\n\r\n", 200),
        ("GET http://shop.example/ HTTP/1.1\r\nhost: other\r\n\r\n", 200),
        ("GET http://other/ HTTP/1.1\r\nhost: shop.example\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\nhost: other.example\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\nhost:\r\n\r\n", 404),
        ("PUT / HTTP/1.1\r\nhost: shop.example\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nhost: shop.example\r\n\r\n", 404),
        ("CONNECT shop.example:80 HTTP/1.1\r\nhost: shop.example:80\r\n\r\n", 404),
    ];
    for (request, status) in rows {
        let answer = rig.ask(request).await;
        assert_eq!(answer.status, status, "{request}");
        let reason = answer.get("fuseboard-reason");
        assert_eq!(reason.as_deref(), (status == 404).then_some("no-route"), "{request}");
    }
}
