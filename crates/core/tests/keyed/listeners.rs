//! Listeners hear each circuit by its full name, and may use the keyed circuits: no lock is held while they are told.

use std::sync::{Arc, Mutex, OnceLock};

use fuseboard_core::{Keyed, Pin, Transition};

use crate::rig::{COOLDOWN, Rig, limits};

type Heard = Arc<Mutex<Vec<String>>>;

#[test]
fn every_transition_is_told_with_the_circuits_full_name() {
    let heard = Heard::default();
    let writing = Arc::clone(&heard);
    let listener = move |circuit: &str, transition: &Transition| {
        writing.lock().unwrap().push(format!("{circuit} {}", transition.to));
    };
    let rig = Rig::built(|builder| builder.limits(limits(2)).listener(listener));
    rig.fail("eu-1", 3);
    let held = rig.keyed.get("eu-2");
    rig.fail("bob@example.com", 3);
    rig.pass(COOLDOWN);
    rig.succeed("eu-1");
    drop(held);
    let expected = [
        "payments[eu-1] open",
        "payments[*] open",
        "payments[eu-1] half_open",
        "payments[eu-1] closed",
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

/// Keyed circuits whose listener uses them in every way, whatever it is told.
fn with_a_busy_listener(capacity: usize) -> (Rig, Heard) {
    let (heard, own) = (Heard::default(), Arc::new(OnceLock::<Keyed<String>>::new()));
    let (writing, using) = (Arc::clone(&heard), Arc::clone(&own));
    let listener = move |circuit: &str, transition: &Transition| {
        let keyed = using.get().expect("set before the first call");
        for key in ["a", "b", "new"] {
            let _ = keyed.call(key, || Ok::<_, ()>(()));
        }
        keyed.for_each(|_, breaker| breaker.tick());
        let info = keyed.info();
        assert!(keyed.find_by_name(circuit).is_some(), "{circuit} is not forgotten meanwhile");
        let told = format!("{circuit} {} of {}", transition.to, info.keys);
        writing.lock().unwrap().push(told);
    };
    let rig = Rig::built(|builder| builder.limits(limits(capacity)).listener(listener));
    assert!(own.set(rig.keyed.clone()).is_ok());
    (rig, heard)
}

#[test]
fn a_listener_may_use_the_keyed_circuits() {
    let (rig, heard) = with_a_busy_listener(2);
    rig.fail("a", 3);
    assert_eq!(*heard.lock().unwrap(), ["payments[a] open of 2"]);
}

#[test]
fn what_ends_while_room_is_made_is_told_without_a_lock() {
    let (rig, heard) = with_a_busy_listener(1);
    rig.keyed.get("a").disable(Pin::by("ops").lasting(COOLDOWN));
    rig.pass(COOLDOWN);
    rig.succeed("b");
    let expected = ["payments[a] disabled of 1", "payments[a] closed of 1"];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn what_ends_while_all_is_counted_is_told_without_a_lock() {
    let (rig, heard) = with_a_busy_listener(2);
    rig.keyed.get("a").disable(Pin::by("ops").lasting(COOLDOWN));
    rig.pass(COOLDOWN);
    assert_eq!(rig.info().states.len(), 1);
    assert_eq!(heard.lock().unwrap().len(), 2);
}
