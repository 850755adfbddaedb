//! One circuit for each key: found again, called, listed, reset.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fuseboard_core::time::ManualClock;
use fuseboard_core::{CallError, Cause, CircuitBreaker, Keyed, Pin, State};

use crate::rig::{COOLDOWN, Rig, limits, rules};

#[test]
fn keys_fail_and_recover_each_on_its_own() {
    let rig = Rig::with(10);
    rig.fail("eu-1", 3);
    let rejected = rig.keyed.try_acquire("eu-1").unwrap_err();
    assert_eq!((rejected.state, rejected.cause), (State::Open, Cause::Tripped));
    assert_eq!(rejected.circuit.name().as_deref(), Some("payments[eu-1]"));
    rig.succeed("eu-2");
    assert_eq!(rig.keyed.states(), [("payments[eu-1]".to_owned(), State::Open)].into());

    rig.pass(COOLDOWN);
    rig.succeed("eu-1");
    assert_eq!(rig.keyed.states(), BTreeMap::new());
}

#[test]
fn a_key_has_one_breaker_however_it_is_asked_for() {
    let rig = Rig::with(10);
    assert!(rig.keyed.find("eu-1").is_none() && rig.keyed.is_empty());
    let made = rig.keyed.get("eu-1");
    let owned = rig.keyed.clone().get(&String::from("eu-1"));
    let found = rig.keyed.find("eu-1").unwrap();
    let named = rig.keyed.find_by_name("payments[eu-1]").unwrap();
    for other in [owned, found, named] {
        assert_eq!(other.id(), made.id());
    }
    assert_ne!(rig.keyed.get("eu-2").id(), made.id());
    assert_eq!((rig.keyed.len(), rig.keyed.is_empty()), (2, false));
    assert!(rig.keyed.find_by_name("payments[eu-3]").is_none());
    assert_eq!(rig.keyed.find_by_name("payments[*]").unwrap().id(), rig.keyed.overflow().id());
}

#[test]
fn looking_makes_no_circuit() {
    let rig = Rig::with(10);
    assert!(rig.keyed.find("eu-1").is_none());
    assert!(rig.keyed.find_by_name("payments[eu-1]").is_none());
    assert_eq!((rig.keyed.states(), rig.keyed.all().len()), (BTreeMap::new(), 0));
    assert_eq!(rig.keyed.len(), 0);
}

#[test]
fn an_async_call_goes_to_its_keys_circuit_and_borrows_no_key() {
    fn free<T: Send + 'static>(future: T) -> T {
        future
    }
    let rig = Rig::with(10);
    let mut context = Context::from_waker(Waker::noop());
    let mut failing = pin!({
        let key = String::from("eu-1");
        free(rig.keyed.call_async(&key, || async { Err::<(), _>("down") }))
    });
    let failed = Poll::Ready(Err(CallError::Failed("down")));
    assert_eq!(failing.as_mut().poll(&mut context), failed);
    rig.fail("eu-1", 2);
    let mut rejected = pin!(rig.keyed.call_async("eu-1", || async { Ok::<_, &str>(()) }));
    let Poll::Ready(Err(CallError::Rejected(rejected))) = rejected.as_mut().poll(&mut context)
    else {
        panic!("the circuit is open");
    };
    assert_eq!(rejected.circuit, rig.keyed.get("eu-1").id());
}

#[test]
fn every_key_is_listed_once_and_reset_with_the_others() {
    let rig = Rig::with(3000);
    let names: Vec<String> = (0..1000).map(|number| format!("host-{number:04}")).collect();
    names.iter().for_each(|name| rig.fail(name, 1));
    rig.keyed.get("host-0007").force_open(Pin::by("ops"));
    rig.keyed.overflow().disable(Pin::by("ops"));

    let mut listed = rig.keyed.all();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(listed.iter().map(|(key, _)| key).eq(&names), "each key once");
    let named_so =
        |(key, breaker): &(String, CircuitBreaker)| breaker.name() == format!("payments[{key}]");
    assert!(listed.iter().all(named_so));
    let states = [("payments[*]", State::Disabled), ("payments[host-0007]", State::ForcedOpen)];
    assert_eq!(rig.keyed.states(), states.map(|(name, state)| (name.to_owned(), state)).into());

    rig.keyed.reset_all();
    assert_eq!(rig.keyed.states(), BTreeMap::new());
    rig.keyed.for_each(|_, breaker| assert_eq!(breaker.info().metrics.total, 0));
}

