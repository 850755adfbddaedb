//! The board: breakers by name, one set of rules for each name, and names that can be looked up.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::policy::{Recovery, Retry, Tracker, Window, failure_streak};
use fuseboard_core::random::Random;
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    Board, BuildError, CircuitBreaker, Pin, Rules, RulesBuilder, State, Transition,
};

fn rules() -> RulesBuilder {
    let retry = Retry::cooldown(Duration::from_secs(10)).with_jitter(0.5);
    Rules::builder().tripper(failure_streak(1)).retry(retry)
}

fn built() -> Rules {
    rules().build().unwrap()
}

fn trip(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().failure("refused");
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_breaker_is_found_once_it_was_made() {
    let board = Board::new();
    assert!(board.get("payments").is_none());
    let made = board.get_or_create("payments", built()).unwrap();
    let (found, again) = (board.get("payments").unwrap(), board.clone().get("payments").unwrap());
    let same = board.get_or_create("payments", built()).unwrap();
    trip(&made);
    for breaker in [&found, &again, &same] {
        assert_eq!((breaker.id(), breaker.state()), (made.id(), State::Open));
    }
    assert!(board.get("Payments").is_none() && board.get("payments@eu").is_none());
    assert_eq!((made.name(), board.all().len()), ("payments", 1));
}

#[test]
fn other_rules_for_the_same_name_are_a_conflict_that_names_what_differs() {
    let seconds = Duration::from_secs;
    let table: [(RulesBuilder, &[&str]); 11] = [
        (rules().window(Window::count(7)), &["window", "count(100)", "count(7)"]),
        (rules().tripper(failure_streak(9)), &["trip", "failure_streak(1)", "failure_streak(9)"]),
        (rules().retry(Retry::Never), &["retry", "cooldown(10s, jitter=0.5)", "never"]),
        (rules().permit("random(0.5)".parse().unwrap()), &["permit", "all", "random(0.5)"]),
        (rules().slots(9), &["slots", "3", "9"]),
        (rules().recovery(Recovery::Tripper), &["recovery", "successes(3)", "tripper"]),
        (rules().probe_timeout(seconds(7)), &["probe_timeout", "7s"]),
        (rules().cancelled_after(seconds(7)), &["cancelled_after", "never", "7s"]),
        (rules().tracker(Tracker::Nothing), &["failure", "errors", "nothing"]),
        (rules().ignoring(Tracker::status(404)), &["ignore", "nothing", "404"]),
        (rules().slots(9).retry(Retry::Always), &["slots", "9", "retry", "always"]),
    ];
    let board = Board::new();
    let first = board.get_or_create("payments", built()).unwrap();
    for (other, words) in table {
        let conflict = board.get_or_create("payments", other.build().unwrap()).unwrap_err();
        assert!(matches!(&conflict, BuildError::Conflict { name, .. } if name == "payments"));
        let message = conflict.to_string();
        for word in words.iter().chain(&["`payments`"]) {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
        let settings = built().settings().map(|(setting, _)| setting);
        let named = settings.iter().filter(|setting| message.contains(&format!("{setting} is")));
        assert_eq!(
            named.count(),
            words.len().div_ceil(3),
            "what does not differ is named: {message}"
        );
    }
    assert_eq!(board.get("payments").unwrap().id(), first.id(), "the first stays");
}

#[test]
fn a_reconfigured_breaker_is_found_by_its_present_rules_and_by_those_it_was_made_with() {
    let board = Board::new();
    let first = board.get_or_create("payments", built()).unwrap();
    let with = |slots| rules().slots(slots).build().unwrap();
    first.reconfigure(with(7));
    for found in [built(), with(7)] {
        assert_eq!(board.get_or_create("payments", found).unwrap().id(), first.id());
    }
    assert_eq!(first.rules().slots(), 7, "to be found changes nothing");
    let conflict = board.get_or_create("payments", with(9)).unwrap_err().to_string();
    assert!(conflict.contains("slots is 7, not 9"), "{conflict}");
    first.reconfigure(with(8));
    assert!(board.get_or_create("payments", with(7)).is_err(), "those between are forgotten");
}

#[test]
fn custom_policies_that_print_the_same_are_not_the_same() {
    let custom = || {
        let tracker = Tracker::error("timeouts", |error: &String| error.contains("timeout"));
        rules().tracker(tracker).build().unwrap()
    };
    let (board, first) = (Board::new(), custom());
    board.get_or_create("payments", first.clone()).unwrap();
    assert!(board.get_or_create("payments", first).is_ok(), "a clone is the same");
    let conflict = board.get_or_create("payments", custom()).unwrap_err();
    assert!(conflict.to_string().contains("custom policy"), "{conflict}");
}

#[test]
fn every_circuit_is_listed_with_its_state_and_reset_with_the_others() {
    let board = Board::new();
    let [payments, orders, stock, mail] = ["payments", "orders", "stock", "mail"]
        .map(|name| board.get_or_create(name, built()).unwrap());
    trip(&payments);
    orders.force_open(Pin::by("ops"));
    stock.disable(Pin::by("ops"));
    let listed = |states: [State; 4]| -> BTreeMap<String, State> {
        let names = ["payments", "orders", "stock", "mail"].map(str::to_owned);
        names.into_iter().zip(states).collect()
    };
    let states = [State::Open, State::ForcedOpen, State::Disabled, State::Closed];
    assert_eq!(board.all_states(), listed(states));
    assert!(
        board.all().iter().map(CircuitBreaker::name).eq(["mail", "orders", "payments", "stock"])
    );
    board.reset_all();
    assert_eq!(board.all_states(), listed([State::Closed; 4]));
    assert_eq!(mail.info().metrics.total, 0);
}

#[test]
fn a_circuit_that_was_removed_begins_anew_and_its_holders_keep_the_old_one() {
    let board = Board::new();
    let old = board.get_or_create("payments", built()).unwrap();
    trip(&old);
    assert_eq!(board.remove("payments").map(|removed| removed.id()), Some(old.id()));
    assert!(board.remove("payments").is_none() && board.all().is_empty());
    let other_rules = rules().slots(9).build().unwrap();
    let new = board.get_or_create("payments", other_rules).unwrap();
    assert_ne!(new.id(), old.id());
    assert_eq!((old.state(), new.state()), (State::Open, State::Closed));
}

#[test]
fn names_that_no_circuit_can_have_are_refused_with_what_would_be_right() {
    let (longest, too_long) = ("ä".repeat(200), "ä".repeat(201));
    let possible = ["p", "payments", "payments@eu-1", "GET /v1/orders", "zahlung/ä", &longest];
    let impossible = [
        "",
        "@",
        "@eu",
        "payments@",
        "payments@eu@1",
        "payments@@eu",
        "pay\nments",
        "pay\0",
        "\u{7f}",
        &too_long,
    ];
    let board = Board::new();
    for name in possible {
        assert_eq!(board.get_or_create(name, built()).unwrap().name(), name);
        assert!(CircuitBreaker::builder(name).build().is_ok(), "{name:?}");
    }
    for name in impossible {
        let on_board = board.get_or_create(name, built()).unwrap_err();
        let alone = CircuitBreaker::builder(name).build().unwrap_err();
        assert_eq!(on_board, alone, "{name:?}");
        assert!(matches!(alone, BuildError::Name(_)), "{name:?}: {alone}");
        let message = alone.to_string();
        for part in [&format!("name: `{name}`"), "1 to 200 characters", "payments@eu-1"] {
            assert!(message.contains(part), "{name:?}: {message}");
        }
    }
    assert_eq!(board.all().len(), possible.len());
}

#[test]
fn a_rejection_names_its_circuit_as_long_as_that_lives() {
    let board = Board::new();
    let names = ["payments", "orders"];
    let rejections = names.map(|name| {
        let breaker = board.get_or_create(name, built()).unwrap();
        trip(&breaker);
        breaker.try_acquire().unwrap_err()
    });
    for (rejected, name) in rejections.iter().zip(names) {
        assert_eq!(rejected.circuit.name().as_deref(), Some(name));
        assert!(rejected.to_string().starts_with(&format!("circuit `{name}` is open")));
    }
    let ticket = board.get_or_create("mail", built()).unwrap().try_acquire().unwrap();
    let mail = board.get("mail").unwrap().id();
    drop(board);
    for rejected in rejections {
        assert_eq!(rejected.circuit.name(), None);
        assert!(rejected.to_string().contains("gone"), "{rejected}");
    }
    assert_eq!(mail.name().as_deref(), Some("mail"), "a ticket keeps its circuit");
    drop(ticket);
    assert_eq!(mail.name(), None);
}

#[test]
fn two_boards_with_one_name_have_two_circuits() {
    let [one, other] = [Board::new(), Board::new()].map(|board| {
        let breaker = board.get_or_create("payments", built()).unwrap();
        (board, breaker)
    });
    assert_ne!(one.1.id(), other.1.id());
    trip(&one.1);
    assert_eq!(other.0.all_states()["payments"], State::Closed);
    let (id, name) = (one.1.id(), one.1.id().name());
    drop(one);
    assert_eq!((name.as_deref(), id.name()), (Some("payments"), None));
    assert_eq!(other.1.id().name().as_deref(), Some("payments"));
}

#[derive(Debug)]
struct Lowest;

impl Random for Lowest {
    fn draw(&self) -> f64 {
        0.0
    }
}

#[test]
fn a_board_gives_its_breakers_its_clock_its_dice_and_its_listeners() {
    let (clock, log) = (Arc::new(ManualClock::new()), Arc::new(Mutex::new(Vec::new())));
    let writing = Arc::clone(&log);
    let listener = move |circuit: &str, transition: &Transition| {
        writing.lock().unwrap().push(format!("{circuit} {}", transition.to));
    };
    let builder = Board::builder().clock(clock.clone()).random(Arc::new(Lowest));
    let board = builder.listener(listener).build();
    for name in ["payments", "orders"] {
        let breaker = board.get_or_create(name, built()).unwrap();
        trip(&breaker);
        let wait = Duration::from_secs(5);
        assert_eq!(breaker.info().retry_after, Some(wait), "{name}: the lowest draw halves it");
        clock.advance(wait);
        assert!(breaker.try_acquire().unwrap().is_probe(), "{name}");
    }
    let expected = ["payments open", "payments half_open", "orders open", "orders half_open"];
    assert_eq!(*log.lock().unwrap(), expected);
    let shown = format!("{board:?}");
    assert!(shown.contains("payments") && shown.contains("HalfOpen"), "{shown}");
}
