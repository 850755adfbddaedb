//! Readiness: the inner service's own, except where a call would be rejected anyway.

use std::task::Poll;

use fuseboard_core::{CallError, Cause, Outcome, Pin, Rejected, State};
use fuseboard_tower::{CircuitBreakerLayer, CircuitBreakerService};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{
    COOLDOWN, Circuit, Does, Inner, SEC, answer, call, panic_in, poll, poll_ready,
};

const OK: Does = Does::Answers(Ok(1));

fn around(circuit: &Circuit, inner: &Inner) -> CircuitBreakerService<Inner> {
    CircuitBreakerLayer::new(circuit.breaker.clone()).layer(inner.clone())
}

/// A service that is ready only because its circuit is open.
fn ready_to_reject() -> (Circuit, Inner, CircuitBreakerService<Inner>) {
    let (circuit, inner) = (Circuit::new().open(), Inner::that(OK));
    inner.ready(Poll::Pending);
    let mut service = around(&circuit, &inner);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    (circuit, inner, service)
}

#[test]
fn in_every_state_it_is_ready_when_the_inner_service_is() {
    for (state, circuit) in states() {
        let inner = Inner::that(OK);
        assert_eq!(poll_ready(&mut around(&circuit, &inner)), Poll::Ready(Ok(())), "{state}");
    }
}

#[test]
fn while_the_inner_service_is_not_ready_it_is_ready_only_if_the_circuit_rejects() {
    for (state, circuit) in states() {
        let inner = Inner::that(OK);
        inner.ready(Poll::Pending);
        let rejects = matches!(state, "open" | "forced_open");
        let mut service = around(&circuit, &inner);
        assert_eq!(poll_ready(&mut service).is_ready(), rejects, "{state}");
        if rejects {
            let expected = circuit.breaker.try_acquire().unwrap_err();
            let counted = circuit.counts(|| {
                let mut call = service.call(7);
                assert_eq!(poll(&mut call), Poll::Ready(Err(CallError::Rejected(expected))));
            });
            assert_eq!((inner.calls(), counted), (vec![], vec![("rejected", 1)]), "{state}");
        }
    }
}

/// A circuit in every state, and one that is open but due.
fn states() -> Vec<(&'static str, Circuit)> {
    let pinned = |pin: fn(&Circuit, Pin)| {
        let circuit = Circuit::new();
        pin(&circuit, Pin::by("ops"));
        circuit
    };
    let half_open = Circuit::new().due();
    half_open.breaker.try_acquire().unwrap().ignored();
    assert_eq!(half_open.state(), State::HalfOpen);
    vec![
        ("closed", Circuit::new()),
        ("open", Circuit::new().open()),
        ("due", Circuit::new().due()),
        ("half_open", half_open),
        ("forced_open", pinned(|circuit, pin| circuit.breaker.force_open(pin))),
        ("forced_closed", pinned(|circuit, pin| circuit.breaker.force_closed(pin))),
        ("metrics_only", pinned(|circuit, pin| circuit.breaker.metrics_only(pin))),
        ("disabled", pinned(|circuit, pin| circuit.breaker.disable(pin))),
    ]
}

#[test]
fn what_was_ready_to_reject_stays_ready_and_rejects_though_the_circuit_is_due_by_then() {
    let (circuit, inner, mut service) = ready_to_reject();
    circuit.clock.advance(COOLDOWN);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));

    let told = Rejected {
        circuit: circuit.breaker.id(),
        state: State::Open,
        retry_after: Some(COOLDOWN),
        cause: Cause::Tripped,
    };
    assert_eq!(poll(&mut service.call(7)), Poll::Ready(Err(CallError::Rejected(told))));
    assert!(inner.calls().is_empty());
    // It was no attempt: the next call is.
    assert_eq!((circuit.state(), circuit.info().in_flight), (State::Open, 0));
}