#[test]
fn who_walks_over_the_circuits_may_use_them() {
    let rig = Rig::with(3);
    for key in ["a", "b", "c"] {
        rig.succeed(key);
    }
    let mut seen = Vec::new();
    rig.keyed.for_each(|key, breaker| {
        rig.succeed(key);
        assert_eq!(breaker.id(), rig.keyed.get(key).id());
        seen.push(key.clone());
    });
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn other_rules_reach_the_circuits_that_are_and_those_to_come() {
    let rig = Rig::with(2);
    rig.fail("a", 2);
    let held = rig.keyed.get("b");
    let stricter = rules().tripper("failure_streak(1)".parse().unwrap()).build().unwrap();
    rig.keyed.reconfigure(stricter.clone());
    assert_eq!(*rig.keyed.rules(), stricter);
    assert_eq!(rig.keyed.get("a").info().metrics.failures, 2, "its window was kept");
    for key in ["b", "new", "to the overflow circuit"] {
        rig.fail(key, 1);
        assert!(rig.keyed.try_acquire(key).is_err(), "{key}");
    }
    assert_eq!((held.state(), rig.keyed.overflow().state()), (State::Open, State::Open));
}

/// All have one hash, so that each is told from the others by `Eq` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alike(u32);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Display for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn keys_with_one_hash_keep_their_own_circuits_while_others_come_and_go() {
    let clock = Arc::new(ManualClock::new());
    let builder = Keyed::<Alike>::builder("alike").rules(rules().build().unwrap()).clock(clock);
    let keyed = builder.limits(limits(5)).build().unwrap();
    let held: Vec<_> = [3, 5, 7].map(|key| (Alike(key), keyed.get(&Alike(key)))).into();
    for round in 0..200 {
        let key = Alike(round % 13);
        keyed.call(&key, || Ok::<_, ()>(())).unwrap();
        assert_eq!(keyed.get(&key).name(), format!("alike[{key}]"));
        for (key, breaker) in &held {
            assert_eq!(keyed.find(key).map(|found| found.id()), Some(breaker.id()), "{key}");
        }
        assert!(keyed.len() <= 5);
    }
    assert!(keyed.info().forgotten > 100, "{:?}", keyed.info());
}

#[test]
fn of_keys_with_one_hash_any_can_be_forgotten_without_the_others() {
    for victim in 0..3 {
        let builder = Keyed::<Alike>::builder("alike").rules(rules().build().unwrap());
        let keyed = builder.limits(limits(3)).build().unwrap();
        let keys = [0, 1, 2].map(Alike);
        let ids = keys.clone().map(|key| keyed.get(&key).id());
        for key in keys.iter().filter(|key| key.0 != victim) {
            keyed.get(key);
        }
        keyed.get(&Alike(3));
        for (key, id) in keys.iter().zip(ids) {
            let kept = (key.0 != victim).then_some(id);
            assert_eq!(keyed.find(key).map(|found| found.id()), kept, "{victim} {key}");
        }
    }
}

/// One whose clones panic if it is odd.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fragile(u32);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(self.0.is_multiple_of(2), "meant");
        Fragile(self.0)
    }
}

impl fmt::Display for Fragile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn a_key_that_panics_harms_no_other() {
    let keyed = Keyed::<Fragile>::builder("fragile").limits(limits(2)).build().unwrap();
    for key in 0..20 {
        let got = catch_unwind(AssertUnwindSafe(|| keyed.get(&Fragile(key)).id()));
        assert_eq!(got.is_ok(), key % 2 == 0);
    }
    assert_eq!((keyed.len(), keyed.info().overflowed), (1, 0));
    assert!(keyed.find(&Fragile(18)).is_some(), "the last one had made room before it panicked");
}
