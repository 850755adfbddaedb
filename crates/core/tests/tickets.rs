//! Tickets: settled once or cancelled, whatever becomes of the circuit meanwhile.
#![cfg(test)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::{Recovery, Retry, Tripper, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    CircuitBreaker, Failure, LastError, Outcome, Pin, Rules, RulesBuilder, State, Ticket, Totals,
};

const MILLI: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(5);

fn rules() -> RulesBuilder {
    let retry = Retry::cooldown(Duration::from_secs(10));
    Rules::builder().tripper(failure_streak(1)).retry(retry).recovery(Recovery::successes(1))
}

fn with(rules: RulesBuilder) -> (CircuitBreaker, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let builder = CircuitBreaker::builder("payments").rules(rules.build().unwrap());
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

fn half_open(rules: RulesBuilder) -> (CircuitBreaker, Arc<ManualClock>) {
    let (breaker, clock) = with(rules);
    breaker.force_open(Pin::by("ops"));
    breaker.auto();
    (breaker, clock)
}

fn panics_with(ticket: Ticket) {
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _ticket = ticket;
        panic!("meant");
    }));
    assert!(panicked.is_err());
}

/// A way for a ticket to end.
type End = fn(Ticket);

/// Every way for a ticket to end, with its word in the totals.
const ENDS: [(&str, End); 8] = [
    ("success", Ticket::success),
    ("success", |ticket| ticket.settle(Outcome::Success)),
    ("failure", |ticket| ticket.failure("refused")),
    ("failure", |ticket| ticket.settle(Outcome::Failure)),
    ("failure", panics_with),
    ("ignored", Ticket::ignored),
    ("ignored", |ticket| ticket.settle(Outcome::Ignored)),
    ("cancelled", drop),
];

/// The place of the panic among the ends.
const PANICKED: usize = 4;

/// What the one call of a breaker was counted as.
fn counted(totals: &Totals) -> &'static str {
    let grown: Vec<_> = totals.by_outcome().into_iter().filter(|(_, count)| *count > 0).collect();
    match grown[..] {
        [(word, 1)] => word,
        _ => panic!("not one call, or not as one thing: {grown:?}"),
    }
}

/// Makes a call while it is dropped, and lets it come to `end`.
struct CallsOnDrop(CircuitBreaker, End);

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        (self.1)(self.0.try_acquire().unwrap());
    }
}

#[test]
fn a_call_that_is_made_while_something_older_unwinds_is_what_it_comes_to() {
    for (index, (word, end)) in ENDS.into_iter().enumerate() {
        if index == PANICKED {
            continue;
        }
        for (breaker, _) in [with(rules()), half_open(rules())] {
            let (from, cleans_up) = (breaker.state(), CallsOnDrop(breaker.clone(), end));
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _cleans_up = cleans_up;
                panic!("meant: not in a call of this circuit");
            }));
            assert!(panicked.is_err());
            let info = breaker.info();
            assert_eq!(counted(&info.totals), word, "end {index} from {from}");
            assert_eq!(info.state == State::Open, word == "failure", "end {index} from {from}");
        }
    }
}

#[test]
fn a_panic_is_a_failure_after_another_one_is_over() {
    let (breaker, _) = with(rules());
    let older = catch_unwind(|| panic!("meant: over before the call"));
    assert!(older.is_err());
    panics_with(breaker.try_acquire().unwrap());
    assert_eq!(counted(&breaker.info().totals), "failure");
}

#[test]
fn a_ticket_is_settled_once_and_as_one_thing() {
    for (index, (word, end)) in ENDS.into_iter().enumerate() {
        for (breaker, _) in [with(rules()), half_open(rules())] {
            let from = breaker.state();
            let ticket = breaker.try_acquire().unwrap();
            assert_eq!(breaker.info().in_flight, 1);
            end(ticket);
            let info = breaker.info();
            let counts = info.totals.by_outcome();
            let expected = counts.map(|(other, _)| (other, u64::from(other == word)));
            assert_eq!(counts, expected, "end {index} from {from}");
            let state = match word {
                "success" => State::Closed,
                "failure" => State::Open,
                _ => from,
            };
            assert_eq!((info.state, info.in_flight), (state, 0), "end {index} from {from}");
        }
    }
}

#[test]
fn a_ticket_that_outlives_a_reset_is_stale_however_it_ends() {
    for (index, (_, end)) in ENDS.into_iter().enumerate() {
        for (breaker, _) in [with(rules()), half_open(rules())] {
            let ticket = breaker.try_acquire().unwrap();
            breaker.reset();
            let reset = breaker.info();
            end(ticket);
            let info = breaker.info();
            assert_eq!(info.totals, Totals { stale: 1, ..Totals::default() }, "end {index}");
            assert_eq!((info.state, info.in_flight, info.last_error), (State::Closed, 0, None));
            let after = (info.generation, info.metrics);
            assert_eq!(after, (reset.generation, reset.metrics), "end {index}: nothing changed");
        }
    }
}

#[test]
fn a_ticket_may_outlive_every_handle_of_its_breaker() {
    let (breaker, clock) = with(rules().cancelled_after(LIMIT));
    let (kept, dropped) = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
    drop(breaker);
    clock.advance(LIMIT + MILLI);
    assert_eq!(kept.elapsed(), Some(LIMIT + MILLI));
    drop(dropped);
    kept.success();
}