#[test]
fn what_was_ready_to_reject_tells_how_long_to_wait_from_the_call_on() {
    let (circuit, _inner, mut service) = ready_to_reject();
    circuit.clock.advance(SEC * 4);
    match poll(&mut service.call(7)) {
        Poll::Ready(Err(CallError::Rejected(rejected))) => {
            assert_eq!(rejected.retry_after, Some(COOLDOWN - SEC * 4));
        }
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn what_was_ready_to_reject_makes_the_call_if_the_inner_service_is_ready_after_all() {
    let (circuit, inner, mut service) = ready_to_reject();
    circuit.clock.advance(COOLDOWN);
    inner.ready(Poll::Ready(Ok(())));
    assert_eq!(answer(&mut service, 7), Ok(1));
    assert_eq!((inner.calls(), circuit.state()), (vec![7], State::Closed));
}

#[test]
fn a_service_that_was_polled_ready_and_dropped_holds_no_slot() {
    let (circuit, inner) = (Circuit::new().due(), Inner::that(OK));
    let mut ready = around(&circuit, &inner);
    assert_eq!(poll_ready(&mut ready), Poll::Ready(Ok(())));
    assert_eq!((circuit.state(), circuit.info().in_flight), (State::Open, 0));

    // The only slot is free while `ready` lives, and after.
    assert_eq!(answer(&mut around(&circuit, &inner), 7), Ok(1));
    drop(ready);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn an_error_of_the_inner_readiness_is_a_failure_of_the_one_circuit_and_goes_through() {
    let (circuit, inner) = (Circuit::new(), Inner::that(OK));
    inner.ready(Poll::Ready(Err("gone")));
    let mut service = around(&circuit, &inner);
    for expected in [vec![("failure", 1)], vec![]] {
        // At the second time the circuit is open: nothing was asked of it, so nothing was rejected.
        let counted = circuit.counts(|| {
            let failed = Poll::Ready(Err(CallError::Failed("gone")));
            assert_eq!(poll_ready(&mut service), failed);
        });
        assert_eq!((counted, circuit.state()), (expected, State::Open));
    }
    circuit.clock.advance(COOLDOWN);
    assert_eq!(circuit.counts(|| assert!(poll_ready(&mut service).is_ready())), [("failure", 1)]);
    assert_eq!(circuit.info().reopens, 1);
}

#[test]
fn an_error_of_the_inner_readiness_is_judged_by_the_classifier() {
    let (circuit, inner) = (Circuit::new(), Inner::that(OK));
    inner.ready(Poll::Ready(Err("busy")));
    let busy_is_ignored = |result: Result<&u32, &&'static str>| match result {
        Err(&"busy") => Outcome::Ignored,
        _ => Outcome::Failure,
    };
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone()).classify(busy_is_ignored);
    let mut service = layer.layer(inner);
    assert_eq!(circuit.counts(|| assert!(poll_ready(&mut service).is_ready())), [("ignored", 1)]);
}

#[test]
fn each_call_needs_a_readiness_of_its_own() {
    let (circuit, inner) = (Circuit::new(), Inner::that(OK));
    let mut service = around(&circuit, &inner);
    let message = "`call` without `poll_ready`: the inner service need not be ready";
    assert_eq!(panic_in(|| drop(service.call(1))).as_deref(), Some(message));
    assert_eq!(answer(&mut service, 2), Ok(1));
    assert_eq!(panic_in(|| drop(service.call(3))).as_deref(), Some(message));
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    inner.ready(Poll::Ready(Err("gone")));
    assert_eq!(poll_ready(&mut service), Poll::Ready(Err(CallError::Failed("gone"))));
    assert_eq!(panic_in(|| drop(service.call(4))).as_deref(), Some(message));
    // None of them reached the inner service or the circuit, but for the one call and the failed readiness.
    let totals = circuit.info().totals;
    assert_eq!((inner.calls(), totals.success, totals.failure), (vec![2], 1, 1));
    assert_eq!((totals.cancelled, circuit.info().in_flight), (0, 0));
}

#[test]
fn a_clone_shares_the_circuit_but_not_the_readiness() {
    let (circuit, inner) = (Circuit::new(), Inner::that(Does::Answers(Err("refused"))));
    let mut service = around(&circuit, &inner);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    let mut clone = service.clone();
    assert!(panic_in(|| drop(clone.call(1))).is_some());

    assert_eq!(answer(&mut clone, 2), Err(CallError::Failed("refused")));
    let rejected = answer(&mut service, 3).unwrap_err();
    assert_eq!(rejected.rejected().map(|rejected| rejected.state), Some(State::Open));
    assert_eq!(inner.calls(), [2]);
}

/// What middleware does that needs an owned service for its future: it takes the one that was polled, and leaves a
/// clone.
fn take_the_polled(service: &mut CircuitBreakerService<Inner>) -> CircuitBreakerService<Inner> {
    let clone = service.clone();
    std::mem::replace(service, clone)
}

#[test]
fn middleware_must_take_the_service_that_was_polled_and_leave_the_clone() {
    let inner = Inner::that(OK);
    let mut held = around(&Circuit::new(), &inner);
    for _ in 0..2 {
        assert_eq!(poll_ready(&mut held), Poll::Ready(Ok(())));
        assert_eq!(poll(&mut take_the_polled(&mut held).call(1)), Poll::Ready(Ok(1)));
    }
    assert_eq!(poll_ready(&mut held), Poll::Ready(Ok(())));
    let mut the_trap = held.clone();
    assert!(panic_in(|| drop(the_trap.call(1))).is_some());
    assert_eq!(inner.calls(), [1, 1]);
}

/// With nothing but the inner service to wake them, callers come through as it has room.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn callers_who_wait_for_room_are_woken_by_the_inner_service() {
    let circuit = Circuit::new();
    let service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(circuit.breaker.clone()))
        .concurrency_limit(1)
        .service(service_fn(async |request: u32| {
            tokio::time::sleep(SEC).await; // waits for: tokio's paused clock
            Ok::<_, &'static str>(request)
        }));
    let calls = (0..4).map(|request| tokio::spawn(service.clone().oneshot(request)));
    for (request, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), Ok(request as u32));
    }
    assert_eq!(circuit.info().totals.success, 4);
}

/// The queue behind a dead dependency: the first caller has the only place and hangs, the circuit is open.
#[test]
fn nobody_queues_for_a_place_while_the_circuit_is_open() {
    let (circuit, inner) = (Circuit::new(), Inner::that(Does::Hangs));
    let layer = CircuitBreakerLayer::new(circuit.breaker.clone());
    let mut service =
        ServiceBuilder::new().layer(layer).concurrency_limit(1).service(inner.clone());
    let _hangs = call(&mut service, 1);
    assert_eq!(poll_ready(&mut service), Poll::Pending);
    circuit.breaker.force_open(Pin::by("ops"));
    match answer(&mut service, 2) {
        Err(CallError::Rejected(rejected)) => assert_eq!(rejected.cause, Cause::Pinned),
        other => panic!("not rejected: {other:?}"),
    }
    assert_eq!(inner.calls(), [1]);
}
