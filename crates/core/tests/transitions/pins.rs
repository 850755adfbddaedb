//! What an operator pins, and how a pin ends.

use fuseboard_core::policy::Window;
use fuseboard_core::{Cause, CircuitBreaker, Pin, PinInfo, Rejected, State};

use crate::rig::{MILLI, Rig, rules, secs};

fn lasting(seconds: u64) -> Pin {
    Pin::by("ops").lasting(secs(seconds))
}

#[test]
fn metrics_only_reports_each_turn_to_true_once() {
    let table = [
        ("F", 0),
        ("FF", 1),
        ("FFFF", 1),
        ("FFIFCF", 1),
        ("FIF", 1),
        ("FFSF", 1),
        ("FFSFF", 2),
        ("FFSFFFSSFF", 3),
    ];
    for (letters, reports) in table {
        let rig = Rig::of(rules("failure_streak(2)"));
        rig.breaker.metrics_only(Pin::by("ops"));
        rig.calls(letters);
        let heard = rig.heard.would_trip.lock().unwrap().clone();
        assert_eq!((heard.len(), rig.state()), (reports, State::MetricsOnly), "{letters}");
        assert!(heard.iter().all(|why| why.contains("failure_streak(2)")), "{heard:?}");
        assert_eq!(rig.causes(), [Cause::Pinned], "{letters}: nothing tripped");
    }
}

#[test]
fn metrics_only_reports_again_after_a_time_window_forgot() {
    let minute = Window::time(secs(60));
    let table = [
        ("failures(1)", minute.clone(), "F", 120, "F", 2),
        ("failures(1)", minute.clone(), "F", 60, "F", 2),
        ("failures(1)", minute.clone(), "F", 58, "F", 1),
        ("failures(1)", minute.clone(), "F", 120, "S", 1),
        ("failures(1)", minute.clone(), "F", 120, "IC", 1),
        ("failures(1)", minute.clone(), "F", 120, "IFF", 2),
        ("failures(2)", minute.clone(), "FF", 120, "F", 1),
        ("failures(2)", minute.clone(), "FF", 120, "FF", 2),
        ("failure_streak(1)", minute, "F", 120, "F", 1),
        ("failures(1)", Window::count(100), "F", 120, "F", 1),
    ];
    for (trip, window, before, pause, after, reports) in table {
        for looked_at in [false, true] {
            let rig = Rig::of(rules(trip).window(window.clone()));
            rig.breaker.metrics_only(Pin::by("ops"));
            rig.calls(before);
            rig.clock.advance(secs(pause));
            if looked_at {
                rig.breaker.info();
            }
            rig.calls(after);
            let heard = rig.heard.would_trip.lock().unwrap().len();
            let case = format!("{trip}, {window}: {before}, {pause} s, {after}, {looked_at}");
            assert_eq!((heard, rig.state()), (reports, State::MetricsOnly), "{case}");
        }
    }
}

#[test]
fn metrics_only_reports_the_next_call_that_hangs_once_the_last_one_left() {
    for end in ["success", "failure", "ignored", "dropped"] {
        let rig = Rig::of(rules("in_flight_over(1, 5s)"));
        rig.breaker.metrics_only(Pin::by("ops"));
        let reports = || rig.heard.would_trip.lock().unwrap().len();
        let first = rig.ticket();
        rig.clock.advance(secs(3));
        let _second = rig.ticket();
        rig.clock.advance(secs(2));
        rig.calls("I");
        assert_eq!(reports(), 1, "{end}: the first hangs");
        match end {
            "success" => first.success(),
            "failure" => first.failure("timeout"),
            "ignored" => first.ignored(),
            _ => drop(first),
        }
        rig.clock.advance(secs(3));
        rig.calls("I");
        assert_eq!(reports(), 2, "{end}: the second hangs");
    }
}

#[test]
fn metrics_only_reports_a_hang_that_ends_as_a_failure_once() {
    let rig = Rig::of(rules("in_flight_over(1, 5s) | failures(1)"));
    rig.breaker.metrics_only(Pin::by("ops"));
    let hanging = rig.ticket();
    rig.clock.advance(secs(5));
    rig.calls("I");
    hanging.failure("timeout");
    assert_eq!(rig.heard.would_trip.lock().unwrap().len(), 1, "the tripper held all the while");
}

