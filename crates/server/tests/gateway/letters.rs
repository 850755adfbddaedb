//! A request that became a letter: its page, its answer, and its replay byte for byte.

use std::collections::BTreeSet;

use fuseboard_core::letter::Status;
use tokio::task::JoinSet;

use crate::rig::{CHAIN, Rig, Setup, answer, get, with_body};
use crate::upstream::{OK, Upstream};

const QUEUE: &str = "fallback = [\"queue\"]\n";

/// A server in front of `upstream` whose circuit is forced open.
async fn waiting(upstream: &Upstream) -> Rig {
    let rig = Rig::start(Setup::of(upstream).route(QUEUE)).await;
    rig.force_open();
    rig
}

#[tokio::test]
async fn what_was_accepted_has_a_page_and_in_the_end_an_answer() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 201 Made\r\ncontent-type: application/x-thing\r\ncontent-length: 6\r\n\
         x-many: 1\r\nx-many: 2\r\nx-bytes: caf\u{e9}\r\nlocation: /things/1\r\nconnection: x-hop\r\n\
         x-hop: 1\r\ncache-control: public\r\n\r\n\0\u{1}\r\n\u{7f}!"
    })
    .await;
    let rig = waiting(&upstream).await;
    let accepted = rig.ask(with_body("POST", "/things?a=b", "", "body")).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(accepted.get("fuseboard-circuit").unwrap(), "shop");
    assert_eq!(accepted.get("fuseboard-reason").unwrap(), "rejected");
    assert_eq!(accepted.get("cache-control").unwrap(), "no-store");
    let page = accepted.get("location").unwrap();
    let token = page.strip_prefix("/.fuseboard/letters/").unwrap();
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    assert_eq!(accepted.json()["letter"], page.as_str());

    let status = rig.ask(get(&page)).await;
    assert_eq!(status.get("content-type").unwrap(), "application/json");
    assert_eq!(status.get("cache-control").unwrap(), "no-store");
    let json = status.json();
    assert_eq!((&json["status"], &json["circuit"]), (&"pending".into(), &"shop".into()));
    assert_eq!((&json["attempts"], &json["answer_status"]), (&0.into(), &().into()));
    assert_eq!(rig.ask(get(&format!("{page}/answer"))).await.status, 404);

    rig.circuit().reset();
    let json = rig.until_letter(&page, "resolved").await.json();
    assert_eq!((&json["attempts"], &json["answer_status"]), (&1.into(), &201.into()));
    let answer = rig.ask(get(&format!("{page}/answer"))).await;
    assert_eq!((answer.status, answer.body.as_slice()), (201, b"\0\x01\r\n\x7f!".as_slice()));
    assert_eq!(answer.get("content-type").unwrap(), "application/x-thing");
    assert_eq!(answer.get("location").unwrap(), "/things/1");
    assert_eq!(answer.head.all("x-many"), [b"1", b"2"]);
    assert_eq!(answer.head.all("x-bytes"), ["caf\u{e9}".as_bytes()]);
    assert_eq!(answer.get("cache-control").unwrap(), "no-store");
    assert_eq!(answer.get("x-hop"), None);
    let request = upstream.only();
    assert_eq!((request.line(), request.body.as_slice()), ("POST /things?a=b", b"body".as_slice()));
}

