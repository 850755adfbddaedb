//! Whose a key is: what is the same for one caller is another's own business.

use crate::rig::{Rig, Setup, with_body};
use crate::upstream::Upstream;

const QUEUE: &str = "fallback = [\"queue\"]\n";

fn request(host: &str, headers: &str) -> String {
    let request = with_body("POST", "/", &format!("idempotency-key: 1\r\n{headers}"), "");
    request.replacen("host: a", &format!("host: {host}"), 1)
}

#[tokio::test]
async fn callers_that_differ_in_host_or_credentials_get_letters_of_their_own() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(QUEUE)).await;
    rig.force_open();
    let apart = [
        ("a", ""),
        ("b", ""),
        ("a:8080", ""),
        ("a", "authorization: Bearer alice\r\n"),
        ("a", "authorization: Bearer bob\r\n"),
        ("b", "authorization: Bearer bob\r\n"),
        ("a", "cookie: Bearer bob\r\n"),
        ("a", "cookie: session=alice\r\n"),
        ("a", "cookie: session=al\r\ncookie: ice\r\n"),
        ("a", "authorization: Bearer bob\r\ncookie: session=alice\r\n"),
        ("a", "authorization: Bearer bobsession=\r\ncookie: alice\r\n"),
    ];
    let mut pages = Vec::new();
    for (host, headers) in apart {
        let page = rig.ask(request(host, headers)).await.get("location").unwrap();
        assert!(!pages.contains(&page), "{host} {headers:?} got another's letter");
        pages.push(page);
    }
    for ((host, headers), page) in apart.iter().zip(&pages) {
        let repeat = rig.ask(request(host, headers)).await;
        assert_eq!(repeat.get("location").as_ref(), Some(page), "{host} {headers:?}");
    }
    let shouted = rig.ask(request("A", "Authorization: Bearer alice\r\n")).await;
    assert_eq!(shouted.get("location").as_ref(), Some(&pages[3]), "a host has no case");
    let target = request("b", "").replacen("POST /", "POST http://a/", 1);
    assert_eq!(rig.ask(target).await.get("location").as_ref(), Some(&pages[0]));
    rig.circuit().reset();
    for page in &pages {
        rig.until_letter(page, "resolved").await;
    }
    assert_eq!(upstream.requests().len(), apart.len(), "each was done, once");
}

#[tokio::test]
async fn one_callers_key_is_not_reused_by_anothers_body() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(QUEUE)).await;
    rig.force_open();
    for (caller, body, status) in
        [("alice", "one", 202), ("bob", "two", 202), ("alice", "two", 422), ("bob", "one", 422)]
    {
        let headers = format!("idempotency-key: 1\r\nauthorization: Bearer {caller}\r\n");
        let answer = rig.ask(with_body("POST", "/", &headers, body)).await;
        assert_eq!(answer.status, status, "{caller} {body}");
    }
}
