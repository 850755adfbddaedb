//! One key costs the same whatever the number of keys: counted in circuits looked at, not in time.

use fuseboard_core::{CircuitBreaker, Pin};

use crate::rig::{IDLE, MOST_LOOKS, Rig};

/// What the keys are that are there before.
type Fill = fn(&Rig, &str) -> Option<CircuitBreaker>;

const FILLS: [(&str, Fill); 6] = [
    ("clean", |rig, key| {
        rig.succeed(key);
        None
    }),
    ("suspect", |rig, key| {
        fail(rig, key, 1);
        None
    }),
    ("open", |rig, key| {
        fail(rig, key, 3);
        None
    }),
    ("pinned", |rig, key| {
        rig.keyed.get(key).disable(Pin::by("ops").lasting(IDLE / 2));
        None
    }),
    ("held", |rig, key| Some(rig.keyed.get(key))),
    ("suspect and held", |rig, key| {
        fail(rig, key, 1);
        Some(rig.keyed.get(key))
    }),
];

/// Fails, or is rejected by the overflow circuit.
fn fail(rig: &Rig, key: &str, times: usize) {
    for _ in 0..times {
        let _ = rig.keyed.call(key, || Err::<(), _>("down"));
    }
}

/// The most circuits that were looked at for one of fifty keys.
fn most_looks(rig: &Rig, keys: &str) -> u64 {
    let mut before = rig.info().examined;
    let looks = (0..50).map(|number| {
        rig.keyed.get(&format!("{keys}-{number}"));
        let examined = rig.info().examined;
        examined - std::mem::replace(&mut before, examined)
    });
    looks.max().unwrap_or_default()
}

#[test]
fn the_circuits_looked_at_for_one_key_do_not_grow_with_the_number_of_keys() {
    for (what, fill) in FILLS {
        for capacity in [10, 100, 3000] {
            let rig = Rig::with(capacity);
            let held: Vec<_> =
                (0..capacity * 2).map(|key| fill(&rig, &format!("old-{key}"))).collect();
            let (new, known) = (most_looks(&rig, "new"), most_looks(&rig, "new"));
            assert!(new <= MOST_LOOKS && known <= MOST_LOOKS, "{what}, {capacity}: {new}, {known}");
            // After this long they are idle, and pins have ended unnoticed.
            rig.pass(IDLE);
            let (new, known) = (most_looks(&rig, "newer"), most_looks(&rig, "newer"));
            assert!(new <= MOST_LOOKS && known <= MOST_LOOKS, "{what}, {capacity}: {new}, {known}");
            drop(held);
        }
    }
}

#[test]
fn a_key_that_is_known_costs_no_look_at_others() {
    let rig = Rig::with(3000);
    (0..2000).for_each(|key| rig.succeed(&format!("old-{key}")));
    let before = rig.info().examined;
    (0..2000).for_each(|key| rig.succeed(&format!("old-{key}")));
    assert_eq!(rig.info().examined, before);
}

#[test]
fn nobody_is_looked_at_twice_in_vain() {
    let rig = Rig::with(3);
    let held = ["a", "b", "c"].map(|key| rig.keyed.get(key));
    assert!(rig.gives_overflow("d"));
    assert_eq!(rig.info().examined, held.len() as u64);
}

#[test]
fn few_looks_are_enough_to_find_the_one_that_can_be_forgotten_in_time() {
    let rig = Rig::with(400);
    let held: Vec<_> = (0..399).map(|key| rig.keyed.get(&format!("held-{key}"))).collect();
    rig.succeed("free");
    for key in &held {
        rig.keyed.get(key.name().trim_start_matches("payments[").trim_end_matches(']'));
    }
    let tries = (0..100).take_while(|number| rig.gives_overflow(&format!("new-{number}"))).count();
    assert!(tries < 100 && !rig.has("free"), "found after {tries}");
}
