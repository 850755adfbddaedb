//! Light tickets: what a ticket means, they mean, and they never keep a breaker.
#![cfg(test)]
// Without the fast path there are none.
#![cfg(not(fuseboard_locked))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use fuseboard_core::policy::{failure_streak, min_requests};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    CircuitBreaker, Failure, Info, LightTicket, Outcome, Pin, Rules, RulesBuilder, State, Ticket,
    Totals,
};

/// More calls than it takes for a thread to count by itself, and for the tripper to be calm.
const CALLS: u64 = 64;
const SEC: Duration = Duration::from_secs(1);

fn rules() -> RulesBuilder {
    Rules::builder().tripper(failure_streak(2) & min_requests(10))
}

fn with(rules: RulesBuilder) -> (CircuitBreaker, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let builder = CircuitBreaker::builder("payments").rules(rules.build().unwrap());
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

fn busy(breaker: &CircuitBreaker) {
    (0..CALLS).for_each(|_| breaker.call(|| Ok::<_, ()>(())).unwrap());
}

/// A breaker that is at ease, and whose calls this thread counts by itself.
fn at_ease() -> CircuitBreaker {
    let (breaker, _) = with(rules());
    busy(&breaker);
    breaker
}

fn light(breaker: &CircuitBreaker) -> LightTicket {
    breaker.try_acquire_light().expect("the circuit is at ease")
}

/// Either kind of ticket.
enum Any {
    Held(Ticket),
    Light(LightTicket),
}

impl Any {
    fn of(breaker: &CircuitBreaker) -> [Any; 2] {
        [Any::Held(breaker.try_acquire().unwrap()), Any::Light(light(breaker))]
    }

    fn settle(self, outcome: Outcome) {
        match self {
            Any::Held(ticket) => ticket.settle(outcome),
            Any::Light(ticket) => ticket.settle(outcome),
        }
    }

    fn fail(self, failure: impl Into<Failure>) {
        match self {
            Any::Held(ticket) => ticket.failure(failure),
            Any::Light(ticket) => ticket.failure(failure),
        }
    }

    fn succeed(self) {
        match self {
            Any::Held(ticket) => ticket.success(),
            Any::Light(ticket) => ticket.success(),
        }
    }

    fn ignore(self) {
        match self {
            Any::Held(ticket) => ticket.ignored(),
            Any::Light(ticket) => ticket.ignored(),
        }
    }

    fn panic(self) {
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _ticket = self;
            panic!("meant");
        }));
        assert!(panicked.is_err());
    }
}

type End = fn(Any);

/// Every way for a ticket to end, with its word in the totals.
const ENDS: [(&str, End); 8] = [
    ("success", Any::succeed),
    ("success", |ticket| ticket.settle(Outcome::Success)),
    ("failure", |ticket| ticket.fail("refused")),
    ("failure", |ticket| ticket.settle(Outcome::Failure)),
    ("failure", Any::panic),
    ("ignored", Any::ignore),
    ("ignored", |ticket| ticket.settle(Outcome::Ignored)),
    ("cancelled", drop),
];

/// What was counted from `before` to `after`.
fn grown(before: &Totals, after: &Totals) -> Vec<(&'static str, u64)> {
    let pairs = before.by_outcome().into_iter().zip(after.by_outcome());
    let grown = pairs.map(|((word, was), (_, is))| (word, is - was));
    grown.filter(|(_, count)| *count > 0).collect()
}

/// All that `end` changes for either kind of ticket, after `meanwhile` happened.
fn compare(case: &str, meanwhile: fn(&CircuitBreaker), end: impl Fn(Any)) -> Info {
    let [held, light] = [0, 1].map(|kind| {
        let (breaker, _) = with(rules());
        busy(&breaker);
        let ticket = Any::of(&breaker).into_iter().nth(kind).unwrap();
        (breaker, ticket)
    });
    let ends = [held, light].map(|(breaker, ticket)| {
        meanwhile(&breaker);
        end(ticket);
        breaker.info()
    });
    let [held, light] = ends;
    assert_eq!(held.totals, light.totals, "{case}");
    assert_eq!(held.metrics, light.metrics, "{case}");
    assert_eq!(held.last_error, light.last_error, "{case}");
    assert_eq!((held.state, held.generation), (light.state, light.generation), "{case}");
    assert_eq!((held.in_flight, light.in_flight), (0, 0), "{case}");
    light
}