#[test]
fn metrics_only_reports_calls_that_hang() {
    let rig = Rig::of(rules("in_flight_over(2, 5s)"));
    rig.breaker.metrics_only(Pin::by("ops"));
    let _hanging = [rig.ticket(), rig.ticket()];
    rig.clock.advance(secs(5));
    let _more = [rig.ticket(), rig.ticket()];
    assert_eq!(rig.heard.would_trip.lock().unwrap().len(), 1);
}

#[test]
fn only_metrics_only_reports() {
    let pins =
        [fuseboard_core::CircuitBreaker::force_closed, fuseboard_core::CircuitBreaker::disable];
    for pin in pins {
        let rig = Rig::of(rules("failure_streak(1)|in_flight_over(1, 5s)"));
        pin(&rig.breaker, Pin::by("ops"));
        rig.calls("FFF");
        let _hanging = [rig.ticket(), rig.ticket()];
        rig.clock.advance(secs(5));
        drop(rig.ticket());
        assert!(rig.heard.would_trip.lock().unwrap().is_empty(), "{}", rig.state());
    }
}

#[test]
fn pinning_the_same_state_again_renews_the_pin_and_is_no_event() {
    let rig = Rig::of(rules("failure_streak(2)"));
    rig.breaker.metrics_only(lasting(60).because("load test"));
    rig.calls("FF");
    rig.clock.advance(secs(30));
    rig.breaker.metrics_only(Pin::by("night shift").because("still on").lasting(secs(60)));
    rig.calls("F");
    let info = rig.breaker.info();
    let (actor, reason) = ("night shift".to_owned(), "still on".to_owned());
    assert_eq!(info.pin, Some(PinInfo { actor, reason, remaining: Some(secs(60)) }));
    assert_eq!((info.generation, info.metrics.total, rig.causes().len()), (1, 3, 1));
    assert_eq!(rig.heard.would_trip.lock().unwrap().len(), 1, "the tripper held all the time");

    rig.clock.advance(secs(60) - MILLI);
    assert_eq!(rig.state(), State::MetricsOnly, "the first expiry is forgotten");
    rig.breaker.metrics_only(Pin::by("ops"));
    rig.clock.advance(secs(86_400));
    assert_eq!((rig.state(), rig.causes()), (State::MetricsOnly, vec![]), "no end any more");
}

#[test]
fn the_expiry_of_a_pin_is_noticed_at_the_next_attempt_read_and_tick() {
    type Notice = fn(&Rig);
    let notices: [(&str, Notice); 5] = [
        ("attempt", |rig| rig.ticket().ignored()),
        ("state", |rig| assert_eq!(rig.state(), State::HalfOpen)),
        ("info", |rig| assert_eq!(rig.breaker.info().pin, None)),
        ("tick", |rig| rig.breaker.tick()),
        ("command", |rig| rig.breaker.auto()),
    ];
    for (name, notice) in notices {
        let rig = Rig::of(rules("failure_streak(1)"));
        rig.breaker.force_open(lasting(60));
        rig.clock.advance(secs(60) - MILLI);
        assert_eq!(rig.refused().retry_after, Some(MILLI), "{name}");
        rig.heard();
        rig.clock.advance(MILLI);
        assert!(rig.heard().is_empty(), "{name}: nobody looked yet");
        notice(&rig);
        assert_eq!(rig.causes(), [Cause::PinLapsed], "{name}");
        assert_eq!(rig.state(), State::HalfOpen, "{name}");
    }
}

#[test]
fn a_pin_without_an_end_does_not_end() {
    let rig = Rig::of(rules("failure_streak(1)"));
    rig.breaker.force_open(Pin::by("ops"));
    rig.clock.advance(secs(100 * 365 * 86_400));
    let (circuit, state, cause) = (rig.breaker.id(), State::ForcedOpen, Cause::Pinned);
    assert_eq!(rig.refused(), Rejected { circuit, state, retry_after: None, cause });
    let info = rig.breaker.info();
    assert_eq!((info.pin.unwrap().remaining, info.retry_after), (None, None));
}

