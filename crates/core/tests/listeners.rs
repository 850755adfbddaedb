//! Listeners: told of each transition once, in order, with no lock held, and unable to do harm.
#![cfg(test)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    Cause, CircuitBreaker, CircuitBreakerBuilder, Listener, Outcome, Pin, Rules, State, Ticket,
    Transition,
};

const THREADS: usize = 8;

type Log<T> = Arc<Mutex<Vec<T>>>;

fn builder(clock: &Arc<ManualClock>) -> CircuitBreakerBuilder {
    let retry = Retry::cooldown(Duration::from_secs(10));
    let rules = Rules::builder().tripper(failure_streak(1)).retry(retry).build().unwrap();
    CircuitBreaker::builder("payments").rules(rules).clock(clock.clone())
}

/// A listener that writes down what `pick` takes of each transition.
fn writes<T: Send + 'static>(log: &Log<T>, pick: fn(&Transition) -> T) -> impl Listener + use<T> {
    let log = Arc::clone(log);
    move |_: &str, transition: &Transition| log.lock().unwrap().push(pick(transition))
}

fn taken<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut log.lock().unwrap())
}

/// Runs `work` on several threads at once.
fn at_once(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(index);
            });
        }
    });
}

#[test]
fn listeners_are_told_in_the_order_in_which_they_were_added() {
    let log = Log::default();
    let adding = |builder: CircuitBreakerBuilder, name: &'static str| {
        let log: Log<String> = Arc::clone(&log);
        builder.listener(move |circuit: &str, transition: &Transition| {
            log.lock().unwrap().push(format!("{name}: {circuit} {}", transition.to));
        })
    };
    let builder = ["one", "two", "three"].into_iter().fold(builder(&Arc::default()), adding);
    let breaker = builder.build().unwrap();
    breaker.disable(Pin::by("ops"));
    breaker.auto();
    let told = ["one", "two", "three"];
    let first = told.map(|name| format!("{name}: payments disabled"));
    let second = told.map(|name| format!("{name}: payments closed"));
    assert_eq!(taken(&log), [first, second].concat());
}

#[test]
fn the_thread_that_made_the_transition_tells_it_before_it_goes_on() {
    let log: Log<thread::ThreadId> = Log::default();
    let breaker = builder(&Arc::default())
        .listener(writes(&log, |_| thread::current().id()))
        .build()
        .unwrap();
    let ticket = breaker.try_acquire().unwrap();
    let other = thread::spawn(move || {
        ticket.failure("refused");
        thread::current().id()
    });
    assert_eq!(other.join().unwrap(), taken(&log)[0]);
    breaker.reset();
    assert_eq!(taken(&log), [thread::current().id()]);
}

#[test]
fn exactly_one_event_tells_of_a_trip_however_many_threads_fail() {
    for _ in 0..50 {
        let log = Log::default();
        let listener = writes(&log, |transition| (transition.cause, transition.generation));
        let breaker = builder(&Arc::default()).listener(listener).build().unwrap();
        let tickets: Vec<Mutex<Option<Ticket>>> =
            (0..THREADS).map(|_| Mutex::new(breaker.try_acquire().ok())).collect();
        at_once(|index| tickets[index].lock().unwrap().take().unwrap().failure("refused"));
        assert_eq!(taken(&log), [(Cause::Tripped, 1)]);
        let totals = breaker.info().totals;
        assert_eq!((totals.failure, totals.stale), (1, THREADS as u64 - 1));
    }
}

#[test]
fn exactly_one_event_tells_of_a_retry_and_no_slot_is_given_twice() {
    for _ in 0..50 {
        let (log, clock) = (Log::default(), Arc::default());
        let breaker = builder(&clock).listener(writes(&log, |told| told.cause)).build().unwrap();
        breaker.try_acquire().unwrap().failure("refused");
        clock.advance(Duration::from_secs(10));
        let probes = Mutex::new(Vec::new());
        at_once(|_| probes.lock().unwrap().extend(breaker.try_acquire()));
        let slots = breaker.rules().slots() as usize;
        assert_eq!(probes.into_inner().unwrap().len(), slots);
        assert_eq!(taken(&log), [Cause::Tripped, Cause::RetryDue]);
    }
}

#[test]
fn many_threads_are_told_of_in_generation_order() {
    let log = Log::default();
    let listener = writes(&log, |told| (told.generation, told.from, told.to));
    let breaker = builder(&Arc::default()).listener(listener).build().unwrap();
    at_once(|index| {
        for _ in 0..200 {
            match index % 4 {
                0 => breaker.disable(Pin::by("ops")),
                1 => breaker.force_closed(Pin::by("ops")),
                2 => breaker.auto(),
                _ => drop(breaker.try_acquire().map(|ticket| ticket.settle(Outcome::Failure))),
            }
        }
    });
    let told = taken(&log);
    assert_eq!(told.len() as u64, breaker.info().generation, "each transition once");
    for (index, (generation, ..)) in told.iter().enumerate() {
        assert_eq!(*generation, index as u64 + 1);
    }
    let joints = told.windows(2).all(|pair| pair[0].2 == pair[1].1);
    assert!(joints, "each begins in the state in which the last one ended");
    assert_eq!((told[0].1, told.last().unwrap().2), (State::Closed, breaker.state()));
}

