//! Listeners on a thread of their own.
#![cfg(test)]

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use fuseboard::{CircuitBreaker, Elsewhere, Listener, Pin, State, Transition};

const HOUR: Duration = Duration::from_secs(3600);

/// Opens and closes a circuit `times` times.
fn toggle(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        breaker.force_open(Pin::by("ops"));
        breaker.reset();
    }
}

fn breaker_with(listener: Elsewhere) -> CircuitBreaker {
    CircuitBreaker::builder("payments").listener(listener).build().unwrap()
}

#[test]
fn news_arrives_in_order_and_all_of_it_before_the_breaker_is_gone() {
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let listener = move |circuit: &str, transition: &Transition| {
        told.lock().unwrap().send((circuit.to_owned(), transition.generation)).unwrap();
    };
    let breaker = breaker_with(Elsewhere::new(listener, 1000).unwrap().stop_within(HOUR));
    toggle(&breaker, 100);
    drop(breaker);
    let expected: Vec<_> =
        (1..=200).map(|generation| ("payments".to_owned(), generation)).collect();
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_listener_that_hangs_delays_nobody_and_what_it_misses_is_counted() {
    let gate = Arc::new(Barrier::new(2));
    let listener = {
        let gate = Arc::clone(&gate);
        move |_: &str, transition: &Transition| {
            if transition.generation == 1 {
                gate.wait();
            }
        }
    };
    let elsewhere = Arc::new(Elsewhere::new(listener, 4).unwrap());
    let breaker = CircuitBreaker::builder("payments")
        .shared_listener(Arc::clone(&elsewhere) as Arc<dyn Listener>)
        .build()
        .unwrap();
    toggle(&breaker, 10);
    assert_eq!(breaker.state(), State::Closed, "the calls went on");
    assert!((15..=16).contains(&elsewhere.dropped()), "of 20, 4 wait and 1 may be in hand");
    gate.wait();
}

#[test]
fn a_panic_silences_only_its_own_news() {
    let (told, heard): (_, Receiver<u64>) = channel();
    let told = Mutex::new(told);
    let listener = move |_: &str, transition: &Transition| {
        assert!(transition.generation != 2, "this one is bad");
        told.lock().map(|told| told.send(transition.generation)).unwrap().unwrap();
    };
    let breaker = breaker_with(Elsewhere::new(listener, 100).unwrap().stop_within(HOUR));
    toggle(&breaker, 2);
    drop(breaker);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 3, 4]);
}

/// A listener that tells what it heard, each time that `gate` lets it.
fn gated(gate: Receiver<()>) -> (impl Listener + 'static, Receiver<u64>) {
    let (told, heard) = channel();
    let (gate, told) = (Mutex::new(gate), Mutex::new(told));
    let listener = move |_: &str, transition: &Transition| {
        // Whoever is gone waits for nothing.
        let _ = gate.lock().unwrap().recv();
        let _ = told.lock().unwrap().send(transition.generation);
    };
    (listener, heard)
}

fn shared(elsewhere: Elsewhere) -> (Arc<Elsewhere>, CircuitBreaker) {
    let elsewhere = Arc::new(elsewhere);
    let listener = Arc::clone(&elsewhere) as Arc<dyn Listener>;
    let breaker = CircuitBreaker::builder("payments").shared_listener(listener).build();
    (elsewhere, breaker.unwrap())
}

#[test]
fn a_flush_waits_for_what_was_queued_before_and_for_nothing_else() {
    let (open, gate) = channel();
    let (listener, heard) = gated(gate);
    let (elsewhere, breaker) = shared(Elsewhere::new(listener, 4).unwrap());
    assert!(elsewhere.flush(HOUR), "nothing waits");
    toggle(&breaker, 1);
    assert!(!elsewhere.flush(Duration::from_millis(1)), "both wait for the gate");
    let flush = {
        let elsewhere = Arc::clone(&elsewhere);
        std::thread::spawn(move || elsewhere.flush(HOUR))
    };
    for _ in 0..2 {
        open.send(()).unwrap();
    }
    assert!(flush.join().unwrap());
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 2]);
    breaker.reset();
    assert!(!elsewhere.flush(Duration::from_millis(1)), "there is new news");
    drop(open);
    assert!(elsewhere.flush(HOUR));
}

#[test]
fn a_listener_that_hangs_delays_the_drop_no_longer_than_allowed() {
    for limit in [Duration::ZERO, Duration::from_millis(1)] {
        let (open, gate) = channel();
        let (listener, heard) = gated(gate);
        let elsewhere = Elsewhere::new(listener, 100).unwrap().stop_within(limit);
        let breaker = breaker_with(elsewhere);
        toggle(&breaker, 2);
        drop(breaker);
        drop(open);
        let told: Vec<_> = heard.iter().collect();
        assert!(told == [1] || told.is_empty(), "what waited was given up: {told:?}");
    }
}

#[test]
fn a_flush_by_the_listener_itself_is_answered_at_once() {
    let own: Arc<Mutex<Option<Arc<Elsewhere>>>> = Arc::default();
    let (told, heard) = channel();
    let listener = {
        let (own, told) = (Arc::clone(&own), Mutex::new(told));
        move |_: &str, _: &Transition| {
            let flushed = own.lock().unwrap().as_ref().map(|own| own.flush(HOUR));
            told.lock().unwrap().send(flushed).unwrap();
        }
    };
    let (elsewhere, breaker) = shared(Elsewhere::new(listener, 100).unwrap());
    *own.lock().unwrap() = Some(Arc::clone(&elsewhere));
    breaker.reset();
    assert_eq!(heard.recv(), Ok(Some(false)));
    own.lock().unwrap().take();
}

#[test]
fn a_queue_that_holds_nothing_is_refused() {
    let refused = Elsewhere::new(|_: &str, _: &Transition| {}, 0).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(refused.to_string(), "capacity is 0; it must be at least 1");
}
