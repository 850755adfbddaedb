//! A circuit that is called often admits without being asked; what calls come to does not change by that.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuseboard_core::policy::{failure_streak, min_requests};
use fuseboard_core::{CircuitBreaker, Judgement, Outcome, Rules, RulesBuilder};
use fuseboard_tower::{CircuitBreakerLayer, Classify, Trackers};
use tower::Layer;

use crate::support::{Circuit, Does, Inner, answer, call, poll};

/// More calls than it takes until a thread counts by itself.
const CALLS: u64 = 64;

fn calm_rules() -> RulesBuilder {
    Rules::builder().tripper(failure_streak(2) & min_requests(10))
}

/// At ease, and known to this thread.
fn busy() -> Circuit {
    let circuit = Circuit::with(calm_rules());
    let mut service = layer(&circuit).layer(Inner::that(Does::Answers(Ok(1))));
    for _ in 0..CALLS {
        assert_eq!(answer(&mut service, 1), Ok(1));
    }
    let ticket = circuit.breaker.try_acquire_light();
    ticket.expect("the circuit is at ease").success();
    circuit
}

fn layer(circuit: &Circuit) -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(circuit.breaker.clone())
}

/// Leaves all to the circuit, as classifiers do that know nothing of tickets.
#[derive(Clone)]
struct Asks;

impl Classify<u32, &'static str> for Asks {
    fn classify(&self, circuit: &CircuitBreaker, result: Result<&u32, &&'static str>) -> Judgement {
        circuit.judge(result)
    }
}

fn plain(result: Result<&u32, &&'static str>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::Failure }
}

/// Makes a call that is on its way while `meanwhile` happens, and then comes to `end`; `None`: it is dropped.
fn make<C>(circuit: &Circuit, classify: C, end: Option<Does>, meanwhile: fn(&Circuit))
where
    C: Classify<u32, &'static str> + Clone,
{
    let inner = Inner::that(Does::Hangs);
    let mut service = layer(circuit).classify(classify).layer(inner.clone());
    let mut future = call(&mut service, 1);
    assert!(poll(&mut future).is_pending());
    assert_eq!(circuit.info().in_flight, 1);
    meanwhile(circuit);
    if let Some(does) = end {
        inner.does(does);
        let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut future).is_ready()));
        assert_eq!(polled.ok(), (does != Does::PanicsInFuture).then_some(true));
    }
    drop(future);
    assert_eq!(circuit.info().in_flight, 0);
}

const ENDS: [(Option<Does>, &str); 4] = [
    (Some(Does::Answers(Ok(1))), "success"),
    (Some(Does::Answers(Err("refused"))), "failure"),
    (Some(Does::PanicsInFuture), "failure"),
    (None, "cancelled"),
];

#[test]
fn a_call_of_a_busy_circuit_counts_as_its_end_says_whoever_judges_it() {
    for (end, word) in ENDS {
        let circuit = busy();
        let once = [(word, 1)];
        assert_eq!(circuit.counts(|| make(&circuit, Trackers, end, |_| ())), once, "{end:?}");
        let circuit = busy();
        assert_eq!(circuit.counts(|| make(&circuit, Asks, end, |_| ())), once, "{end:?}");
        let circuit = busy();
        assert_eq!(circuit.counts(|| make(&circuit, plain, end, |_| ())), once, "{end:?}");
    }
}

#[test]
fn a_call_of_a_busy_circuit_is_stale_after_a_transition() {
    let reset = |circuit: &Circuit| circuit.breaker.reset();
    for (end, _) in ENDS {
        let (here, asked, closure) = (busy(), busy(), busy());
        let once = [("stale", 1)];
        assert_eq!(here.counts(|| make(&here, Trackers, end, reset)), once, "{end:?}");
        assert_eq!(asked.counts(|| make(&asked, Asks, end, reset)), once, "{end:?}");
        assert_eq!(closure.counts(|| make(&closure, plain, end, reset)), once, "{end:?}");
    }
}

#[test]
fn a_call_on_its_way_is_judged_by_rules_that_are_new() {
    let circuit = busy();
    let nothing_works = |circuit: &Circuit| {
        let odd = fuseboard_core::policy::Tracker::value("odd", |value: &u32| value % 2 == 1);
        circuit.breaker.reconfigure(calm_rules().tracker(odd).build().unwrap());
    };
    let odd = Some(Does::Answers(Ok(1)));
    assert_eq!(circuit.counts(|| make(&circuit, Trackers, odd, nothing_works)), [("failure", 1)]);
}

#[test]
fn a_panic_in_the_inner_call_is_a_failure_of_a_busy_circuit() {
    let circuit = busy();
    let counted = circuit.counts(|| {
        let mut service = layer(&circuit).layer(Inner::that(Does::PanicsInCall));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(call(&mut service, 1)))).is_err());
    });
    assert_eq!((counted, circuit.info().in_flight), (vec![("failure", 1)], 0));
}

#[test]
fn a_future_may_outlive_the_service_and_its_breaker() {
    for (end, _) in ENDS {
        let circuit = busy();
        let (inner, id) = (Inner::that(Does::Hangs), circuit.breaker.id());
        let mut future = call(&mut layer(&circuit).layer(inner.clone()), 1);
        drop(circuit);
        assert_eq!(id.name(), None, "it does not keep the breaker");
        if let Some(does) = end {
            inner.does(does);
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut future).is_ready()));
            assert_eq!(polled.ok(), (does != Does::PanicsInFuture).then_some(true));
        }
    }
}

#[test]
fn the_calls_of_a_chosen_circuit_keep_it() {
    let circuit = busy();
    let id = circuit.breaker.id();
    let chosen = circuit.breaker.clone();
    let layer = CircuitBreakerLayer::keyed(move |_: &u32| chosen.clone());
    let future = call(&mut layer.layer(Inner::that(Does::Hangs)), 1);
    drop((layer, circuit));
    assert!(id.name().is_some());
    drop(future);
    assert_eq!(id.name(), None);
}
