//! How often a call asks the allocator for memory, by what it comes to.

use std::cell::Cell;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::{Tracker, in_flight_over};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{CircuitBreaker, Keyed, Pin, Rules};
use tower::{Service, ServiceExt};

use super::breakers::{rules, slow_calls, time_window};
use super::heap::change_by;
use super::subject::{Blocking, Ready, Subject, now, opens};
use crate::cases;
use crate::contestants::{
    circuit_breaker, circuitbreaker_rs, execution_policy, failsafe, nobreak, recloser, sentinel,
    tower as layers,
};
use crate::protect::{Answer, Fault, Protect};

/// So many calls of a kind are counted, after as many others as a thread needs to get counts of its own.
const CALLS: u64 = 1000;
const WARM_UP: u64 = 100;

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Success,
    Failure,
    Rejection,
}

/// How often one call asks the allocator, as the mean of a thousand.
pub(super) type PerCall = f64;

/// One way to make a call of ours.
pub(super) struct Way {
    pub(super) kind: Kind,
    pub(super) what: &'static str,
    pub(super) per_call: PerCall,
}

/// What calls of a rival take.
pub(super) struct Theirs {
    pub(super) name: &'static str,
    pub(super) success: PerCall,
    pub(super) failure: Option<PerCall>,
    pub(super) rejection: Option<PerCall>,
}

/// Counts for `call`, which says whether it did what it should. Between two calls comes `between`, which is not counted.
fn per_call(mut between: impl FnMut(), mut call: impl FnMut() -> bool) -> PerCall {
    let mut allocations = 0;
    for index in 0..WARM_UP + CALLS {
        between();
        let (fine, change) = change_by(&mut call);
        assert!(fine, "call {index} did not come to what is counted");
        if index >= WARM_UP {
            allocations += change.allocations;
        }
    }
    allocations as f64 / CALLS as f64
}

fn breaker(rules: Rules) -> CircuitBreaker {
    CircuitBreaker::builder("payments").rules(rules).build().expect("a circuit can have this name")
}

fn plain() -> CircuitBreaker {
    breaker(Rules::default())
}

/// Every way to make a call of ours.
pub(super) fn ours() -> Vec<Way> {
    let mut ways = Vec::new();
    let mut add = |kind, counted: Vec<(&'static str, PerCall)>| {
        ways.extend(counted.into_iter().map(|(what, per_call)| Way { kind, what, per_call }));
    };
    add(Kind::Success, successes());
    add(Kind::Success, successes_by_rules());
    add(Kind::Failure, failures());
    add(Kind::Rejection, rejections());
    ways
}

fn good() -> Result<u64, Fault> {
    Ok(1)
}

fn succeeds(breaker: CircuitBreaker) -> PerCall {
    per_call(|| (), || breaker.call(good).is_ok())
}

fn successes() -> Vec<(&'static str, PerCall)> {
    let breaker = plain();
    let keyed = Keyed::<String>::builder("keys").build().expect("they can have this name");
    vec![
        ("`call`", succeeds(breaker.clone())),
        ("`call_async`", per_call(|| (), || now(breaker.call_async(|| ready(good()))).is_ok())),
        ("guard: `enter`", per_call(|| (), || breaker.enter().map(drop).is_ok())),
        (
            "guard: `enter`, `check`",
            per_call(|| (), || breaker.enter().is_ok_and(|mut guard| guard.check(good()).is_ok())),
        ),
        (
            "ticket: `try_acquire`, `success`",
            per_call(|| (), || breaker.try_acquire().map(|ticket| ticket.success()).is_ok()),
        ),
        ("keyed, a known key", per_call(|| (), || keyed.call("eu-1", good).is_ok())),
        ("Tower layer", served(layers::fuseboard())),
    ]
}

fn successes_by_rules() -> Vec<(&'static str, PerCall)> {
    let looking = Tracker::value("zero", |found: &u64| *found == 0);
    let hanging = in_flight_over(20, Duration::from_secs(5));
    vec![
        ("time window", succeeds(breaker(rules(time_window)))),
        ("slow calls", succeeds(breaker(rules(slow_calls)))),
        (
            "time window and slow calls",
            succeeds(breaker(rules(|rules| slow_calls(time_window(rules))))),
        ),
        ("rules that look at results", succeeds(breaker(rules(|rules| rules.tracker(looking))))),
        ("rules with `in_flight_over`", succeeds(breaker(rules(|rules| rules.tripper(hanging))))),
    ]
}

