//! The listeners that come with the library, each through its public interface.
#![cfg(test)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fuseboard::time::{Clock, ManualClock};
use fuseboard::{Board, CircuitBreaker, Keyed, KeyedLimits, Listener, Pin, Rules, State};

mod broadcast;
mod metrics_reporter;
mod otel_reporter;
mod server;
mod tracing_events;
mod webhook;

/// A board that tells `listener`, and its clock.
fn board(listener: Arc<dyn Listener>) -> (Board, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let board = Board::builder()
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .shared_listener(listener)
        .build();
    (board, clock)
}

/// Three failures open for 10 s, and one success closes.
fn rules() -> Rules {
    let rules = Rules::builder()
        .tripper("failures(3)".parse().unwrap())
        .retry("cooldown(10s)".parse().unwrap())
        .recovery("successes(1)".parse().unwrap());
    rules.build().unwrap()
}

fn payments(board: &Board) -> CircuitBreaker {
    board.get_or_create("payments", rules()).unwrap()
}

fn keyed(board: &Board) -> Keyed<String> {
    board.keyed("hosts", rules(), KeyedLimits::default()).unwrap()
}

fn succeed(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, &str>(()));
}

fn fail(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        let _ = breaker.call(|| Err::<(), _>("connection refused"));
    }
}

/// Makes `times` transitions: opens what is closed, closes what is not.
fn flap(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        if breaker.state() == State::Closed {
            breaker.force_open(Pin::by("ops"));
        } else {
            breaker.reset();
        }
    }
}

/// Waits for another thread to get there.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::yield_now();
    }
}

/// Runs `act` on a thread of its own, and fails if it does not end, instead of hanging with it.
fn ends(what: &str, act: impl FnOnce() + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        act();
        let _ = done.send(());
    });
    let ended = ended.recv_timeout(Duration::from_secs(60));
    assert!(ended.is_ok(), "did not end: {what}");
}