type Meanwhile = fn(&CircuitBreaker);

/// What can happen to the circuit while a call is on its way.
const MEANWHILE: [(&str, Meanwhile); 8] = [
    ("nothing", |_| ()),
    ("a success", |breaker| breaker.call(|| Ok::<_, ()>(())).unwrap()),
    ("a failure", |breaker| assert!(breaker.call(|| Err::<(), _>("503")).is_err())),
    ("a reset", CircuitBreaker::reset),
    ("forced open", |breaker| breaker.force_open(Pin::by("ops"))),
    ("half open", |breaker| {
        breaker.force_open(Pin::by("ops"));
        breaker.auto();
    }),
    ("disabled", |breaker| breaker.disable(Pin::by("ops"))),
    ("other rules", |breaker| {
        let slow = "failure_streak(2) | slow_rate(0.5, 1s)".parse().unwrap();
        breaker.reconfigure(Rules::builder().tripper(slow).build().unwrap());
    }),
];

#[test]
fn a_light_ticket_comes_to_the_same_as_a_ticket() {
    for (what, meanwhile) in MEANWHILE {
        for (index, (word, end)) in ENDS.into_iter().enumerate() {
            let case = format!("{what}, end {index}: {word}");
            compare(&case, meanwhile, end);
            compare(&format!("{case} elsewhere"), meanwhile, |ticket| {
                thread::scope(|scope| scope.spawn(|| end(ticket)).join().unwrap());
            });
        }
    }
}

#[test]
fn it_is_settled_once_and_as_one_thing() {
    for (word, end) in ENDS {
        let breaker = at_ease();
        let before = breaker.info();
        let ticket = light(&breaker);
        assert_eq!(breaker.info().in_flight, 1);
        end(Any::Light(ticket));
        let after = breaker.info();
        assert_eq!(grown(&before.totals, &after.totals), [(word, 1)]);
        assert_eq!(after.in_flight, 0, "{word}");
    }
}

#[test]
fn a_light_ticket_from_before_a_transition_is_stale() {
    for (index, (_, end)) in ENDS.into_iter().enumerate() {
        let breaker = at_ease();
        let ticket = light(&breaker);
        breaker.reset();
        let before = breaker.info();
        busy(&breaker);
        end(Any::Light(ticket));
        let after = breaker.info();
        assert_eq!(after.totals.stale, before.totals.stale + 1, "end {index}");
        assert_eq!(after.totals.success, before.totals.success + CALLS, "end {index}");
        assert_eq!(after.in_flight, 0, "end {index}");
    }
}

#[test]
fn light_tickets_that_fail_trip_the_circuit() {
    let breaker = at_ease();
    let tickets = [light(&breaker), light(&breaker)];
    tickets.into_iter().for_each(|ticket| ticket.failure("refused"));
    let info = breaker.info();
    assert_eq!(info.state, State::Open);
    assert_eq!(info.last_error.unwrap().message, "refused");
    assert!(breaker.try_acquire_light().is_none());
}

#[test]
fn there_are_none_where_the_circuit_has_to_be_asked() {
    let timed = || rules().cancelled_after(SEC);
    let slow = || rules().tripper("slow_rate(0.5, 1s) & min_requests(10)".parse().unwrap());
    let spans = || rules().window("time(60s)".parse().unwrap());
    let judges = || rules().tracker("5xx | errors".parse().unwrap());
    for rules in [timed(), slow(), spans(), judges()] {
        let (breaker, _) = with(rules);
        busy(&breaker);
        assert!(breaker.try_acquire_light().is_none(), "{:?}", breaker.rules());
    }
    let (young, _) = with(rules());
    assert!(young.try_acquire_light().is_none(), "it is seldom called");
    let pinned = at_ease();
    pinned.force_open(Pin::by("ops"));
    assert!(pinned.try_acquire_light().is_none());
    let elsewhere = at_ease();
    let given = thread::scope(|scope| {
        scope.spawn(|| elsewhere.try_acquire_light().is_some()).join().unwrap()
    });
    assert!(!given, "another thread does not count by itself yet");
}

