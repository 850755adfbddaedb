//! How calls end, and what that counts as: in a closed circuit, as a probe, and too late.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use fuseboard_core::policy::Tracker;
use fuseboard_core::{Failure, Judgement, Outcome, RulesBuilder, State};
use fuseboard_tower::{CircuitBreakerLayer, Classify};
use tower::{Layer, Service};

use crate::support::{Circuit, Does, Inner, SEC, call, poll, rules};

/// How a call ends.
#[derive(Clone, Copy, Debug)]
enum How {
    /// The inner service answers so.
    Answered(Result<u32, &'static str>),
    /// It panics, somebody catches that, and the future is dropped later.
    Panicked,
    /// The future is dropped so many seconds after the call.
    Dropped(u64),
}

/// What each end counts as: unless the rules or a classifier say otherwise, as in the first rows.
const ENDS: [(How, &str); 10] = [
    (How::Answered(Ok(1)), "success"),
    (How::Answered(Err("refused")), "failure"),
    (How::Answered(Err("not found")), "ignored"), // by the rules
    (How::Panicked, "failure"),
    (How::Dropped(0), "cancelled"),
    (How::Dropped(4), "cancelled"),
    (How::Dropped(5), "failure"),       // `cancelled_after`
    (How::Answered(Ok(13)), "failure"), // from here on by the classifier
    (How::Answered(Ok(14)), "ignored"),
    (How::Answered(Ok(15)), "failure"), // the classifier panics
];

fn picky_rules() -> RulesBuilder {
    let not_found = |error: &&'static str| *error == "not found";
    rules().ignoring(Tracker::error("not found", not_found)).cancelled_after(SEC * 5)
}

/// Judges some answers itself, and leaves the rest to the circuit.
#[derive(Clone)]
struct Picky;

impl Classify<u32, &'static str> for Picky {
    fn classify(
        &self,
        circuit: &fuseboard_core::CircuitBreaker,
        result: Result<&u32, &&'static str>,
    ) -> Judgement {
        match result {
            Ok(13) => Failure::new("unlucky").into(),
            Ok(14) => Outcome::Ignored.into(),
            Ok(15) => panic!("meant"),
            _ => circuit.judge(result),
        }
    }
}

/// Makes a call, lets `meanwhile` happen, and ends it.
fn make(circuit: &Circuit, how: How, meanwhile: impl FnOnce()) {
    let inner = Inner::that(Does::Hangs);
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).classify(Picky);
    let mut future = call(&mut layer.layer(inner.clone()), 1);
    assert_eq!(poll(&mut future), Poll::Pending);
    assert_eq!(circuit.info().in_flight, 1);
    meanwhile();
    match how {
        How::Answered(answer) => {
            inner.does(Does::Answers(answer));
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut future)));
            assert_eq!(polled.is_err(), matches!(answer, Ok(15)), "{how:?}");
        }
        How::Panicked => {
            inner.does(Does::PanicsInFuture);
            assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut future))).is_err());
        }
        How::Dropped(seconds) => circuit.clock.advance(SEC * seconds as u32),
    }
    drop(future);
}

#[test]
fn a_call_of_a_closed_circuit_counts_as_its_end_says() {
    for (how, word) in ENDS {
        let circuit = Circuit::with(picky_rules());
        assert_eq!(circuit.counts(|| make(&circuit, how, || ())), [(word, 1)], "{how:?}");
        let state = if word == "failure" { State::Open } else { State::Closed };
        assert_eq!((circuit.state(), circuit.info().in_flight), (state, 0), "{how:?}");
    }
}

#[test]
fn a_probe_counts_as_its_end_says_and_gives_its_slot_back() {
    for (how, word) in ENDS {
        let circuit = Circuit::with(picky_rules()).due();
        let only_slot_is_taken = || assert!(circuit.breaker.try_acquire().is_err());
        let counted = circuit.counts(|| make(&circuit, how, only_slot_is_taken));
        assert_eq!(counted, sorted([(word, 1), ("rejected", 1)]), "{how:?}");
        let state = match word {
            "success" => State::Closed,
            "failure" => State::Open,
            _ => State::HalfOpen,
        };
        assert_eq!(circuit.state(), state, "{how:?}");
        if state == State::HalfOpen {
            let probe = circuit.breaker.try_acquire();
            assert!(probe.is_ok_and(|probe| probe.is_probe()), "{how:?}");
        }
    }
}

/// As the totals list them.
fn sorted<const N: usize>(mut counted: [(&'static str, u64); N]) -> [(&'static str, u64); N] {
    let order = ["success", "failure", "ignored", "cancelled", "rejected", "stale"];
    counted.sort_by_key(|(word, _)| order.iter().position(|listed| listed == word));
    counted
}

#[test]
fn whatever_comes_after_a_transition_is_stale() {
    for (how, _) in ENDS {
        let circuit = Circuit::with(picky_rules());
        let moves_on = || {
            circuit.breaker.try_acquire().unwrap().failure("another call");
            assert_eq!(circuit.state(), State::Open);
        };
        let counted = circuit.counts(|| make(&circuit, how, moves_on));
        assert_eq!(counted, [("failure", 1), ("stale", 1)], "{how:?}");
        assert_eq!((circuit.state(), circuit.info().in_flight), (State::Open, 0), "{how:?}");
    }
}

#[test]
fn a_panic_before_there_is_a_future_is_a_failure() {
    let circuit = Circuit::new();
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone());
    let mut service = layer.layer(Inner::that(Does::PanicsInCall));
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(call(&mut service, 1))));
    assert!(panicked.is_err());
    assert_eq!((circuit.info().totals.failure, circuit.state()), (1, State::Open));
}

#[test]
fn a_failure_tells_what_it_was() {
    let circuit = Circuit::new();
    make(&circuit, How::Answered(Ok(13)), || ());
    assert_eq!(circuit.info().last_error.map(|error| error.message), Some("unlucky".into()));
}

#[test]
fn no_more_calls_than_there_are_slots_reach_the_inner_service_of_a_half_open_circuit() {
    let circuit = Circuit::with(rules().slots(2)).due();
    let inner = Inner::that(Does::Hangs);
    let mut service = CircuitBreakerLayer::new(circuit.breaker.clone()).layer(inner.clone());
    let probes = [call(&mut service, 1), call(&mut service, 2)];
    assert!(matches!(poll(&mut call(&mut service, 3)), Poll::Ready(Err(_))));
    drop(probes);
    let _probes = [call(&mut service, 4), call(&mut service, 5)];
    assert!(matches!(poll(&mut call(&mut service, 6)), Poll::Ready(Err(_))));
    assert_eq!(inner.calls(), [1, 2, 4, 5]);
}

#[test]
fn an_answer_goes_through_as_it_is() {
    let inner = Inner::that(Does::Answers(Ok(7)));
    let circuit = Circuit::new();
    let mut service = CircuitBreakerLayer::new(circuit.breaker.clone()).layer(inner.clone());
    assert_eq!(poll(&mut call(&mut service, 1)), Poll::Ready(Ok(7)));
    assert_eq!(inner.calls(), [1]);
    let mut inner = service.into_inner();
    assert_eq!(poll(&mut call(&mut inner, 2)), Poll::Ready(Ok(7)));
    let _: &dyn Service<u32, Response = u32, Error = &'static str, Future = crate::support::Answer> =
        &inner;
}
