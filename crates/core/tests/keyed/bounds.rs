//! The number of keys is bounded: what happens at the bound, and which bounds there can be.

use std::time::Duration;

use fuseboard_core::{BuildError, Keyed, KeyedLimits, Pin, State};

use crate::rig::{Rig, limits, rules};

#[test]
fn there_are_never_more_keys_than_the_capacity() {
    for capacity in [1, 2, 7, 511, 1024, 1500, 5000] {
        let rig = Rig::with(capacity);
        for key in 0..capacity * 2 {
            rig.succeed(&key.to_string());
            assert!(rig.keyed.len() <= capacity);
        }
        let info = rig.info();
        assert_eq!(info.keys as u64 + info.forgotten, capacity as u64 * 2, "{capacity}");
        assert_eq!((info.capacity, info.overflowed), (capacity, 0));
        assert!(info.keys * 10 >= capacity * 8, "{capacity}: {} is far below it", info.keys);
    }
}

#[test]
fn every_place_can_be_taken() {
    for capacity in [1, 3, 1025, 2047, 5000] {
        let rig = Rig::with(capacity);
        let held: Vec<_> = (0..capacity * 2).map(|key| rig.keyed.get(&key.to_string())).collect();
        assert_eq!(rig.keyed.len(), capacity);
        let shared = held.iter().filter(|one| one.id() == rig.keyed.overflow().id()).count();
        assert_eq!((shared, rig.info().overflowed), (capacity, capacity as u64));
    }
}

#[test]
fn keys_without_room_share_one_circuit_that_protects_and_is_seen() {
    let rig = Rig::with(2);
    let held = ["a", "b"].map(|key| rig.keyed.get(key));
    for key in ["c", "d", "e"] {
        rig.fail(key, 1);
        assert!(!rig.has(key));
    }
    let rejected = rig.keyed.try_acquire("f").unwrap_err();
    assert_eq!(rejected.circuit.name().as_deref(), Some("payments[*]"));
    assert_eq!(rig.keyed.states(), [("payments[*]".to_owned(), State::Open)].into());
    assert!(held.iter().all(|breaker| breaker.state() == State::Closed), "they are not in it");
    let info = rig.info();
    assert_eq!((info.keys, info.overflowed, info.overflow), (2, 4, State::Open));
    assert_eq!((info.totals.failure, info.totals.rejected), (3, 1));
}

#[test]
fn a_key_gets_its_own_circuit_as_soon_as_there_is_room() {
    let rig = Rig::with(1);
    let held = rig.keyed.get("a");
    assert!(rig.gives_overflow("b"));
    drop(held);
    assert!(!rig.gives_overflow("b"));
    assert_eq!(rig.kept(&["a", "b"]), ["b"]);
}

#[test]
fn who_has_the_overflow_circuit_keeps_it_when_the_key_gets_its_own() {
    let rig = Rig::with(1);
    let held = rig.keyed.get("a");
    let shared = rig.keyed.try_acquire("b").unwrap();
    drop(held);
    rig.succeed("b");
    shared.failure("down");
    assert_eq!(rig.keyed.overflow().info().totals.failure, 1);
    assert_eq!(rig.keyed.get("b").info().totals.failure, 0);
}

#[test]
fn a_circuit_that_cannot_be_forgotten_is_given_to_its_key_though_all_is_full() {
    let rig = Rig::with(2);
    rig.fail("a", 3);
    rig.keyed.get("b").disable(Pin::by("ops"));
    for _ in 0..3 {
        assert!(rig.gives_overflow("c"));
        assert!(!rig.gives_overflow("a") && !rig.gives_overflow("b"));
    }
    assert_eq!(rig.keyed.get("a").state(), State::Open);
}

#[test]
fn impossible_limits_are_refused_with_what_would_be_right() {
    let rows = [
        (KeyedLimits::default().capacity(0), "capacity", "from 1 to 1000000"),
        (KeyedLimits::default().capacity(1_000_001), "capacity", "from 1 to 1000000"),
        (KeyedLimits::default().idle_after(Duration::ZERO), "idle_after", "above zero"),
    ];
    for (limits, field, right) in rows {
        let refused = Keyed::<String>::builder("payments").limits(limits).build().unwrap_err();
        let BuildError::Policy(policy) = &refused else { panic!("{refused}") };
        assert_eq!(policy.field(), field);
        assert!(refused.to_string().contains(right), "{refused}");
    }
    for limits in [limits(1), limits(1_000_000), limits(3).never_idle()] {
        let keyed = Keyed::<String>::builder("payments").limits(limits).build().unwrap();
        assert_eq!(keyed.limits(), limits);
    }
}

#[test]
fn a_parents_name_leaves_room_for_the_longest_key() {
    for (name, possible) in [
        ("payments", true),
        ("payments@eu-1", true),
        (&*"ä".repeat(134), true),
        (&*"ä".repeat(135), false),
        ("", false),
        ("pay\nments", false),
        ("payments@eu@1", false),
    ] {
        let built = Keyed::<String>::builder(name).rules(rules().build().unwrap()).build();
        match built {
            Ok(keyed) => {
                assert!(possible, "{name:?}");
                let breaker = keyed.get(&"ß%".repeat(300));
                assert_ne!(breaker.id(), keyed.overflow().id(), "{name:?}");
            }
            Err(refused) => {
                assert!(!possible && matches!(refused, BuildError::Name(_)), "{refused}");
            }
        }
    }
}
