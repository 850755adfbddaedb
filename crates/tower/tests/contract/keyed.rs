//! Keyed circuits: each key has its own, and no other key's trouble is its own.

use std::sync::Arc;
use std::task::Poll;

use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{CallError, Keyed, Rules, State};
use fuseboard_tower::CircuitBreakerLayer;
use proptest::prelude::*;
use tower::{Layer, service_fn};

use crate::support::{Circuit, Does, Inner, answer, poll_ready};

/// A circuit for each shard, on a clock that stands still.
fn shards() -> Keyed<u8> {
    let rules = Rules::builder().tripper(failure_streak(2)).retry(Retry::Never).build();
    let builder = Keyed::builder("shards").rules(rules.unwrap());
    builder.clock(Arc::new(ManualClock::new())).build().unwrap()
}

/// A request to one of four shards, and whether it will be answered.
fn requests() -> impl Strategy<Value = Vec<(u8, bool)>> {
    prop::collection::vec((0..4u8, any::<bool>()), 0..60)
}

proptest! {
    #[test]
    fn a_keyed_service_is_one_breaker_for_each_key(requests in requests()) {
        let (through_layer, direct) = (shards(), shards());
        let circuits = through_layer.clone();
        let layer = CircuitBreakerLayer::keyed(move |(key, _): &(u8, bool)| circuits.get(key));
        let mut service = layer.layer(service_fn(|(key, answers): (u8, bool)| {
            std::future::ready(if answers { Ok(key) } else { Err("refused") })
        }));
        for (key, answers) in requests {
            let expected = direct.call(&key, || if answers { Ok(key) } else { Err("refused") });
            let got = answer(&mut service, (key, answers));
            prop_assert_eq!(got.is_ok(), expected.is_ok());
            prop_assert_eq!(
                got.err().and_then(CallError::into_failed),
                expected.err().and_then(CallError::into_failed)
            );
        }
        prop_assert_eq!(through_layer.states(), direct.states());
        prop_assert_eq!(through_layer.totals(), direct.totals());
        for key in 0..4 {
            let totals = |keyed: &Keyed<u8>| keyed.find(&key).map(|breaker| breaker.info().totals);
            prop_assert_eq!(totals(&through_layer), totals(&direct));
        }
    }
}

#[test]
fn callers_wait_for_the_inner_service_because_nobody_knows_their_circuit_yet() {
    let (circuit, inner) = (Circuit::new().open(), Inner::that(Does::Answers(Ok(1))));
    let breaker = circuit.breaker.clone();
    let mut service =
        CircuitBreakerLayer::keyed(move |_: &u32| breaker.clone()).layer(inner.clone());
    inner.ready(Poll::Pending);
    assert_eq!(poll_ready(&mut service), Poll::Pending);
    inner.ready(Poll::Ready(Ok(())));
    assert!(answer(&mut service, 1).is_err());
    assert!(inner.calls().is_empty());
}

#[test]
fn an_error_of_the_inner_readiness_counts_for_no_circuit_in_particular() {
    let (circuit, inner) = (Circuit::new(), Inner::that(Does::Answers(Ok(1))));
    let breaker = circuit.breaker.clone();
    let mut service =
        CircuitBreakerLayer::keyed(move |_: &u32| breaker.clone()).layer(inner.clone());
    inner.ready(Poll::Ready(Err("gone")));
    assert_eq!(circuit.counts(|| assert!(poll_ready(&mut service).is_ready())), []);
    assert_eq!(circuit.state(), State::Closed);
}
