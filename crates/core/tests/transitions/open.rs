//! How long an open circuit stays open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::policy::{AskContext, Next, Retry, RetryContext, RetryPolicy};
use fuseboard_core::time::Moment;
use fuseboard_core::{Failure, State};

use crate::rig::{MILLI, Rig, rules, secs};

#[test]
fn the_deadline_is_drawn_once_for_each_opening() {
    let retry = Retry::cooldown(secs(10)).with_jitter(0.5);
    let rig = Rig::of(rules("failure_streak(1)").retry(retry));
    rig.dice.set(0.0);
    rig.calls("F");
    rig.dice.set(0.75);
    assert_eq!(rig.retry_after(), Some(secs(5)));
    rig.clock.advance(secs(5) - MILLI);
    assert_eq!(rig.refused().retry_after, Some(MILLI));
    rig.clock.advance(MILLI);
    rig.calls("F");
    assert_eq!(rig.retry_after(), Some(Duration::from_millis(12_500)), "drawn anew");
    assert_eq!(rig.heard().last().unwrap().retry_after, rig.retry_after());
}

#[test]
fn jitter_is_part_of_the_deadline() {
    for (draw, wait) in [(0.0, secs(8)), (0.5, secs(10)), (0.75, secs(11))] {
        let rig = Rig::of(rules("failure_streak(1)").retry(Retry::default()));
        rig.dice.set(draw);
        rig.calls("F");
        assert_eq!(rig.refused().retry_after, Some(wait), "draw {draw}");
        rig.clock.advance(wait);
        assert!(rig.ticket().is_probe(), "draw {draw}");
    }
}

#[test]
fn the_services_own_retry_after_raises_the_deadline_up_to_a_cap() {
    let (hour, minute) = (secs(3600), secs(60));
    let table = [
        ("cooldown(10s)", secs(5), Some(secs(10))),
        ("cooldown(10s)", secs(30), Some(secs(30))),
        ("cooldown(10s)", secs(7200), Some(hour)),
        ("cooldown(2h)", secs(7200), Some(secs(7200))),
        ("always", secs(0), Some(secs(0))),
        ("always", secs(30), Some(secs(30))),
        ("always", secs(7200), Some(hour)),
        ("backoff(10s, max=1m)", secs(5), Some(secs(10))),
        ("backoff(10s, max=1m)", secs(30), Some(secs(30))),
        ("backoff(10s, max=1m)", secs(300), Some(minute)),
        ("backoff(10s, max=2h)", secs(7200), Some(secs(7200))),
        ("never", secs(30), None),
    ];
    for (retry, asked, expected) in table {
        let rules = || rules("failure_streak(1)").retry(retry.parse().unwrap());
        for rig in [Rig::of(rules()), Rig::half_open(rules())] {
            let from = rig.state();
            // The first opening of a half-open circuit is a reopening, for which backoff waits twice as long.
            let backoff = from == State::HalfOpen && retry.starts_with("backoff");
            let expected = if backoff { expected.map(|wait| wait.max(secs(20))) } else { expected };
            rig.ticket().failure(Failure::new("503").retry_after(asked));
            assert_eq!(rig.state(), State::Open);
            assert_eq!(rig.retry_after(), expected, "{retry}, {asked:?}, from {from}");
        }
    }
}

#[test]
fn never_waits_for_an_operator() {
    let rig = Rig::of(rules("failure_streak(1)").retry(Retry::Never));
    rig.calls("F");
    rig.clock.advance(secs(10 * 365 * 86_400));
    assert_eq!((rig.refused().retry_after, rig.state()), (None, State::Open));
    rig.breaker.reset();
    rig.calls("S");
    assert_eq!(rig.state(), State::Closed);
}

#[derive(Debug)]
struct Scripted {
    next: Next,
    openings: Mutex<Vec<RetryContext>>,
    asked: Mutex<Vec<AskContext>>,
    may_try: AtomicBool,
}

impl RetryPolicy for Scripted {
    fn next(&self, context: RetryContext) -> Next {
        self.openings.lock().unwrap().push(context);
        self.next
    }

    fn may_try(&self, context: AskContext) -> bool {
        self.asked.lock().unwrap().push(context);
        self.may_try.load(Ordering::SeqCst)
    }
}

fn scripted(next: Next) -> (Rig, Arc<Scripted>) {
    let (openings, asked) = (Mutex::default(), Mutex::default());
    let script = Arc::new(Scripted { next, openings, asked, may_try: AtomicBool::new(false) });
    let rig = Rig::of(rules("failure_streak(1)").retry(Retry::Custom(script.clone())));
    rig.clock.advance(secs(5));
    (rig, script)
}

#[test]
fn a_custom_retry_names_the_time_or_never() {
    let in_a_while = Moment::ZERO + secs(30);
    for (next, wait) in [(Next::At(in_a_while), Some(secs(25))), (Next::Never, None)] {
        let (rig, script) = scripted(next);
        rig.calls("F");
        assert_eq!(rig.refused().retry_after, wait, "{next:?}");
        rig.clock.advance(secs(25));
        assert_eq!(rig.breaker.try_acquire().is_ok(), wait.is_some(), "{next:?}");
        let opening = RetryContext { opened_at: Moment::ZERO + secs(5), reopens: 0 };
        assert_eq!(*script.openings.lock().unwrap(), [opening], "{next:?}: asked once");
        assert!(script.asked.lock().unwrap().is_empty(), "{next:?}");
    }
}

#[test]
fn info_and_rejection_agree_on_when_to_come_back_and_on_what_is_not_known() {
    let in_a_while = Next::At(Moment::ZERO + secs(30));
    let table = [
        (in_a_while, None, [Some(25), Some(15)]),
        (in_a_while, Some(40), [Some(40), Some(30)]),
        (Next::Never, Some(20), [None, None]),
        (Next::Ask, None, [None, None]),
        (Next::Ask, Some(20), [Some(20), Some(10)]),
        (Next::Ask, Some(10), [Some(10), None]),
    ];
    for (next, asked, expected) in table {
        let (rig, _script) = scripted(next);
        let failure = Failure::new("503");
        rig.ticket().failure(match asked {
            Some(seconds) => failure.retry_after(secs(seconds)),
            None => failure,
        });
        let case = format!("{next:?}, {asked:?}");
        assert_eq!(rig.heard()[0].retry_after, expected[0].map(secs), "{case}: told");
        for seconds in expected {
            let known = seconds.map(secs);
            assert_eq!((rig.retry_after(), rig.refused().retry_after), (known, known), "{case}");
            rig.clock.advance(secs(10));
        }
    }
}

#[test]
fn a_custom_retry_that_wants_to_be_asked_is_asked_at_each_attempt() {
    let (rig, script) = scripted(Next::Ask);
    let opened_at = Moment::ZERO + secs(5);
    rig.ticket().failure(Failure::new("503").retry_after(secs(20)));
    assert_eq!(rig.refused().retry_after, Some(secs(20)), "the service's own wish comes first");
    assert!(script.asked.lock().unwrap().is_empty());
    rig.clock.advance(secs(20));
    assert_eq!((rig.refused().retry_after, rig.state()), (None, State::Open));
    script.may_try.store(true, Ordering::SeqCst);
    assert!(rig.ticket().is_probe());
    let asked = AskContext { opened_at, reopens: 0, now: Moment::ZERO + secs(25) };
    assert_eq!(*script.asked.lock().unwrap(), [asked, asked]);
    rig.calls("F");
    assert_eq!(script.openings.lock().unwrap()[1].reopens, 1);
}
