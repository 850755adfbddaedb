//! Keyed circuits on a board: its clock, dice and listeners, one name for one thing, one line for all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::time::ManualClock;
use fuseboard_core::{Board, BuildError, Keyed, KeyedLimits, Pin, Rules, State, Transition};

use crate::rig::{COOLDOWN, limits, rules};

fn built() -> Rules {
    rules().build().unwrap()
}

fn keyed(board: &Board, name: &str) -> Result<Keyed<String>, BuildError> {
    board.keyed(name, built(), limits(10))
}

fn conflict<T>(result: Result<T, BuildError>) -> String {
    match result.map(|_| ()) {
        Err(conflict @ BuildError::Conflict { .. }) => conflict.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_board_gives_keyed_circuits_its_clock_and_its_listeners() {
    let (clock, log) = (Arc::new(ManualClock::new()), Arc::new(Mutex::new(Vec::new())));
    let writing = Arc::clone(&log);
    let listener = move |circuit: &str, transition: &Transition| {
        writing.lock().unwrap().push(format!("{circuit} {}", transition.to));
    };
    let board = Board::builder().clock(clock.clone()).listener(listener).build();
    let payments = keyed(&board, "payments").unwrap();
    for _ in 0..3 {
        let _ = payments.call("eu-1", || Err::<(), _>("down"));
    }
    clock.advance(COOLDOWN);
    assert!(payments.try_acquire("eu-1").unwrap().is_probe());
    assert_eq!(*log.lock().unwrap(), ["payments[eu-1] open", "payments[eu-1] half_open"]);
}

#[test]
fn the_same_name_rules_and_limits_are_the_same_circuits() {
    let board = Board::new();
    let (first, again) = (keyed(&board, "payments").unwrap(), keyed(&board, "payments").unwrap());
    assert_eq!(first.get("eu-1").id(), again.get("eu-1").id());
    let found = board.get("payments[eu-1]").unwrap();
    assert_eq!(found.id(), first.get("eu-1").id());
    assert_eq!(board.get("payments[*]").unwrap().id(), first.overflow().id());
    assert!(board.get("payments").is_none() && board.get("payments[eu-2]").is_none());
    assert!(board.get("orders[eu-1]").is_none());
}

#[test]
fn reconfigured_circuits_are_found_by_their_present_rules_and_by_those_they_were_made_with() {
    let board = Board::new();
    let first = keyed(&board, "payments").unwrap();
    let with = |slots| rules().slots(slots).build().unwrap();
    first.reconfigure(with(7));
    for found in [built(), with(7)] {
        let again: Keyed<String> = board.keyed("payments", found, limits(10)).unwrap();
        assert_eq!(again.get("eu-1").id(), first.get("eu-1").id());
    }
    let other = conflict(board.keyed::<String>("payments", with(9), limits(10)));
    assert!(other.contains("slots is 7, not 9"), "{other}");
}

#[test]
fn other_keys_rules_or_limits_under_the_name_are_refused() {
    let board = Board::new();
    keyed(&board, "payments").unwrap();
    let other_rules = rules().slots(1).build().unwrap();
    let rows = [
        (conflict(board.keyed::<String>("payments", other_rules, limits(10))), "slots is 3, not 1"),
        (
            conflict(board.keyed::<String>("payments", built(), limits(11))),
            "capacity is 10, not 11",
        ),
        (
            conflict(board.keyed::<String>("payments", built(), limits(10).never_idle())),
            "idle_after is 1h, not never",
        ),
        (
            conflict(board.keyed::<u32>("payments", built(), limits(10))),
            "key is alloc::string::String, not u32",
        ),
    ];
    for (message, differing) in rows {
        assert!(message.contains("`payments`") && message.contains(differing), "{message}");
    }
}

#[test]
fn a_single_circuit_and_keyed_ones_never_share_a_name() {
    let board = Board::new();
    keyed(&board, "payments").unwrap();
    board.get_or_create("orders", built()).unwrap();
    board.get_or_create("stock[1]", built()).unwrap();
    let rows = [
        (conflict(board.get_or_create("payments", built())), "parent of keyed circuits"),
        (conflict(board.get_or_create("payments[eu-1]", built())), "keyed circuit of `payments`"),
        (conflict(keyed(&board, "orders")), "`orders` exists"),
        (conflict(keyed(&board, "stock")), "`stock[1]` exists"),
    ];
    for (message, part) in rows {
        assert!(message.contains(part), "{message}");
    }
    for name in ["payments[eu", "payments-2", "payments]", "[eu-1]"] {
        board.get_or_create(name, built()).unwrap();
    }
    for name in ["stoc", "stock[", "order"] {
        keyed(&board, name).unwrap();
    }
    assert!(matches!(keyed(&board, "pay\nments"), Err(BuildError::Name(_))));
    let none = KeyedLimits::default().capacity(0);
    let refused = board.keyed::<String>("none", built(), none);
    assert!(matches!(refused, Err(BuildError::Policy(_))));
}

#[test]
fn keyed_circuits_add_up_under_their_parents_name() {
    let board = Board::new();
    let payments = keyed(&board, "payments").unwrap();
    let ports = board.keyed::<u16>("ports", built(), KeyedLimits::default()).unwrap();
    board.get_or_create("orders", built()).unwrap();
    for key in ["eu-1", "eu-2"] {
        payments.call(key, || Ok::<_, ()>(())).unwrap();
    }
    ports.get(&8080).force_open(Pin::by("ops").lasting(Duration::from_secs(60)));
    let all = board.all_keyed();
    let names: Vec<&str> = all.iter().map(|info| &*info.name).collect();
    assert_eq!(names, ["payments", "ports"]);
    assert_eq!((all[0].keys, all[0].totals.success, all[1].keys), (2, 2, 1));
    assert_eq!(all[1].states, [(State::ForcedOpen, 1)].into());
    assert_eq!(board.all().len(), 1, "labels stay few");
    board.reset_all();
    assert_eq!(board.all_keyed()[1].states, [(State::Closed, 1)].into());
}