#[tokio::test]
async fn answers_of_every_kind_are_kept_as_they_came() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let rows = [
        (chunked, 200, "ok"),
        ("HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n", 204, ""),
        ("HTTP/1.1 303 See\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 303, ""),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end", 200, "until the end"),
    ];
    for (text, status, body) in rows {
        let upstream = Upstream::scripted(move |mut peer| async move {
            peer.request().await;
            peer.say(text).await;
        })
        .await;
        let rig = waiting(&upstream).await;
        let page = rig.ask(with_body("PUT", "/", "", "x")).await.get("location").unwrap();
        rig.circuit().reset();
        rig.until_letter(&page, "resolved").await;
        let answer = rig.ask(get(&format!("{page}/answer"))).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{text}");
        let mut client = rig.client().await;
        client.send(format!("HEAD {page}/answer HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(client.answer_to("HEAD").await.unwrap().status, status, "{text}");
        assert_eq!(client.ask(get(&page)).await.status, 200, "and the connection goes on");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_to_keep_is_gone_and_the_letter_is_done() {
    for (length, status) in [(1 << 20, 200), ((1 << 20) + 1, 410)] {
        let upstream = Upstream::answering(move |_| answer(200, "", &"x".repeat(length))).await;
        let rig = waiting(&upstream).await;
        let page = rig.ask(with_body("POST", "/", "", "x")).await.get("location").unwrap();
        rig.circuit().reset();
        rig.until_letter(&page, "resolved").await;
        let answer = rig.ask(get(&format!("{page}/answer"))).await;
        assert_eq!(answer.status, status, "{length} bytes");
    }
}

#[tokio::test]
async fn a_replay_is_the_request_byte_for_byte() {
    let headers = "Content-Type: application/x-thing; v=1\r\nX-Many: 1\r\nx-many: 2\r\nx-empty:\r\n\
                   Authorization: Bearer t\r\ncookie: a=b\r\nIdempotency-Key: order 17/a\r\n\
                   x-forwarded-for: 10.0.0.1\r\nte: trailers\r\nconnection: x-hop\r\nx-hop: 1\r\n\
                   accept-encoding: gzip\r\nuser-agent: test/1\r\n";
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let head = |framing: &str| {
        let head =
            format!("PUT /a/%2F/b?c=%20&d HTTP/1.1\r\nHost: Shop.Example:1\r\n{headers}{framing}");
        [head.as_bytes(), b"x-bytes: \xe9\xff\r\n\r\n"].concat()
    };
    let counted = [head("content-length: 100000\r\n"), bytes.clone()].concat();
    let mut chunked = head("transfer-encoding: chunked\r\n");
    for chunk in bytes.chunks(999) {
        chunked.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    for sent in [counted, chunked] {
        let upstream = Upstream::good().await;
        let rig = Rig::start(Setup::of(&upstream).route(QUEUE)).await;
        assert_eq!(rig.ask(&sent).await.text(), "ok");
        rig.force_open();
        let page = rig.ask(&sent).await.get("location").unwrap();
        rig.circuit().reset();
        rig.until_letter(&page, "resolved").await;
        let [live, replayed] = upstream.requests().try_into().unwrap();
        assert_eq!(replayed.head.start, live.head.start);
        assert!(replayed.whole && replayed.body == live.body && replayed.body == bytes);
        assert_eq!(replayed.get("idempotency-key").unwrap(), "order 17/a");
        assert_eq!(replayed.get("fuseboard-replay").unwrap(), "1");
        assert_eq!(replayed.get("content-length").unwrap(), "100000");
        let framing = ["content-length", "transfer-encoding", "fuseboard-replay"];
        let [mut was, mut is] = [live, replayed].map(|request| {
            let mut headers = request.head.headers;
            headers.retain(|(name, _)| !framing.contains(&name.as_str()));
            headers
        });
        was.sort();
        is.sort();
        assert_eq!(is, was);
        rig.app.stop().await;
        assert_eq!(upstream.requests().len(), 2, "once");
    }
}

#[tokio::test]
async fn the_gateways_own_key_is_the_same_in_the_first_try_and_in_each_replay() {
    let upstream = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            match request.get("fuseboard-replay").as_deref() {
                None => return peer.wire.will_reset(),
                Some("3") => peer.say(OK).await,
                Some(_) => peer.say(answer(503, "", "not yet")).await,
            }
        }
    })
    .await;
    let route = format!("{QUEUE}idempotent = true\n");
    let setup = Setup::of(&upstream).route(&route).letters("retry = \"cooldown(10ms)\"\n");
    let rig = Rig::start(setup).await;
    let page = rig.ask(with_body("POST", "/", "", "x")).await.get("location").unwrap();
    let page = rig.until_letter(&page, "resolved").await.json();
    let requests = upstream.requests();
    let keys: Vec<_> = requests.iter().map(|one| one.get("idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == keys[0] && page["idempotency_key"] == *key), "{keys:?}");
    let tries: Vec<_> = requests.iter().map(|one| one.get("fuseboard-replay")).collect();
    assert_eq!(tries[1..], ["1", "2", "3"].map(|number| Some(number.to_owned())));
}

#[tokio::test]
async fn what_will_never_be_done_waits_for_a_person() {
    let upstream = Upstream::answering(|_| answer(422, "x-a: b\r\n", "no such thing")).await;
    let rig = waiting(&upstream).await;
    let page = rig.ask(with_body("POST", "/", "", "x")).await.get("location").unwrap();
    rig.circuit().reset();
    rig.until_letter(&page, "requires_review").await;
    let answer = rig.ask(get(&format!("{page}/answer"))).await;
    assert_eq!((answer.status, answer.text().as_str()), (422, "no such thing"));
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_letter() {
    let upstream = Upstream::good().await;
    let rig = waiting(&upstream).await;
    let request = |path: &str, key: &str, body: &str| {
        with_body("POST", path, &format!("idempotency-key: {key}\r\n"), body)
    };
    let first = rig.ask(request("/", "k", "body")).await;
    let page = first.get("location").unwrap();
    assert_eq!(rig.ask(request("/", "k", "body")).await.get("location").unwrap(), page);
    let reused = rig.ask(request("/", "k", "other")).await;
    assert_eq!((reused.status, reused.get("location")), (422, None));
    assert_eq!(reused.get("fuseboard-reason").unwrap(), "key-reused");
    assert_eq!(reused.get("fuseboard-circuit").unwrap(), "shop");
    assert!(reused.json()["detail"].as_str().unwrap().contains("`k`"));
    for other in [request("/", "k2", "body"), request("/other", "k", "other")] {
        let other = rig.ask(other).await;
        assert_eq!(other.status, 202);
        assert_ne!(other.get("location").unwrap(), page);
    }
    let unkeyed = [0, 1].map(|_| with_body("POST", "/", "", "body"));
    let first = rig.ask(&unkeyed[0]).await.get("location");
    assert_ne!(rig.ask(&unkeyed[1]).await.get("location"), first, "nobody said they are the same");

    rig.circuit().reset();
    rig.until_letter(&page, "resolved").await;
    rig.force_open();
    assert_eq!(rig.ask(request("/", "k", "body")).await.get("location").unwrap(), page);
    rig.circuit().reset();
    let letters = rig.app.letters();
    assert_eq!(letters.counts().await.unwrap().captured, 5);
    while letters.counts().await.unwrap().of(Status::Resolved) < 5 {
        tokio::task::yield_now().await;
    }
    let keyed = upstream.requests().into_iter();
    let keyed =
        keyed.filter(|one| one.line() == "POST /" && one.get("idempotency-key").unwrap() == "k");
    assert_eq!(keyed.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_send_the_same_at_once_share_one_letter() {
    let upstream = Upstream::good().await;
    let rig = waiting(&upstream).await;
    let mut callers = JoinSet::new();
    for caller in 0..40 {
        let mut client = rig.client().await;
        let key = format!("idempotency-key: {}\r\n", caller % 2);
        callers.spawn(async move {
            let answer = client.ask(with_body("POST", "/", &key, "body")).await;
            (caller % 2, answer.get("location").unwrap())
        });
    }
    let pages: BTreeSet<(i32, String)> = callers.join_all().await.into_iter().collect();
    assert_eq!(pages.len(), 2);
    rig.circuit().reset();
    for (_, page) in &pages {
        rig.until_letter(page, "resolved").await;
    }
    assert_eq!(upstream.requests().len(), 2);
}

/// Taking the key back by naming it in `Connection` must not make strangers' requests one.
#[tokio::test]
async fn requests_that_withdraw_their_key_are_not_taken_for_one() {
    let upstream = Upstream::good().await;
    let rig = waiting(&upstream).await;
    let headers = "idempotency-key: k\r\nconnection: idempotency-key\r\n";
    let pages = [
        rig.ask(with_body("POST", "/", headers, "body")).await.get("location").unwrap(),
        rig.ask(with_body("POST", "/", headers, "body")).await.get("location").unwrap(),
    ];
    assert_ne!(pages[0], pages[1]);
}

#[tokio::test]
async fn pages_of_nothing_are_not_found_and_nothing_can_be_written() {
    let upstream = Upstream::good().await;
    let rig = Rig::before(&upstream).await;
    let token = "0123456789abcdef0123456789abcdef";
    let rows = [
        ("GET", format!("/.fuseboard/letters/{token}"), 404),
        ("GET", format!("/.fuseboard/letters/{token}/answer"), 404),
        ("GET", format!("/.fuseboard/letters/{token}/"), 404),
        ("GET", format!("/.fuseboard/letters/{token}/answer/answer"), 404),
        ("GET", "/.fuseboard/letters/".to_owned(), 404),
        ("GET", "/.fuseboard/letters//answer".to_owned(), 404),
        ("GET", "/.fuseboard/letters/%00".to_owned(), 404),
        ("GET", "/.fuseboard/letters/1%27%20or%201=1".to_owned(), 404),
        ("GET", format!("/.fuseboard/letters/{}", "f".repeat(5000)), 404),
        ("GET", "/.fuseboard/".to_owned(), 404),
        ("GET", "/.fuseboard/../x".to_owned(), 404),
        ("GET", format!("http://x/.fuseboard/letters/{token}"), 404),
        ("HEAD", format!("/.fuseboard/letters/{token}"), 404),
        ("POST", format!("/.fuseboard/letters/{token}"), 405),
        ("DELETE", format!("/.fuseboard/letters/{token}"), 405),
        ("PUT", "/.fuseboard/x".to_owned(), 405),
    ];
    for (method, path, status) in rows {
        let mut client = rig.client().await;
        client.send(with_body(method, &path, "", "")).await;
        let answer = client.answer_to(method).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.get("cache-control").unwrap(), "no-store");
        let allowed = (status == 405).then(|| "GET, HEAD".to_owned());
        assert_eq!(answer.get("allow"), allowed, "{method} {path}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn letters_survive_a_restart_and_are_done_then() {
    let (upstream, folder) = (Upstream::good().await, tempfile::tempdir().unwrap());
    let mut setup = Setup::of(&upstream).route(CHAIN);
    setup.data = Some(folder.path().display().to_string());
    let rig = Rig::start(setup.clone()).await;
    rig.force_open();
    let page = rig.ask(with_body("POST", "/", "", "kept")).await.get("location").unwrap();
    rig.app.stop().await;
    let rig = Rig::start(setup).await;
    rig.until_letter(&page, "resolved").await;
    assert_eq!(upstream.only().body, b"kept");
}
