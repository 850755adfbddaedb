//! The rate limit, retries, losses and messages of the webhook, with time moved by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::time::{Clock, ManualClock, Moment, WallTime};
use fuseboard_core::{CircuitBreaker, Pin, Rules, Transition};
use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderValue, StatusCode};

use super::client::judge;
use super::limiter::{Entry, Limit, Limiter};
use super::message::Format;
use super::outbox::{Answer, Next, Outbox, Pace};
use crate::listeners::News;

mod messages;
mod properties;

const MINUTE: Duration = Duration::from_secs(60);

fn after(seconds: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(seconds)
}

/// A message that warns, marked by `text`.
fn warning(circuit: &str, text: &str) -> Entry {
    Entry::new(News::would_trip(circuit, text), WallTime::default())
}

/// What `act` makes a breaker tell.
fn told(rules: Rules, act: impl FnOnce(&CircuitBreaker, &ManualClock)) -> Vec<News> {
    let news = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::new(ManualClock::new());
    let heard = Arc::clone(&news);
    let listener = move |circuit: &str, transition: &Transition| {
        heard.lock().unwrap().push(News::transition(circuit, transition));
    };
    let breaker = CircuitBreaker::builder("payments")
        .rules(rules)
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .listener(listener)
        .build()
        .unwrap();
    act(&breaker, &clock);
    news.lock().unwrap().clone()
}

fn limiter(at_most: usize, capacity: usize) -> Limiter {
    Limiter::new(Limit { at_most, within: MINUTE }, capacity)
}

fn pace() -> Pace {
    Pace {
        limit: Limit { at_most: 100, within: MINUTE },
        capacity: 100,
        tries: 3,
        backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(10),
    }
}

fn failed(retry_after: Option<u64>) -> Answer {
    Answer::Again { error: "503".into(), retry_after: retry_after.map(Duration::from_secs) }
}

fn refused() -> Answer {
    Answer::Never { error: "404".into() }
}

/// The body that is to be posted now.
fn posted(outbox: &mut Outbox, now: Moment) -> Value {
    match outbox.next(now) {
        Next::Post(body) => serde_json::from_str(&body).unwrap(),
        other => panic!("nothing to post: {other:?}"),
    }
}

fn text_of(entry: Option<Entry>) -> Option<(String, u64)> {
    let entry = entry?;
    match entry.news.what {
        crate::listeners::What::WouldTrip(why) => Some((why, entry.left_out)),
        crate::listeners::What::Transition(transition) => {
            Some((transition.to.to_string(), entry.left_out))
        }
    }
}

fn says(text: &str, left_out: u64) -> Option<(String, u64)> {
    Some((text.to_owned(), left_out))
}

#[test]
fn what_exceeds_the_limit_becomes_one_message_with_the_latest_news() {
    let mut limiter = limiter(2, 100);
    for text in ["a", "b", "c", "d", "e"] {
        limiter.offer(warning("payments", text), Moment::ZERO);
        if text < "c" {
            assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says(text, 0));
        }
    }
    assert_eq!(text_of(limiter.next(after(59), false)), None);
    assert_eq!(limiter.due(), Some(after(60)));
    assert_eq!(text_of(limiter.next(after(60), false)), says("e", 2));
    assert_eq!(limiter.due(), None);
}

#[test]
fn one_circuit_that_flaps_holds_up_no_other() {
    let mut limiter = limiter(1, 100);
    for _ in 0..10 {
        limiter.offer(warning("flapping", "again"), Moment::ZERO);
    }
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says("again", 9));
    limiter.offer(warning("flapping", "and again"), Moment::ZERO);
    limiter.offer(warning("quiet", "once"), Moment::ZERO);
    assert_eq!(limiter.due(), Some(Moment::ZERO));
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says("once", 0));
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), None);
}

#[test]
fn keyed_circuits_share_the_limit_of_their_parent() {
    let mut limiter = limiter(1, 100);
    limiter.offer(warning("payments[eu-1]", "a"), Moment::ZERO);
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says("a", 0));
    for key in 0..50 {
        limiter.offer(warning(&format!("payments[{key}]"), &key.to_string()), Moment::ZERO);
    }
    assert_eq!(limiter.next(Moment::ZERO, false).map(|entry| entry.left_out), None);
    assert_eq!(text_of(limiter.next(after(60), false)), says("49", 49));
}

#[test]
fn at_the_end_what_waits_goes_whatever_was_sent() {
    let mut limiter = limiter(1, 100);
    limiter.offer(warning("payments", "a"), Moment::ZERO);
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says("a", 0));
    limiter.offer(warning("payments", "b"), Moment::ZERO);
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), None);
    assert_eq!(text_of(limiter.next(Moment::ZERO, true)), says("b", 0));
}

