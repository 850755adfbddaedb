//! Which outcomes count, which come too late, and what is remembered of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuseboard_core::policy::Window;
use fuseboard_core::time::Moment;
use fuseboard_core::{Cause, Outcome, State, Transition};

use crate::rig::{MILLI, Rig, rules, secs};

#[test]
fn a_late_result_of_an_older_generation_changes_nothing_and_is_counted_stale() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let rig = Rig::of(rules("failure_streak(1)").slots(2));
        let (from_closed, other) = (rig.ticket(), rig.ticket());
        other.failure("refused");
        rig.clock.advance(secs(10));
        let (from_half_open, probe) = (rig.ticket(), rig.ticket());
        from_closed.settle(outcome);
        assert_eq!(rig.state(), State::HalfOpen, "{outcome:?} from closed");
        probe.success();
        from_half_open.settle(outcome);
        let info = rig.breaker.info();
        assert_eq!((info.state, info.totals.stale), (State::Closed, 2), "{outcome:?}");
        assert_eq!((info.generation, info.metrics.total, info.in_flight), (3, 0, 0), "{outcome:?}");
    }
}

#[test]
fn a_result_that_is_a_full_circle_late_is_still_stale() {
    let rig = Rig::of(rules("failure_streak(1)"));
    let late = rig.ticket();
    rig.calls("F");
    rig.clock.advance(secs(10));
    rig.calls("S");
    assert_eq!(rig.causes(), [Cause::Tripped, Cause::RetryDue, Cause::Recovered]);
    late.failure("refused long ago");
    let info = rig.breaker.info();
    assert_eq!((info.state, info.metrics.total, info.totals.stale), (State::Closed, 0, 1));
    assert_eq!((info.last_error, rig.causes()), (None, vec![]));
}

#[test]
fn what_does_not_count_neither_breaks_nor_makes_a_streak() {
    let table = [
        ("FIF", State::Open),
        ("FCF", State::Open),
        ("FSF", State::Closed),
        ("IICCI", State::Closed),
        ("FICIC", State::Closed),
    ];
    for (letters, state) in table {
        let rig = Rig::of(rules("failure_streak(2)"));
        rig.calls(letters);
        assert_eq!(rig.state(), state, "{letters}");
    }
}

#[test]
fn a_success_can_trip_too() {
    let rig = Rig::of(rules("min_requests(3) & failure_rate(0.5)"));
    rig.calls("FFS");
    assert_eq!((rig.state(), rig.causes()), (State::Open, vec![Cause::Tripped]));
}

#[test]
fn failures_count_with_their_own_duration() {
    let rig = Rig::of(rules("avg_latency(2s)"));
    for (took, state) in [(1, State::Closed), (3, State::Open)] {
        let ticket = rig.ticket();
        rig.clock.advance(secs(took));
        ticket.failure("timeout");
        assert_eq!(rig.state(), state, "{took} s");
    }
    assert_eq!(rig.heard()[0].metrics.total_duration, secs(4));
}

#[test]
fn calls_in_flight_open_the_circuit_before_the_first_timeout() {
    let rig = Rig::of(rules("in_flight_over(3, 5s)"));
    let hanging = [rig.ticket(), rig.ticket(), rig.ticket()];
    rig.clock.advance(secs(5) - MILLI);
    rig.calls("S");
    rig.clock.advance(MILLI);
    let refused = rig.refused();
    assert_eq!((refused.state, refused.cause), (State::Open, Cause::Tripped));
    assert_eq!(refused.retry_after, Some(secs(10)));
    let transition = rig.heard().remove(0);
    assert_eq!((transition.metrics.hanging.get(secs(5)), transition.metrics.failures), (3, 0));
    assert!(transition.trip.unwrap().why.contains("in_flight_over(3, 5s)"));
    for ticket in hanging {
        ticket.failure("timeout");
    }
    let info = rig.breaker.info();
    assert_eq!((info.totals.stale, info.in_flight, info.generation), (3, 0, 1));
}

#[test]
fn time_windows_forget_when_nobody_calls() {
    let rig = Rig::of(rules("failures(2)").window(Window::time(secs(60))));
    rig.calls("FS");
    assert_eq!(rig.breaker.info().metrics.total, 2);
    rig.clock.advance(secs(60));
    let metrics = rig.breaker.info().metrics;
    assert_eq!((metrics.total, metrics.failures, metrics.failure_rate()), (0, 0, None));
    rig.calls("F");
    assert_eq!(rig.state(), State::Closed);
    rig.clock.advance(secs(58));
    rig.calls("F");
    assert_eq!(rig.state(), State::Open);
}

#[test]
fn a_count_window_holds_the_last_outcomes_only() {
    let rig = Rig::of(rules("failures(3)").window(Window::count(4)));
    rig.calls("FFSSSFF");
    let metrics = rig.breaker.info().metrics;
    assert_eq!((metrics.total, metrics.failures, rig.state()), (4, 2, State::Closed));
    rig.calls("F");
    assert_eq!(rig.state(), State::Open);
}

