//! Listeners on a thread of their own.
#![cfg(test)]

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};

use fuseboard::{CircuitBreaker, Elsewhere, Listener, Pin, State, Transition};

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
    let breaker = breaker_with(Elsewhere::new(listener, 1000).unwrap());
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
    let breaker = breaker_with(Elsewhere::new(listener, 100).unwrap());
    toggle(&breaker, 2);
    drop(breaker);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 3, 4]);
}