/// One call in twenty fails, so that the circuit stays closed. What the call itself allocates is not counted.
fn failures() -> Vec<(&'static str, PerCall)> {
    let breaker = plain();
    let between = || {
        for _ in 0..19 {
            breaker.call(good).expect("it stays closed");
        }
    };
    let text = Cell::new(None);
    let with_text = || {
        between();
        text.set(Some("connection refused".to_owned()));
    };
    let taken = || Err::<(), String>(text.take().unwrap_or_default());
    vec![
        ("error without text", per_call(between, || breaker.call(|| Err::<(), _>(Fault)).is_err())),
        (
            "error that is a `&str`",
            per_call(between, || breaker.call(|| Err::<(), _>("refused")).is_err()),
        ),
        ("error that is a `String`", per_call(with_text, || breaker.call(taken).is_err())),
        (
            "ticket: `failure` with a `&str`",
            per_call(between, || breaker.try_acquire().map(|ticket| ticket.failure("no")).is_ok()),
        ),
    ]
}

fn rejections() -> Vec<(&'static str, PerCall)> {
    let open = plain();
    trip(&open);
    let forced = plain();
    forced.force_open(Pin::by("bench"));
    let (half_open, probe) = half_open();
    let keyed = Keyed::<String>::builder("keys").build().expect("they can have this name");
    keyed.get("eu-1").force_open(Pin::by("bench"));
    let counted = vec![
        ("open: `call`", rejects(&open)),
        ("open: `call_async`", per_call(|| (), || now(open.call_async(|| ready(good()))).is_err())),
        ("open: `try_acquire`", per_call(|| (), || open.try_acquire().is_err())),
        ("forced open: `call`", rejects(&forced)),
        ("half-open, no slot left: `call`", rejects(&half_open)),
        ("keyed, a known key, forced open", per_call(|| (), || keyed.call("eu-1", good).is_err())),
    ];
    drop(probe);
    counted
}

fn trip(breaker: &CircuitBreaker) {
    while breaker.peek().is_none() {
        let _failed = breaker.call(|| Err::<(), _>("refused"));
    }
}

fn rejects(breaker: &CircuitBreaker) -> PerCall {
    per_call(|| (), || breaker.call(good).is_err())
}

/// A half-open circuit, and the ticket of the only call that it lets through.
fn half_open() -> (CircuitBreaker, fuseboard_core::Ticket) {
    let clock = Arc::new(ManualClock::new());
    let builder = CircuitBreaker::builder("payments").rules(rules(|rules| rules.slots(1)));
    let breaker = builder.clock(Arc::<ManualClock>::clone(&clock)).build();
    let breaker = breaker.expect("a circuit can have this name");
    trip(&breaker);
    clock.advance(Duration::from_secs(3600));
    let probe = breaker.try_acquire().expect("an open circuit tries again after an hour");
    (breaker, probe)
}

/// What calls of everyone else take.
pub(super) fn theirs() -> Vec<Theirs> {
    let names = Cell::new(0);
    let sentinel = || {
        names.set(names.get() + 1);
        sentinel::error_ratio(&format!("memory-calls-{}", names.get()))
    };
    vec![
        blocking(cases::RECLOSER, recloser::ring),
        blocking(cases::AVERAGE, failsafe::average),
        blocking(cases::CONSECUTIVE, failsafe::consecutive),
        blocking(cases::LIFETIME, circuitbreaker_rs::lifetime),
        Theirs {
            // Its limit is on all failures that it ever saw, so the one that can open is not the one that stays closed.
            rejection: rejected(&Blocking(circuit_breaker::cumulative())),
            ..blocking(cases::CUMULATIVE, circuit_breaker::patient)
        },
        blocking(cases::NOBREAK, nobreak::consecutive),
        blocking(cases::SENTINEL, sentinel),
        of(cases::POLICY, || Ready(execution_policy::failure_ratio())),
        Theirs {
            name: cases::TOWER_RESILIENCE,
            success: served(layers::resilience()),
            failure: None,
            rejection: None,
        },
    ]
}

fn blocking<P: Protect>(name: &'static str, make: impl Fn() -> P) -> Theirs {
    of(name, || Blocking(make()))
}

fn of<S: Subject>(name: &'static str, make: impl Fn() -> S) -> Theirs {
    let subject = make();
    let succeeds = || matches!(subject.call(false), Answer::Value(()));
    let fails = || matches!(subject.call(true), Answer::Failed);
    let between = || assert!((0..19).all(|_| succeeds()), "{name} does not stay closed");
    Theirs {
        name,
        success: per_call(|| (), succeeds),
        failure: Some(per_call(between, fails)),
        rejection: rejected(&make()),
    }
}

/// What a rejection takes; `None` if the breaker does not open while it is called.
fn rejected(subject: &impl Subject) -> Option<PerCall> {
    let rejects = || matches!(subject.call(false), Answer::Rejected);
    opens(subject).then(|| per_call(|| (), rejects))
}

/// A successful call through a Tower service that waits for nothing.
fn served<S>(mut service: S) -> PerCall
where
    S: Service<(), Response = ()>,
{
    let mut call = async || match service.ready().await {
        Ok(service) => service.call(()).await.is_ok(),
        Err(_) => false,
    };
    per_call(|| (), || now(call()))
}