#[test]
fn a_refused_light_ticket_counts_nothing() {
    let (breaker, _) = with(rules());
    assert!(breaker.try_acquire_light().is_none());
    let info = breaker.info();
    assert_eq!((info.totals, info.in_flight), (Totals::default(), 0));
}

#[test]
fn a_thread_that_counts_by_itself_settles_what_another_admitted() {
    let (breaker, there, done) = (at_ease(), Barrier::new(2), Barrier::new(2));
    let before = breaker.info().totals;
    thread::scope(|scope| {
        let (sender, tickets) = std::sync::mpsc::channel::<LightTicket>();
        let (breaker, there, done) = (&breaker, &there, &done);
        scope.spawn(move || {
            busy(breaker);
            there.wait();
            tickets.into_iter().for_each(LightTicket::success);
            done.wait();
        });
        there.wait();
        (0..CALLS).for_each(|_| sender.send(light(breaker)).unwrap());
        drop(sender);
        done.wait();
    });
    let info = breaker.info();
    assert_eq!(grown(&before, &info.totals), [("success", 2 * CALLS)]);
    assert_eq!(info.in_flight, 0);
}

#[test]
fn a_success_is_refused_where_the_circuit_has_to_be_asked_and_the_ticket_comes_back() {
    let breaker = at_ease();
    assert!(light(&breaker).try_success().is_ok());
    let late = light(&breaker);
    breaker.reset();
    let Err(late) = late.try_success() else { panic!("it is late") };
    assert_eq!(breaker.info().in_flight, 1);
    assert_eq!(late.breaker().unwrap().id(), breaker.id());
    late.success();
    assert_eq!((breaker.info().in_flight, breaker.info().totals.stale), (0, 1));
}

#[test]
fn a_light_ticket_may_outlive_its_breaker_and_then_counts_nowhere() {
    for (_, end) in ENDS {
        let breaker = at_ease();
        let [here, there] = [light(&breaker), light(&breaker)];
        let id = breaker.id();
        drop(breaker);
        assert_eq!(id.name(), None, "a light ticket does not keep it");
        assert!(here.breaker().is_none());
        end(Any::Light(here));
        thread::spawn(move || end(Any::Light(there))).join().unwrap();
    }
}

#[test]
fn it_is_settled_after_the_thread_that_admitted_it_has_ended() {
    for (word, end) in ENDS {
        let breaker = at_ease();
        let before = breaker.info().totals;
        let ticket = thread::scope(|scope| {
            let admit = || {
                busy(&breaker);
                light(&breaker)
            };
            scope.spawn(admit).join().unwrap()
        });
        end(Any::Light(ticket));
        let info = breaker.info();
        let all = grown(&before, &info.totals).iter().map(|(_, count)| count).sum::<u64>();
        assert!(grown(&before, &info.totals).iter().any(|(counted, _)| *counted == word));
        assert_eq!((all, info.in_flight), (CALLS + 1, 0), "{word}");
    }
}

#[test]
fn a_thread_that_unwinds_gets_a_ticket_that_knows_it() {
    struct AsksOnDrop<'a>(&'a CircuitBreaker);
    impl Drop for AsksOnDrop<'_> {
        fn drop(&mut self) {
            assert!(self.0.try_acquire_light().is_none());
        }
    }
    let breaker = at_ease();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _asks = AsksOnDrop(&breaker);
        panic!("meant: not in a call of this circuit");
    }));
    assert!(panicked.is_err());
    assert_eq!(breaker.info().in_flight, 0);
}