#[test]
fn a_warning_takes_the_place_of_no_state() {
    let mut limiter = limiter(1, 100);
    let pinned = told(Rules::default(), |breaker, _| breaker.metrics_only(Pin::by("ops")));
    limiter.offer(Entry::new(pinned[0].clone(), WallTime::default()), Moment::ZERO);
    limiter.offer(warning("payments", "failures(3)"), Moment::ZERO);
    assert_eq!(text_of(limiter.next(Moment::ZERO, false)), says("metrics_only", 1));
}

#[test]
fn what_has_no_room_is_dropped_oldest_first_and_told_of() {
    let mut outbox = Outbox::new(Format::Json, Pace { capacity: 2, ..pace() });
    for text in ["a", "b", "c", "d"] {
        outbox.offer(warning("payments", text), Moment::ZERO);
    }
    outbox.dropped(5);
    let body = posted(&mut outbox, Moment::ZERO);
    assert_eq!((&body["why"], &body["dropped"]), (&json!("c"), &json!(7)));
    outbox.answered(Answer::Done, Moment::ZERO);
    let body = posted(&mut outbox, Moment::ZERO);
    assert_eq!((&body["why"], &body["dropped"]), (&json!("d"), &json!(0)), "told once");
    assert_eq!(outbox.stats().dropped, 7);
}

#[test]
fn a_flush_lifts_the_rate_limit_for_what_came_before_and_waits_for_nothing_newer() {
    let limit = Limit { at_most: 1, within: MINUTE };
    let mut outbox = Outbox::new(Format::Json, Pace { limit, ..pace() });
    assert_eq!(outbox.flushed(), None, "nobody waits");
    outbox.offer(warning("a", "old"), Moment::ZERO);
    assert_eq!(posted(&mut outbox, Moment::ZERO)["circuit"], "a");
    for circuit in ["b", "a"] {
        outbox.offer(warning(circuit, "old"), Moment::ZERO);
    }
    outbox.flush();
    outbox.flush();
    outbox.offer(warning("c", "new"), Moment::ZERO);
    outbox.answered(Answer::Done, Moment::ZERO);
    for circuit in ["b", "a"] {
        assert_eq!(outbox.flushed(), None);
        assert_eq!(posted(&mut outbox, Moment::ZERO)["circuit"], circuit);
        outbox.answered(Answer::Done, Moment::ZERO);
    }
    assert_eq!([(); 3].map(|()| outbox.flushed()), [Some(true), Some(true), None]);
    assert_eq!(posted(&mut outbox, Moment::ZERO)["circuit"], "c");
    outbox.answered(Answer::Done, Moment::ZERO);
    outbox.offer(warning("c", "later"), Moment::ZERO);
    assert!(matches!(outbox.next(Moment::ZERO), Next::Wait(Some(_))), "the limit is back");
}

#[test]
fn a_flush_tries_again_and_says_no_when_something_was_lost_meanwhile() {
    for (answers, expected) in [
        (vec![Answer::Done], true),
        (vec![failed(None), Answer::Done], true),
        (vec![refused()], false),
        (vec![failed(None), failed(None), failed(None)], false),
    ] {
        let mut outbox = Outbox::new(Format::Json, pace());
        outbox.dropped(1);
        outbox.offer(warning("payments", "a"), Moment::ZERO);
        outbox.flush();
        for (index, answer) in answers.iter().enumerate() {
            assert_eq!(outbox.flushed(), None);
            let now = after(60 * index as u64);
            assert_eq!(posted(&mut outbox, now)["why"], "a");
            outbox.answered(answer.clone(), now);
        }
        assert_eq!(outbox.flushed(), Some(expected), "{answers:?}");
    }
}

#[test]
fn a_failed_post_is_tried_again_after_waits_that_double_up_to_a_limit() {
    let mut outbox = Outbox::new(Format::Json, Pace { tries: 100, ..pace() });
    outbox.offer(warning("payments", "a"), Moment::ZERO);
    let mut now = Moment::ZERO;
    for wait in [1, 2, 4, 8, 10, 10] {
        let body = posted(&mut outbox, now);
        assert_eq!(body["why"], "a");
        outbox.answered(failed(None), now);
        let due = now + Duration::from_secs(wait);
        assert_eq!(outbox.next(due - Duration::from_nanos(1)), Next::Wait(Some(due)));
        now = due;
    }
    posted(&mut outbox, now);
    outbox.answered(Answer::Done, now);
    outbox.offer(warning("payments", "b"), now);
    assert_eq!(posted(&mut outbox, now)["why"], "b", "a success ends the waiting");
    outbox.answered(failed(None), now);
    assert_eq!(outbox.next(now), Next::Wait(Some(now + Duration::from_secs(1))), "from the start");
}

#[test]
fn nobody_comes_back_earlier_than_retry_after_says_up_to_an_hour() {
    for (asked, waits) in [(30, 30), (0, 1), (86_400, 3600)] {
        let mut outbox = Outbox::new(Format::Json, pace());
        outbox.offer(warning("payments", "a"), Moment::ZERO);
        posted(&mut outbox, Moment::ZERO);
        outbox.answered(failed(Some(asked)), Moment::ZERO);
        outbox.offer(warning("orders", "another circuit waits, too"), Moment::ZERO);
        assert_eq!(
            outbox.next(Moment::ZERO),
            Next::Wait(Some(after(waits))),
            "asked for {asked} s"
        );
    }
}