#[test]
fn the_transition_to_a_pinned_state_tells_the_pin() {
    let rig = Rig::of(rules("failure_streak(1)"));
    rig.breaker.disable(lasting(60).because("migration"));
    rig.breaker.auto();
    let heard = rig.heard();
    let pin = heard[0].pin.clone().unwrap();
    assert_eq!((pin.actor(), pin.reason(), heard[1].pin.clone()), ("ops", "migration", None));
    assert_eq!(pin.until().unwrap().since(heard[0].at), secs(60));
}

#[test]
fn only_a_pin_that_rejects_says_when_to_come_back() {
    let rig = Rig::of(rules("failure_streak(1)"));
    type SetPin = fn(&CircuitBreaker, Pin);
    let pins: [(SetPin, Option<u64>); 4] = [
        (CircuitBreaker::force_open, Some(60)),
        (CircuitBreaker::force_closed, None),
        (CircuitBreaker::metrics_only, None),
        (CircuitBreaker::disable, None),
    ];
    for (pin, seconds) in pins {
        pin(&rig.breaker, lasting(60));
        assert_eq!(rig.heard()[0].retry_after, seconds.map(secs), "{}", rig.state());
        rig.clock.advance(secs(10));
        let left = seconds.map(|seconds| secs(seconds - 10));
        assert_eq!(rig.retry_after(), left, "{}", rig.state());
        let refused = rig.breaker.try_acquire().err();
        assert_eq!(refused.and_then(|refused| refused.retry_after), left, "{}", rig.state());
        pin(&rig.breaker, lasting(20));
        assert_eq!(rig.retry_after(), seconds.map(|_| secs(20)), "{}: renewed", rig.state());
    }
}

#[test]
fn another_pin_takes_the_place_of_the_first() {
    let rig = Rig::of(rules("failure_streak(1)"));
    rig.breaker.force_open(lasting(10));
    rig.breaker.force_closed(lasting(60));
    rig.clock.advance(secs(10));
    assert_eq!(rig.state(), State::ForcedClosed, "the first pin's end means nothing now");
    rig.clock.advance(secs(50));
    assert_eq!(rig.state(), State::Closed);
}

#[test]
fn a_transition_says_why_the_circuit_is_not_closed() {
    let rig = Rig::of(rules("failure_streak(1)"));
    rig.calls("F");
    rig.breaker.reset();
    rig.breaker.force_open(Pin::by("ops").because("migration"));
    rig.breaker.disable(Pin::by(""));
    let whys: Vec<_> = rig.heard().iter().map(|transition| transition.why()).collect();
    let expected = [
        Some("failure_streak(1): 1 in a row"),
        None,
        Some("pinned by ops: migration"),
        Some("pinned by somebody"),
    ];
    assert_eq!(whys, expected.map(|why| why.map(str::to_owned)));
}

#[test]
fn a_result_from_before_the_pin_makes_no_difference_to_what_metrics_only_reports() {
    for late in [false, true] {
        let trip = "failures(1)|in_flight_over(1, 5s)";
        let rig = Rig::of(rules(trip).window(Window::time(secs(60))));
        let before = rig.ticket();
        rig.breaker.metrics_only(Pin::by("ops"));
        rig.calls("F");
        rig.clock.advance(secs(57));
        let _hanging = rig.ticket();
        rig.clock.advance(secs(4));
        if late {
            before.success();
        }
        rig.clock.advance(secs(2));
        let _other = rig.ticket();
        assert_eq!(rig.heard.would_trip.lock().unwrap().len(), 1, "{late}");
    }
}

#[test]
fn calls_in_flight_are_seen_while_all_are_admitted() {
    let rig = Rig::of(rules("in_flight_over(1, 5s)"));
    rig.breaker.force_closed(Pin::by("ops"));
    rig.calls(&"S".repeat(100));
    let _hanging = [rig.ticket(), rig.ticket()];
    rig.clock.advance(secs(5));
    assert_eq!(rig.breaker.info().metrics.hanging.get(secs(5)), 2);
}