#[test]
fn a_call_that_hung_until_it_was_cancelled_is_a_failure() {
    for (hung, state) in [(secs(5) - MILLI, State::Closed), (secs(5) + MILLI, State::Open)] {
        let rig = Rig::of(rules("failure_streak(1)").cancelled_after(secs(5)));
        let ticket = rig.ticket();
        rig.clock.advance(hung);
        drop(ticket);
        assert_eq!(rig.state(), state, "{hung:?}");
    }
}

#[test]
fn a_panic_inside_the_call_is_a_failure() {
    type Panicking = fn(&Rig);
    let ways: [(&str, Panicking); 2] = [
        ("in the call", |rig| {
            let _ = rig.breaker.call(|| -> Result<(), ()> { panic!("meant") });
        }),
        ("with a ticket", |rig| {
            let _ticket = rig.ticket();
            panic!("meant");
        }),
    ];
    for (name, panicking) in ways {
        let closed = Rig::of(rules("failure_streak(1)"));
        let half_open = Rig::half_open(rules("failure_streak(1)"));
        for (rig, cause) in [(closed, Cause::Tripped), (half_open, Cause::ProbeFailed)] {
            assert!(catch_unwind(AssertUnwindSafe(|| panicking(&rig))).is_err(), "{name}");
            let info = rig.breaker.info();
            assert_eq!((info.state, rig.causes()), (State::Open, vec![cause]), "{name}");
            assert_eq!((info.totals.failure, info.in_flight), (1, 0), "{name}");
        }
    }
}

#[test]
fn a_transition_tells_what_the_window_held_before_it() {
    let rig = Rig::of(rules("failure_streak(2)"));
    rig.calls("SSFF");
    rig.clock.advance(secs(10));
    rig.calls("S");
    rig.calls("SF");
    rig.breaker.reset();
    let heard = rig.heard();
    let told: Vec<_> = heard
        .iter()
        .map(|Transition { to, metrics, .. }| (*to, metrics.total, metrics.failures))
        .collect();
    let expected = [
        (State::Open, 4, 2),
        (State::HalfOpen, 0, 0),
        (State::Closed, 1, 0),
        (State::Closed, 2, 1),
    ];
    assert_eq!((told, heard[0].metrics.streak), (expected.to_vec(), 2));
    assert_eq!(rig.breaker.info().metrics.total, 0);
}

#[test]
fn why_the_circuit_tripped_is_kept_until_it_is_closed() {
    let rig = Rig::of(rules("failure_streak(2)"));
    assert_eq!(rig.breaker.info().trip, None);
    rig.calls("SFF");
    let first = rig.breaker.info().trip.unwrap();
    assert!(first.why.contains("failure_streak(2)"), "{}", first.why);
    assert_eq!((first.cause, first.at, first.metrics.total), (Cause::Tripped, Moment::ZERO, 3));
    assert_eq!(rig.refused().cause, Cause::Tripped);

    rig.clock.advance(secs(10));
    rig.calls("I");
    let half_open = rig.breaker.info();
    assert_eq!((half_open.state, half_open.trip.unwrap()), (State::HalfOpen, first.clone()));

    rig.calls("F");
    let again = rig.breaker.info().trip.unwrap();
    assert_eq!((again.cause, again.at), (Cause::ProbeFailed, Moment::ZERO + secs(10)));
    assert_eq!((&again.why, again.metrics), (&first.why, first.metrics));
    assert_eq!(rig.refused().cause, Cause::ProbeFailed);

    rig.clock.advance(secs(10));
    rig.calls("S");
    assert_eq!((rig.breaker.info().trip, rig.breaker.info().why()), (None, None));
    assert_eq!(rig.heard().last().unwrap().trip, None);
}

#[test]
fn a_failure_counts_from_when_it_came_however_many_more_there_may_be() {
    let rig = Rig::of(rules("failures(10)").window(Window::time(secs(60))));
    let window = || rig.breaker.info().metrics.failures;
    let slow = rig.ticket();
    rig.calls("F");
    rig.clock.advance(secs(30));
    slow.settle(Outcome::Failure);
    for (wait, failures) in [(29, 2), (6, 1), (26, 0)] {
        rig.clock.advance(secs(wait));
        assert_eq!(window(), failures, "after {wait} s more");
    }
}

#[test]
fn successes_that_a_time_window_forgot_excuse_no_failure() {
    let trip = "failure_rate(0.5)&min_requests(4)";
    let rig = Rig::of(rules(trip).window(Window::time(secs(60))));
    rig.calls("SSSSSSSSSS");
    rig.clock.advance(secs(61));
    rig.calls("FFF");
    assert_eq!(rig.state(), State::Closed);
    rig.calls("F");
    assert_eq!(rig.state(), State::Open);
}