#[test]
fn a_message_that_is_given_up_is_told_of_by_the_next_with_what_it_would_have_told() {
    let mut outbox = Outbox::new(Format::Json, pace());
    outbox.dropped(4);
    outbox.offer(warning("payments", "a"), Moment::ZERO);
    let mut now = Moment::ZERO;
    for _ in 0..3 {
        assert_eq!(posted(&mut outbox, now)["dropped"], 4);
        outbox.answered(failed(None), now);
        now = now + MINUTE;
    }
    assert_eq!(outbox.next(now), Next::Wait(None), "three tries were all");
    outbox.offer(warning("orders", "b"), now);
    let body = posted(&mut outbox, now);
    assert_eq!((&body["undelivered"], &body["dropped"]), (&json!(1), &json!(4)));
    assert_eq!(outbox.stats().last_error.as_deref(), Some("503"));
}

#[test]
fn an_answer_that_will_never_change_is_asked_for_once_and_the_next_message_waits() {
    let mut outbox = Outbox::new(Format::Json, pace());
    outbox.offer(warning("payments", "a"), Moment::ZERO);
    outbox.offer(warning("payments", "b"), Moment::ZERO);
    posted(&mut outbox, Moment::ZERO);
    outbox.answered(refused(), Moment::ZERO);
    assert_eq!(outbox.next(Moment::ZERO), Next::Wait(Some(after(1))));
    let body = posted(&mut outbox, after(1));
    assert_eq!((&body["why"], &body["undelivered"]), (&json!("b"), &json!(1)));
}

#[test]
fn while_nothing_can_be_posted_more_news_joins_what_waits() {
    let limit = Limit { at_most: 1, within: Duration::from_secs(1) };
    let mut outbox = Outbox::new(Format::Json, Pace { limit, tries: 1, ..pace() });
    outbox.offer(warning("payments", "a"), Moment::ZERO);
    posted(&mut outbox, Moment::ZERO);
    outbox.answered(failed(Some(100)), Moment::ZERO);
    for at in 0..100 {
        outbox.offer(warning("payments", "more"), after(at));
        assert_eq!(outbox.next(after(at)), Next::Wait(Some(after(100))));
    }
    assert_eq!(posted(&mut outbox, after(100))["left_out"], 99);
    assert_eq!(outbox.stats().left_out, 99);
}

#[test]
fn at_the_end_each_message_goes_once_and_the_first_failure_ends_it() {
    let limit = Limit { at_most: 1, within: MINUTE };
    let stopping = || {
        let mut outbox = Outbox::new(Format::Json, Pace { limit, ..pace() });
        outbox.offer(warning("payments", "a"), Moment::ZERO);
        posted(&mut outbox, Moment::ZERO);
        outbox.answered(Answer::Done, Moment::ZERO);
        for circuit in ["payments", "orders", "prices"] {
            outbox.offer(warning(circuit, "b"), Moment::ZERO);
            outbox.offer(warning(circuit, "c"), Moment::ZERO);
        }
        outbox.stop();
        outbox
    };
    let mut outbox = stopping();
    for circuit in ["payments", "orders", "prices"] {
        let body = posted(&mut outbox, Moment::ZERO);
        assert_eq!((&body["circuit"], &body["left_out"]), (&json!(circuit), &json!(1)));
        outbox.answered(Answer::Done, Moment::ZERO);
    }
    assert_eq!(outbox.next(Moment::ZERO), Next::Finish);

    let mut outbox = stopping();
    posted(&mut outbox, Moment::ZERO);
    outbox.answered(failed(None), Moment::ZERO);
    assert_eq!(outbox.next(Moment::ZERO), Next::Finish);
    assert_eq!(outbox.stats().undelivered, 6);
}

#[test]
fn answers_mean_done_or_again_or_never() {
    let answer = |status: u16, retry_after: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        let value = retry_after.map(HeaderValue::from_static);
        headers.extend(value.map(|value| (ureq::http::header::RETRY_AFTER, value)));
        judge(StatusCode::from_u16(status).unwrap(), &headers, " no_service\n")
    };
    let again = |error: &str, seconds: Option<u64>| Answer::Again {
        error: error.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    for done in [200, 202, 204] {
        assert_eq!(answer(done, None), Answer::Done);
    }
    for status in [408, 425, 429, 500, 503, 599] {
        assert_eq!(answer(status, None), again(&format!("answered {status}: no_service"), None));
    }
    assert_eq!(answer(429, Some("30")), again("answered 429: no_service", Some(30)));
    assert_eq!(answer(429, Some("Fri, 31 Dec")), again("answered 429: no_service", None));
    for status in [301, 307, 400, 403, 404, 410] {
        let error = format!("answered {status}: no_service");
        assert_eq!(answer(status, None), Answer::Never { error });
    }
}