#[test]
fn a_ticket_may_be_settled_by_another_thread() {
    let (breaker, _) = with(rules());
    let ticket = breaker.try_acquire().unwrap();
    std::thread::spawn(move || ticket.failure("refused")).join().unwrap();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn only_a_ticket_of_a_half_open_circuit_is_a_probe() {
    type Make = fn() -> (CircuitBreaker, Arc<ManualClock>);
    let table: [(Make, bool); 5] = [
        (|| with(rules()), false),
        (|| half_open(rules()), true),
        (|| pinned(CircuitBreaker::force_closed), false),
        (|| pinned(CircuitBreaker::metrics_only), false),
        (|| pinned(CircuitBreaker::disable), false),
    ];
    for (make, is_probe) in table {
        let (breaker, _) = make();
        let ticket = breaker.try_acquire().unwrap();
        assert_eq!(ticket.is_probe(), is_probe, "{}", breaker.state());
        breaker.reset();
        assert_eq!(ticket.is_probe(), is_probe, "what it was, it stays");
    }
}

fn pinned(pin: fn(&CircuitBreaker, Pin)) -> (CircuitBreaker, Arc<ManualClock>) {
    let (breaker, clock) = with(rules());
    pin(&breaker, Pin::by("ops"));
    (breaker, clock)
}

#[test]
fn a_ticket_knows_how_long_it_is_out_where_the_rules_time_calls() {
    let trip = |text: &str| text.parse::<Tripper>().unwrap();
    let table = [
        (rules(), None),
        (rules().tripper(trip("failures(3) | failure_rate(0.5)")), None),
        (rules().tripper(trip("slow_rate(0.5, 1s)")), Some(LIMIT)),
        (rules().tripper(trip("avg_latency(1s)")), Some(LIMIT)),
        (rules().tripper(trip("in_flight_over(2, 1s)")), Some(LIMIT)),
        (rules().cancelled_after(LIMIT), Some(LIMIT)),
    ];
    for (rules, elapsed) in table {
        let (breaker, clock) = with(rules);
        clock.advance(Duration::from_secs(3));
        let ticket = breaker.try_acquire().unwrap();
        clock.advance(LIMIT);
        assert_eq!(ticket.elapsed(), elapsed, "{}", breaker.rules().tripper());
    }
}

#[test]
fn cancelled_after_makes_late_cancellations_failures_and_touches_nothing_else() {
    let (half_a_minute, later) = (Duration::from_secs(30), LIMIT + MILLI);
    let table: [(Option<Duration>, Duration, End, &str); 9] = [
        (None, half_a_minute, drop, "cancelled"),
        (Some(LIMIT), Duration::ZERO, drop, "cancelled"),
        (Some(LIMIT), LIMIT - MILLI, drop, "cancelled"),
        (Some(LIMIT), later, drop, "failure"),
        (Some(MILLI), half_a_minute, drop, "failure"),
        (Some(LIMIT), later, Ticket::success, "success"),
        (Some(LIMIT), later, Ticket::ignored, "ignored"),
        (Some(LIMIT), Duration::ZERO, panics_with, "failure"),
        (Some(LIMIT), later, panics_with, "failure"),
    ];
    for (index, (limit, held, end, word)) in table.into_iter().enumerate() {
        let rules = || limit.map_or_else(rules, |limit| rules().cancelled_after(limit));
        for (breaker, clock) in [with(rules()), half_open(rules())] {
            let case = format!("row {index}, {}", breaker.state());
            let ticket = breaker.try_acquire().unwrap();
            clock.advance(held);
            end(ticket);
            let counts = breaker.info().totals.by_outcome();
            let expected = counts.map(|(other, _)| (other, u64::from(other == word)));
            assert_eq!(counts, expected, "{case}");
            assert_eq!(breaker.state() == State::Open, word == "failure", "{case}");
        }
    }
}

#[test]
fn a_failure_leaves_its_words_and_time() {
    let clock_at = Duration::from_secs(7);
    let table: [(&str, End, Option<&str>); 7] = [
        ("&str", |ticket| ticket.failure("refused"), Some("refused")),
        ("String", |ticket| ticket.failure(String::from("refused")), Some("refused")),
        ("Failure", |ticket| ticket.failure(Failure::new("503")), Some("503")),
        ("no words", |ticket| ticket.failure(Failure::default()), None),
        ("an outcome", |ticket| ticket.settle(Outcome::Failure), None),
        ("panic", panics_with, Some("the call panicked")),
        ("success", Ticket::success, None),
    ];
    for (name, end, message) in table {
        let (breaker, clock) = with(rules());
        let ticket = breaker.try_acquire().unwrap();
        clock.advance(clock_at);
        end(ticket);
        let at = fuseboard_core::time::WallTime::default() + clock_at;
        let expected = message.map(|message| LastError { message: message.into(), at });
        assert_eq!(breaker.info().last_error, expected, "{name}");
    }
}

#[test]
fn a_cancellation_after_a_hang_says_so() {
    let (breaker, clock) = with(rules().cancelled_after(LIMIT));
    let ticket = breaker.try_acquire().unwrap();
    clock.advance(LIMIT + MILLI);
    drop(ticket);
    let message = breaker.info().last_error.unwrap().message;
    assert!(message.contains("cancelled"), "{message}");
}

#[test]
fn a_ticket_counts_with_the_duration_that_its_holder_says() {
    let rules = Rules::builder().tripper("slow_rate(1, 1s)".parse().unwrap()).build().unwrap();
    let table = [(None, State::Open), (Some(MILLI), State::Closed), (Some(2 * SEC), State::Open)];
    for (took, state) in table {
        let clock = Arc::new(ManualClock::new());
        let builder = CircuitBreaker::builder("payments").rules(rules.clone());
        let breaker = builder.clock(clock.clone()).build().unwrap();
        let ticket = breaker.try_acquire().unwrap();
        clock.advance(SEC);
        match took {
            Some(took) => ticket.took(took).success(),
            None => ticket.success(),
        }
        assert_eq!(breaker.state(), state, "{took:?}");
    }
}