#[test]
fn a_panic_in_a_listener_is_contained_and_the_others_are_told() {
    let log = Log::default();
    let breaker = builder(&Arc::default())
        .listener(writes(&log, |told| told.to))
        .listener(|_: &str, _: &Transition| panic!("meant"))
        .listener(writes(&log, |told| told.to))
        .build()
        .unwrap();
    let call = breaker.call(|| Err::<(), _>("refused"));
    assert_eq!(call.unwrap_err().into_failed(), Some("refused"));
    breaker.reset();
    assert_eq!(taken(&log), [State::Open, State::Open, State::Closed, State::Closed]);
}

#[test]
fn a_panic_in_a_listener_is_contained_while_the_call_itself_panics() {
    let log = Log::default();
    let breaker = builder(&Arc::default())
        .listener(|_: &str, _: &Transition| panic!("meant in the listener"))
        .listener(writes(&log, |told| told.to))
        .build()
        .unwrap();
    let call = || -> Result<(), ()> { panic!("meant in the call") };
    let panic = catch_unwind(AssertUnwindSafe(|| breaker.call(call))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"meant in the call"));
    assert_eq!(taken(&log), [State::Open]);
}

/// Has a breaker to itself, once there is one.
type Handle = Arc<OnceLock<CircuitBreaker>>;

fn own(breaker: &Handle) -> &CircuitBreaker {
    breaker.get().expect("set before the first transition")
}

#[test]
fn no_lock_is_held_while_a_listener_is_told() {
    let (handle, log): (Handle, Log<_>) = Default::default();
    let (inside, writing) = (Arc::clone(&handle), Arc::clone(&log));
    let listener = move |_: &str, transition: &Transition| {
        // Another thread gets through, too: this is no matter of a lock that its owner may take twice.
        let other = own(&inside).clone();
        let seen = thread::spawn(move || (other.state(), other.info().generation)).join().unwrap();
        let admitted = own(&inside).try_acquire().map(Ticket::ignored).is_ok();
        writing.lock().unwrap().push((seen, (transition.to, transition.generation), admitted));
    };
    let breaker = builder(&Arc::default()).listener(listener).build().unwrap();
    handle.set(breaker.clone()).unwrap();
    breaker.try_acquire().unwrap().failure("refused");
    breaker.reset();
    let (open, closed) = ((State::Open, 1), (State::Closed, 2));
    assert_eq!(taken(&log), [(open, open, false), (closed, closed, true)]);
}

#[test]
fn a_listener_may_change_the_circuit_and_the_news_stays_in_order() {
    let (handle, log): (Handle, Log<_>) = Default::default();
    let inside = Arc::clone(&handle);
    let breaker = builder(&Arc::default())
        .listener(move |_: &str, transition: &Transition| match transition.to {
            State::Open => own(&inside).disable(Pin::by("a listener")),
            State::Disabled => own(&inside).reset(),
            _ => {}
        })
        .listener(writes(&log, |told| (told.generation, told.to)))
        .build()
        .unwrap();
    handle.set(breaker.clone()).unwrap();
    breaker.try_acquire().unwrap().failure("refused");
    let told = [(1, State::Open), (2, State::Disabled), (3, State::Closed)];
    assert_eq!((taken(&log), breaker.state()), (told.to_vec(), State::Closed));
}

#[derive(Default)]
struct Both(Mutex<Vec<String>>);

impl Listener for Both {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.0.lock().unwrap().push(format!("{circuit} is {}", transition.to));
    }

    fn on_would_trip(&self, circuit: &str, why: &str) {
        self.0.lock().unwrap().push(format!("{circuit} would trip: {why}"));
        assert!(!why.contains("streak(1)"), "meant: a panic here is contained as well");
    }
}

#[test]
fn what_would_have_tripped_is_told_in_its_place_between_transitions() {
    let (both, log) = (Arc::new(Both::default()), Log::default());
    let breaker = builder(&Arc::default())
        .listener(writes(&log, |told| told.to))
        .shared_listener(both.clone())
        .build()
        .unwrap();
    breaker.metrics_only(Pin::by("ops"));
    breaker.try_acquire().unwrap().failure("refused");
    breaker.auto();
    let told = both.0.lock().unwrap().clone();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        (told[0].as_str(), told[2].as_str()),
        ("payments is metrics_only", "payments is closed")
    );
    assert!(told[1].starts_with("payments would trip: failure_streak(1)"), "{}", told[1]);
    assert_eq!(taken(&log), [State::MetricsOnly, State::Closed], "a closure is not told of it");
}
