//! Which circuit is forgotten, and which never is.

use std::time::Duration;

use fuseboard_core::{CircuitBreaker, Pin, Rules, State};

use crate::rig::{COOLDOWN, IDLE, Rig, fail_once, limits, rules};

const SEC: Duration = Duration::from_secs(1);

/// Brings a closed circuit into a state.
type Bring = fn(&Rig, &CircuitBreaker);

fn open(_: &Rig, breaker: &CircuitBreaker) {
    (0..3).for_each(|_| fail_once(breaker));
}

fn half_open(rig: &Rig, breaker: &CircuitBreaker) {
    open(rig, breaker);
    rig.pass(COOLDOWN);
    drop(breaker.try_acquire().unwrap());
}

const BROUGHT: [(State, Bring); 6] = [
    (State::Open, open),
    (State::HalfOpen, half_open),
    (State::ForcedOpen, |_, breaker| breaker.force_open(Pin::by("ops"))),
    (State::ForcedClosed, |_, breaker| breaker.force_closed(Pin::by("ops"))),
    (State::MetricsOnly, |_, breaker| breaker.metrics_only(Pin::by("ops"))),
    (State::Disabled, |_, breaker| breaker.disable(Pin::by("ops"))),
];

/// Makes so many keys that every other one would have been forgotten.
fn flood(rig: &Rig) {
    (0..100).for_each(|number| rig.succeed(&format!("flood-{number}")));
}

#[test]
fn what_is_not_closed_is_never_forgotten_and_once_closed_it_can_be() {
    for (state, bring) in BROUGHT {
        let rig = Rig::with(2);
        bring(&rig, &rig.keyed.get("kept"));
        for _ in 0..3 {
            flood(&rig);
            rig.pass(IDLE * 2);
            assert_eq!(rig.keyed.find("kept").unwrap().state(), state, "by room or by time");
        }
        assert_eq!(rig.info().overflowed, 0);
        rig.keyed.find("kept").unwrap().reset();
        flood(&rig);
        assert!(!rig.has("kept"), "{state}");
    }
}

#[test]
fn what_is_in_use_is_never_forgotten_and_once_let_go_it_can_be() {
    let rig = Rig::with(4);
    let breaker = rig.keyed.get("breaker");
    let ticket = rig.keyed.try_acquire("ticket").unwrap();
    let future = rig.keyed.call_async("future", || async { Ok::<_, ()>(()) });
    for _ in 0..3 {
        flood(&rig);
        rig.pass(IDLE * 2);
        assert_eq!(rig.kept(&["breaker", "ticket", "future"]), ["breaker", "ticket", "future"]);
    }
    let in_call = rig.keyed.call("call", || {
        flood(&rig);
        Ok::<_, ()>(rig.has("call"))
    });
    assert_eq!(in_call, Ok(true));
    drop((breaker, ticket, future));
    flood(&rig);
    assert_eq!(rig.kept(&["breaker", "ticket", "future", "call"]), [""; 0]);
}

#[test]
fn the_circuit_that_was_used_longest_ago_goes_first() {
    let rig = Rig::with(3);
    for key in ["a", "b", "c"] {
        rig.succeed(key);
    }
    rig.succeed("a");
    assert!(rig.has("b"), "looking is not using");
    rig.succeed("d");
    assert_eq!(rig.kept(&["a", "b", "c", "d"]), ["a", "c", "d"]);
    rig.succeed("e");
    assert_eq!(rig.kept(&["a", "c", "d", "e"]), ["a", "d", "e"]);
    rig.succeed("b");
    assert_eq!(rig.kept(&["a", "b", "d", "e"]), ["b", "d", "e"], "b came anew");
}

#[test]
fn a_circuit_with_failures_in_its_window_outlives_any_flood_of_clean_ones() {
    let rig = Rig::with(3);
    rig.fail("suspect", 2);
    flood(&rig);
    rig.fail("suspect", 1);
    assert_eq!(rig.keyed.get("suspect").state(), State::Open, "the streak was not washed out");
}

#[test]
fn among_suspects_the_one_that_was_used_longest_ago_goes_first() {
    let rig = Rig::with(3);
    for key in ["a", "b", "c"] {
        rig.fail(key, 1);
    }
    rig.fail("a", 1);
    rig.fail("d", 1);
    assert_eq!(rig.kept(&["a", "b", "c", "d"]), ["a", "c", "d"]);
    rig.succeed("e");
    rig.succeed("f");
    assert_eq!(rig.kept(&["a", "c", "d", "e", "f"]), ["a", "d", "f"], "the clean one before them");
    assert_eq!(rig.info().overflowed, 0, "failures alone fill no place for good");
}

#[test]
fn a_window_that_forgot_its_failures_is_clean() {
    let over_time = |rules: Rules| Rig::built(|one| one.limits(limits(2)).rules(rules));
    let rig = over_time(rules().window("time(60s)".parse().unwrap()).build().unwrap());
    for (key, wait) in [("old", 61 * SEC), ("new", SEC)] {
        rig.fail(key, 1);
        // A streak is not limited by the window, so a success has to end it.
        rig.succeed(key);
        rig.pass(wait);
    }
    rig.succeed("new");
    rig.succeed("old");
    rig.succeed("other");
    assert_eq!(rig.kept(&["old", "new"]), ["new"], "though it was used before the old one");
}

