//! Webhooks, against a real server that is quick, slow, failing or gone.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fuseboard::listeners::{Webhook, WebhookBuilder, WebhookError};
use fuseboard::time::{Clock, ManualClock};
use fuseboard::{Listener, Pin, State};
use serde_json::json;

use super::server::{Reply, Server};
use super::{board, ends, eventually, fail, flap, payments};

const HOUR: Duration = Duration::from_secs(3600);
const OK: Reply = Reply::Status(200, "");

/// A webhook that waits for answers as long as it takes, and does not limit what it sends.
fn patient(server: &Server) -> WebhookBuilder {
    Webhook::to(&server.url).direct().timeout(HOUR).at_most(1000, HOUR)
}

fn built(webhook: WebhookBuilder) -> Arc<Webhook> {
    Arc::new(webhook.build().unwrap())
}

/// A server that keeps each request waiting until the sender says how to answer, or is gone.
fn held() -> (Server, Sender<Reply>) {
    let (answer, answers): (_, Receiver<Reply>) = channel();
    let server = Server::start(move |_| answers.recv().unwrap_or(Reply::HangUp));
    (server, answer)
}

#[test]
fn a_trip_is_posted_with_what_tripped_why_and_until_when() {
    let server = Server::start(|_| OK);
    let webhook = built(patient(&server).header("authorization", "Bearer s3cret"));
    let (board, _) = board(webhook.clone());
    fail(&payments(&board), 3);
    let request = server.next();
    let head = request.head.to_lowercase();
    assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
    for header in ["content-type: application/json", "authorization: bearer s3cret"] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{header} in {head}");
    }
    let body = request.json();
    for (member, value) in [
        ("circuit", json!("payments")),
        ("to", json!("open")),
        ("cause", json!("tripped")),
        ("why", json!("failures(3): 3 of 3 failed")),
        ("retry_after_ms", json!(10_000)),
    ] {
        assert_eq!(body[member], value, "{member}");
    }
    eventually("delivered", || webhook.stats().delivered == 1);
}

#[test]
fn slack_gets_text() {
    let server = Server::start(|_| OK);
    let webhook = built(Webhook::slack(&server.url).direct());
    let (board, _) = board(webhook);
    payments(&board).force_open(Pin::by("ops").because("R&D"));
    let text = "payments is forced_open (was closed): pinned\nwhy: pinned by ops: R&amp;D";
    assert_eq!(server.next().json(), json!({ "text": text }));
}

#[test]
fn what_would_have_tripped_is_posted_too() {
    let server = Server::start(|_| OK);
    let (board, _) = board(built(patient(&server).only(|_, _| false)));
    let breaker = payments(&board);
    breaker.metrics_only(Pin::by("ops"));
    fail(&breaker, 3);
    let body = server.next().json();
    assert_eq!(
        (&body["event"], &body["why"]),
        (&json!("would_trip"), &json!("failures(3): 3 of 3 failed"))
    );
}

#[test]
fn calls_go_on_while_the_server_does_not_answer() {
    let (server, answer) = held();
    let (board, _) = board(built(patient(&server)));
    let breaker = payments(&board);
    flap(&breaker, 1);
    server.next();
    let busy = breaker.clone();
    ends("transitions while a POST waits", move || flap(&busy, 100));
    assert_eq!(breaker.state(), State::ForcedOpen);
    assert!(server.so_far().is_empty(), "the first POST is still waiting");
    drop(answer);
}

#[test]
fn the_oldest_news_is_dropped_when_too_much_waits_and_the_next_message_says_how_much() {
    let (server, answer) = held();
    let webhook = built(patient(&server).capacity(4));
    let (board, _) = board(webhook.clone());
    let breaker = payments(&board);
    flap(&breaker, 1);
    assert_eq!(server.next().json()["generation"], 1);
    flap(&breaker, 20);
    assert_eq!(webhook.stats().dropped, 16);
    let told = (0..4).map(|_| {
        answer.send(OK).unwrap();
        let body = server.next().json();
        (body["generation"].clone(), body["dropped"].clone())
    });
    let expected = [(18, 16), (19, 0), (20, 0), (21, 0)];
    let expected = expected.map(|(generation, dropped)| (json!(generation), json!(dropped)));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    answer.send(OK).unwrap();
}

