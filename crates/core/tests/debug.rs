//! What a program prints for debugging: which circuit it is, and nothing that would fill a log.

use fuseboard_core::policy::Tracker;
use fuseboard_core::{Board, CircuitBreaker, Keyed};

#[test]
fn what_is_printed_for_debugging_names_the_circuit() {
    let builder = CircuitBreaker::builder("payments");
    let keyed_builder = Keyed::<String>::builder("payments");
    let keyed = Keyed::<String>::builder("payments").build().unwrap();
    let breaker = CircuitBreaker::builder("payments").build().unwrap();
    let ticket = breaker.try_acquire().unwrap();
    let guard = breaker.enter().unwrap();
    for (kind, printed) in [
        ("CircuitBreakerBuilder", format!("{builder:?}")),
        ("KeyedBuilder", format!("{keyed_builder:?}")),
        ("Keyed", format!("{keyed:?}")),
        ("CircuitBreaker", format!("{breaker:?}")),
        ("Ticket", format!("{ticket:?}")),
        ("Guard", format!("{guard:?}")),
    ] {
        assert!(printed.starts_with(kind) && printed.contains("\"payments\""), "{printed}");
        assert!(printed.len() < 300, "{printed}");
    }
    assert_eq!(format!("{:?}", Board::builder()), "BoardBuilder { .. }");
}

#[test]
fn a_tracker_of_a_type_prints_its_name_and_the_type() {
    let error = Tracker::error("refused", |_: &std::io::Error| true);
    let value = Tracker::value("empty", |_: &String| true);
    for (tracker, shown, printed) in [
        (error, "custom(refused)", "ErrorTest(refused: std::io::error::Error)"),
        (value, "custom(empty)", "ValueTest(empty: alloc::string::String)"),
    ] {
        assert_eq!(tracker.to_string(), shown);
        assert!(format!("{tracker:?}").contains(printed), "{tracker:?}");
    }
}
