//! The machine by itself, for who calls it without an engine: what it is told wrongly changes nothing.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::engine::Engine;
use fuseboard_core::machine::{Circuit, Context, Event, Reply, Stamp, step};
use fuseboard_core::metrics::Metrics;
use fuseboard_core::policy::{avg_latency, failures};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::Moment;
use fuseboard_core::{Outcome, Rules, State};

fn settled(stamp: Stamp, outcome: Outcome) -> Event {
    Event::Settled { stamp, outcome, duration: None, retry_after: None }
}

/// The circuit after an event, and the answer, where so many calls are in the window and failed.
fn after(circuit: &Circuit, event: Event, failed: u64) -> (Circuit, Reply) {
    let rules = Rules::builder().tripper(failures(2)).build().unwrap();
    let metrics = Metrics { total: failed, failures: failed, ..Metrics::default() };
    let context = Context { now: Moment::ZERO, rules: &rules, metrics: &metrics, draw: 0.5 };
    let (next, effects) = step(circuit, event, context);
    (next, effects.reply)
}

#[test]
fn a_stamp_that_the_circuit_never_gave_is_stale() {
    let closed = Circuit::new(Moment::ZERO);
    let ours = Stamp { generation: 0, lease: None };
    let (open, _) = after(&closed, settled(ours, Outcome::Failure), 2);
    assert_eq!((closed.accepts(&ours), open.state()), (true, State::Open));
    let foreign = [
        (&closed, Stamp { generation: 1, lease: None }),
        (&closed, Stamp { generation: 0, lease: Some(0) }),
        (&open, ours),
        (&open, Stamp { generation: 1, lease: None }),
        (&open, Stamp { generation: 1, lease: Some(0) }),
    ];
    for (circuit, stamp) in foreign {
        assert!(!circuit.accepts(&stamp), "{:?} {stamp:?}", circuit.state());
        let (next, reply) = after(circuit, settled(stamp, Outcome::Failure), 9);
        assert_eq!((reply, next.state()), (Reply::Stale, circuit.state()), "{stamp:?}");
    }
}

#[test]
fn an_outcome_opens_a_closed_circuit_only_where_the_tripper_holds() {
    let closed = Circuit::new(Moment::ZERO);
    let stamp = Stamp { generation: 0, lease: None };
    for (outcome, failed, state) in [
        (Outcome::Success, 1, State::Closed),
        (Outcome::Failure, 1, State::Closed),
        (Outcome::Failure, 2, State::Open),
        (Outcome::Ignored, 2, State::Closed),
    ] {
        let (next, reply) = after(&closed, settled(stamp, outcome), failed);
        assert_eq!((reply, next.state()), (Reply::Taken, state), "{outcome:?}, {failed}");
    }
}

#[test]
fn a_call_may_be_said_to_take_longer_than_time_lasts() {
    let rules = Rules::builder().tripper(avg_latency(Duration::from_secs(1))).build().unwrap();
    let mut engine = Engine::new(Arc::new(rules), Moment::ZERO);
    let mut admission = engine.attempt(Moment::ZERO, &SeededRandom::new(1)).unwrap();
    admission.took(Duration::MAX);
    let centuries = Duration::from_secs(500 * 365 * 24 * 3600);
    assert!(admission.duration(Moment::ZERO).is_some_and(|took| took > centuries));
}