#[test]
fn a_flapping_circuit_makes_one_more_message_which_says_how_much_it_stands_for() {
    let server = Server::start(|_| OK);
    let webhook = built(patient(&server).at_most(1, HOUR));
    let (board, _) = board(webhook.clone());
    let breaker = payments(&board);
    flap(&breaker, 1);
    assert_eq!(server.next().json()["left_out"], 0);
    flap(&breaker, 10);
    drop((board, breaker, webhook));
    let rest: Vec<_> = server.so_far().iter().map(|request| request.json()).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!((&rest[0]["generation"], &rest[0]["left_out"]), (&json!(11), &json!(9)));
}

/// A webhook whose first POST gets `reply`, and its clock.
fn first_gets(reply: Reply, tries: u32) -> (Server, Arc<Webhook>, Arc<ManualClock>) {
    let mut replies = vec![OK, reply];
    let server =
        Server::start(move |_| if replies.len() > 1 { replies.pop() } else { None }.unwrap_or(OK));
    let clock = Arc::new(ManualClock::new());
    let webhook = patient(&server).tries(tries).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let webhook = built(webhook);
    (server, webhook, clock)
}

#[test]
fn a_failed_post_is_tried_again_when_its_time_has_come() {
    for (reply, wait, error) in [
        (Reply::Status(500, ""), 1, "answered 500: why?"),
        (Reply::Status(429, "Retry-After: 120\r\n"), 120, "answered 429: why?"),
    ] {
        let (server, webhook, clock) = first_gets(reply, 2);
        let (board, _) = board(webhook.clone());
        let breaker = payments(&board);
        flap(&breaker, 1);
        assert_eq!(server.next().json()["generation"], 1);
        eventually("a failure", || webhook.stats().last_error.as_deref() == Some(error));
        clock.advance(Duration::from_secs(wait));
        // The webhook's thread looks at the clock when something comes.
        breaker.reset();
        let bodies = [server.next().json(), server.next().json()];
        assert_eq!(bodies.map(|body| body["generation"].clone()), [1, 2]);
    }
}

#[test]
fn what_could_not_be_delivered_is_told_of_by_the_next_message() {
    for reply in [Reply::HangUp, Reply::Garbage, Reply::Status(404, "")] {
        let (server, webhook, clock) = first_gets(reply.clone(), 1);
        let (board, _) = board(webhook.clone());
        let breaker = payments(&board);
        flap(&breaker, 1);
        server.next();
        eventually("given up", || webhook.stats().undelivered == 1);
        clock.advance(HOUR);
        breaker.reset();
        let body = server.next().json();
        assert_eq!(
            (&body["generation"], &body["undelivered"]),
            (&json!(2), &json!(1)),
            "{reply:?}"
        );
    }
}

#[test]
fn a_server_that_is_gone_or_never_answers_is_a_failure() {
    let (silent, _answer) = held();
    for (url, timeout, error) in [
        ("http://127.0.0.1:1/", HOUR, "refused"),
        (silent.url.as_str(), Duration::from_millis(100), "timeout"),
    ] {
        let webhook = built(Webhook::to(url).direct().tries(1).timeout(timeout));
        let (board, _) = board(webhook.clone());
        flap(&payments(&board), 1);
        eventually("given up", || webhook.stats().undelivered == 1);
        let said = webhook.stats().last_error.unwrap().to_lowercase();
        assert!(said.contains(error), "{said}");
    }
}

#[test]
fn https_that_is_none_is_a_failure() {
    // A TLS greeting has no empty line, so the server reads on until the client gives up.
    let server = Server::start(|_| Reply::Garbage);
    let url = server.url.replace("http://", "https://");
    let webhook = Webhook::to(&url).direct().tries(1).timeout(Duration::from_millis(200)).build();
    let webhook = match webhook {
        Ok(webhook) => Arc::new(webhook),
        Err(error) => {
            assert!(matches!(error, WebhookError::NoAuthorities(_)), "{error}");
            return;
        }
    };
    let (board, _) = board(webhook.clone());
    flap(&payments(&board), 1);
    eventually("given up", || webhook.stats().undelivered == 1);
}

#[test]
fn what_waits_is_sent_when_the_last_breaker_is_gone() {
    let (server, answer) = held();
    let webhook = built(patient(&server).stop_within(HOUR));
    let (board, _) = board(webhook);
    flap(&payments(&board), 3);
    for _ in 0..3 {
        answer.send(OK).unwrap();
    }
    ends("the drop", move || drop(board));
    let told: Vec<_> = server.so_far().iter().map(|one| one.json()["generation"].clone()).collect();
    assert_eq!(told, [1, 2, 3]);
}

