//! What calls came to is never lost, whatever becomes of their circuits.

use fuseboard_core::{Pin, State, Totals};

use crate::rig::{COOLDOWN, Rig};

#[test]
fn totals_are_those_of_all_circuits_also_of_the_forgotten_ones() {
    let rig = Rig::with(2);
    for round in 0..50 {
        let key = format!("key-{round}");
        rig.succeed(&key);
        rig.fail(&key, 1);
        rig.keyed.try_acquire(&key).unwrap().ignored();
        drop(rig.keyed.try_acquire(&key).unwrap());
        let late = rig.keyed.try_acquire(&key).unwrap();
        rig.keyed.get(&key).reset();
        late.success();
        rig.keyed.get(&key).force_open(Pin::by("ops"));
        assert!(rig.keyed.try_acquire(&key).is_err());
        rig.keyed.get(&key).reset();
        let all = round + 1;
        let totals = Totals {
            success: all,
            failure: all,
            ignored: all,
            cancelled: all,
            rejected: all,
            stale: all,
        };
        assert_eq!((rig.keyed.totals(), rig.info().totals), (totals, totals));
    }
    let info = rig.info();
    assert_eq!((info.keys, info.forgotten, info.overflowed), (2, 48, 0));
}

#[test]
fn calls_of_the_overflow_circuit_are_among_the_totals() {
    let rig = Rig::with(1);
    let held = rig.keyed.get("a");
    rig.succeed("b");
    rig.fail("c", 2);
    let totals = rig.keyed.totals();
    assert_eq!((totals.success, totals.failure), (1, 2));
    assert_eq!(held.info().totals, Totals::default());
}

#[test]
fn calls_in_flight_are_counted_when_they_end() {
    let rig = Rig::with(1);
    let ticket = rig.keyed.try_acquire("a").unwrap();
    assert_eq!(rig.keyed.totals(), Totals::default());
    ticket.success();
    rig.succeed("b");
    assert_eq!((rig.keyed.totals().success, rig.info().forgotten), (2, 1));
}

#[test]
fn states_are_counted_as_they_are_now() {
    let rig = Rig::with(10);
    for key in ["a", "b"] {
        rig.succeed(key);
    }
    rig.fail("c", 3);
    rig.keyed.get("d").disable(Pin::by("ops").lasting(COOLDOWN));
    let held = rig.keyed.get("e");
    held.force_closed(Pin::by("ops").lasting(COOLDOWN));
    let all =
        [(State::Closed, 2), (State::Open, 1), (State::ForcedClosed, 1), (State::Disabled, 1)];
    assert_eq!((rig.info().states, rig.info().keys), (all.into(), 5));
    rig.pass(COOLDOWN);
    assert_eq!(rig.info().states, [(State::Closed, 4), (State::Open, 1)].into());
}