#[test]
fn slow_calls_make_a_suspect_as_failures_do() {
    let slow = "min_requests(2) & slow_rate(0.5, 1s)".parse().unwrap();
    let rules = rules().tripper(slow).build().unwrap();
    let rig = Rig::built(|builder| builder.limits(limits(2)).rules(rules));
    rig.keyed.try_acquire("slow").unwrap().took(2 * SEC).success();
    flood(&rig);
    assert!(rig.has("slow"));
}

#[test]
fn pins_that_ended_unnoticed_do_not_keep_a_circuit() {
    let pin = || Pin::by("ops").lasting(COOLDOWN);
    type Pinning = fn(&CircuitBreaker, Pin);
    let pinnings: [(Pinning, bool); 4] = [
        (CircuitBreaker::force_closed, true),
        (CircuitBreaker::metrics_only, true),
        (CircuitBreaker::disable, true),
        // It ends half-open, and has to be proved first.
        (CircuitBreaker::force_open, false),
    ];
    for (pinning, closes) in pinnings {
        let rig = Rig::with(1);
        pinning(&rig.keyed.get("pinned"), pin());
        rig.pass(COOLDOWN - SEC);
        assert!(rig.gives_overflow("other"));
        rig.pass(SEC);
        assert_eq!(!rig.gives_overflow("other"), closes);
        assert_eq!(rig.has("pinned"), !closes);
    }
}

#[test]
fn one_that_can_be_forgotten_is_found_among_others_that_changed_unnoticed() {
    let rig = Rig::with(4);
    let held = rig.keyed.get("held");
    let pin = || Pin::by("ops").lasting(COOLDOWN);
    for key in ["a", "b"] {
        rig.keyed.get(key).force_open(pin());
    }
    rig.keyed.get("c").force_closed(pin());
    rig.pass(COOLDOWN);
    assert!(!rig.gives_overflow("d"));
    assert_eq!(rig.kept(&["held", "a", "b", "c", "d"]), ["held", "a", "b", "d"]);
    drop(held);
}

#[test]
fn a_circuit_that_nobody_used_for_long_is_forgotten_on_the_way() {
    let rig = Rig::with(100);
    for key in ["clean", "used", "known"] {
        rig.succeed(key);
    }
    rig.fail("suspect", 2);
    rig.pass(IDLE - SEC);
    rig.succeed("used");
    assert_eq!(rig.kept(&["clean", "used", "suspect"]), ["clean", "used", "suspect"]);
    rig.pass(SEC);
    // Each look-up forgets one.
    for key in ["known", "known"] {
        rig.succeed(key);
    }
    assert_eq!(rig.kept(&["clean", "used", "known", "suspect"]), ["used", "known"]);
    assert_eq!((rig.info().forgotten, rig.keyed.len()), (2, 2));
}

#[test]
fn new_keys_forget_more_idle_ones_than_they_add() {
    let rig = Rig::with(10_000);
    (0..4000).for_each(|number| rig.succeed(&format!("old-{number}")));
    rig.pass(IDLE);
    (0..3000).for_each(|number| rig.succeed(&format!("new-{number}")));
    assert_eq!(rig.keyed.len(), 3000);
}

#[test]
fn a_pin_that_ended_makes_way_in_time_though_there_is_room() {
    let rig = Rig::with(100);
    rig.keyed.get("pinned").disable(Pin::by("ops").lasting(COOLDOWN));
    for hour in 0..8 {
        rig.pass(IDLE);
        rig.succeed(&format!("hour-{hour}"));
    }
    assert!(!rig.has("pinned"));
}

#[test]
fn where_nothing_is_idle_only_room_decides() {
    let rig = Rig::built(|builder| builder.limits(limits(3).never_idle()));
    for key in ["a", "b", "c"] {
        rig.succeed(key);
    }
    rig.pass(IDLE * 1000);
    rig.succeed("c");
    assert_eq!(rig.kept(&["a", "b", "c"]), ["a", "b", "c"]);
    rig.succeed("d");
    assert_eq!(rig.kept(&["a", "b", "c", "d"]), ["b", "c", "d"]);
}

#[test]
fn a_forgotten_key_begins_anew() {
    let rig = Rig::with(1);
    rig.fail("a", 2);
    let first = rig.keyed.get("a").id();
    rig.succeed("b");
    let again = rig.keyed.get("a");
    assert_eq!((again.info().metrics.total, again.info().totals.failure), (0, 0));
    assert_ne!(again.id(), first);
    assert_eq!((first.name(), again.name()), (None, "payments[a]"));
}

#[test]
fn a_rejection_names_the_circuit_of_its_key_until_that_is_forgotten() {
    let rig = Rig::with(1);
    let rejecting = [State::Open, State::HalfOpen, State::ForcedOpen];
    for (_, bring) in BROUGHT.into_iter().filter(|(state, _)| rejecting.contains(state)) {
        let key = rig.keyed.get("a");
        bring(&rig, &key);
        let mut held = Vec::new();
        let rejected = loop {
            match key.try_acquire() {
                Ok(ticket) => held.push(ticket),
                Err(rejected) => break rejected.circuit,
            }
        };
        assert_eq!(rejected.name().as_deref(), Some("payments[a]"));
        drop((held, key));
        rig.keyed.reset_all();
        rig.succeed("b");
        assert_eq!(rejected.name(), None);
    }
}