#[test]
fn a_server_that_hangs_delays_the_end_no_longer_than_allowed() {
    let (server, _answer) = held();
    let webhook = built(patient(&server).stop_within(Duration::from_millis(1)));
    let (board, _) = board(webhook);
    flap(&payments(&board), 3);
    server.next();
    ends("the drop", move || drop(board));
}

#[test]
fn a_flush_sends_what_the_rate_limit_holds_back_and_answers_when_it_is_delivered() {
    let server = Server::start(|_| OK);
    let webhook = built(patient(&server).at_most(1, HOUR));
    let (board, _) = board(webhook.clone());
    flap(&payments(&board), 3);
    assert!(webhook.flush(HOUR));
    let told: Vec<_> = server.so_far().iter().map(|request| request.json()).collect();
    assert_eq!(told.last().unwrap()["generation"], 3);
    let stats = webhook.stats();
    assert_eq!((stats.delivered + stats.left_out, told.len() as u64), (3, stats.delivered));
    assert!(webhook.flush(HOUR), "nothing waits");

    flap(&payments(&board), 1);
    assert!(webhook.flush(HOUR), "each flush lifts the limit");
    assert_eq!(server.next().json()["generation"], 4);
}

#[test]
fn a_flush_ends_with_its_time_and_the_news_is_delivered_later() {
    let (server, answer) = held();
    let webhook = built(patient(&server));
    let (board, _) = board(webhook.clone());
    flap(&payments(&board), 1);
    assert!(!webhook.flush(Duration::from_millis(1)));
    answer.send(OK).unwrap();
    assert!(webhook.flush(HOUR));
    assert_eq!(webhook.stats().delivered, 1);
}

#[test]
fn a_flush_says_no_when_news_was_given_up() {
    let (server, webhook, _clock) = first_gets(Reply::Status(404, ""), 1);
    let (board, _) = board(webhook.clone());
    flap(&payments(&board), 1);
    assert!(!webhook.flush(HOUR));
    assert_eq!((webhook.stats().undelivered, server.so_far().len()), (1, 1));
}

#[test]
fn a_filter_that_panics_harms_nobody() {
    let server = Server::start(|_| OK);
    let picky = |_: &str, transition: &fuseboard::Transition| {
        assert!(transition.generation != 1, "this one is bad");
        true
    };
    let (board, _) = board(built(patient(&server).only(picky)));
    let breaker = payments(&board);
    flap(&breaker, 2);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(server.next().json()["generation"], 2);
}

#[test]
fn settings_that_cannot_work_are_refused_and_secrets_are_not_repeated() {
    let to = |url: &str| Webhook::to(url).direct();
    let fine = || to("http://127.0.0.1:9/s3cret");
    let zero = Duration::ZERO;
    let rows = [
        (to("s3cret"), "the webhook's URL does not begin with `https://` or `http://`"),
        (to("ftp://host/s3cret"), "the webhook's URL does not begin with `https://` or `http://`"),
        (to("http://s3 cret"), "the webhook's URL cannot be read as one"),
        (to("http:///s3cret"), "the webhook's URL cannot be read as one"),
        (
            fine().header("x y", "s3cret"),
            "the webhook's header `x y` has a name or a value that HTTP does not allow",
        ),
        (
            fine().header("x", "s3cret\n"),
            "the webhook's header `x` has a name or a value that HTTP does not allow",
        ),
        (fine().at_most(0, HOUR), "at_most is 0; it must be from 1 to 1000 messages"),
        (fine().at_most(1001, HOUR), "at_most is 1001; it must be from 1 to 1000 messages"),
        (fine().at_most(1, zero), "at_most's span is zero; it must be longer than zero"),
        (fine().capacity(0), "capacity is 0; it must be at least 1"),
        (fine().tries(0), "tries is zero; it must be at least 1"),
        (fine().timeout(zero), "timeout is zero; it must be longer than zero"),
    ];
    for (webhook, expected) in rows {
        assert!(!format!("{webhook:?}").contains("s3"));
        assert_eq!(webhook.build().unwrap_err().to_string(), expected);
    }
    let webhook = fine().header("authorization", "s3cret").stop_within(zero).build().unwrap();
    webhook.on_would_trip("payments", "failures(3)");
    eventually("a failure", || webhook.stats().last_error.is_some());
    assert!(!format!("{webhook:?}").contains("s3"), "{webhook:?}");
}
