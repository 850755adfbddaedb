//! Circuits beside one another: who goes next where all have to share.

use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_services::replay::{Caution, Limits};

use crate::SECOND;
use crate::bench::{Behaviour, Bench, Setup, wait};

fn two(limits: Limits) -> Setup {
    Setup {
        circuits: vec!["payments", "mails"],
        behaviour: Behaviour::Takes(SECOND),
        concurrency: 16,
        caution: Caution { canary: 0, ..Caution::default() },
        limits,
        ..Setup::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_backlog_does_not_keep_a_short_one_waiting_for_a_place() {
    let bench = Bench::of(two(Limits { concurrency: 4, rate: None }));
    bench.capture_of("payments", 300).await;
    wait(10 * SECOND + SECOND / 2).await;
    assert_eq!(bench.in_flight(), 4, "alone it has all places");
    let now = bench.clock.now();
    bench.capture_of("mails", 3).await;
    while bench.came("mails").len() < 3 {
        wait(SECOND / 10).await;
    }
    let took = bench.clock.now().since(now);
    assert!(took <= 2 * SECOND, "three letters began within {took:?}");
    wait(2 * SECOND).await;
    assert_eq!(bench.in_flight(), 4, "the places are used again");
}

#[tokio::test(start_paused = true)]
async fn no_more_letters_than_all_together_may_are_on_their_way() {
    let bench = Bench::of(two(Limits { concurrency: 5, rate: None }));
    bench.capture_of("payments", 100).await;
    bench.capture_of("mails", 100).await;
    wait(SECOND / 2).await;
    for second in 0..30 {
        let both = (bench.in_flight(), bench.in_flight_of("mails"));
        assert_eq!(both.0 + both.1, 5, "in second {second}: {both:?}");
        if second > 3 {
            assert!(both.0 >= 2 && both.1 >= 2, "in second {second}: {both:?}");
        }
        wait(SECOND).await;
    }
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_rate_for_all_is_shared_evenly_and_kept() {
    let rate = Some(10.0);
    let bench = Bench::of(two(Limits { rate, ..Limits::default() }));
    bench.behave(Behaviour::Answers(200));
    bench.capture_of("payments", 400).await;
    wait(10 * SECOND).await;
    let alone = bench.deliveries();
    assert!((99..=101).contains(&alone), "{alone} in 10 s at 10/s");
    bench.capture_of("mails", 30).await;
    wait(6 * SECOND).await;
    let (mails, payments) = (bench.came("mails").len(), bench.deliveries() - alone);
    assert!((29..=30).contains(&mails), "{mails} of 30 in 6 s, half of the rate");
    assert!((59..=61).contains(&(mails + payments)), "{mails} and {payments} in 6 s");
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_hangs_does_not_keep_the_places_from_another() {
    let bench = Bench::of(two(Limits { concurrency: 4, rate: None }));
    bench.behave(Behaviour::Takes(20 * SECOND));
    bench.capture_of("payments", 300).await;
    wait(50 * SECOND).await;
    assert_eq!(bench.in_flight(), 4);
    bench.behave(Behaviour::Takes(Duration::from_millis(10)));
    let now = bench.clock.now();
    bench.capture_of("mails", 100).await;
    while bench.came("mails").len() < 100 {
        wait(SECOND / 10).await;
    }
    let took = bench.clock.now().since(now);
    assert!(took <= 21 * SECOND, "one hanging letter was waited for, not a hundred: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_open_takes_nothing_of_what_is_shared() {
    let bench = Bench::of(two(Limits { concurrency: 1, rate: Some(10.0) }));
    bench.behave(Behaviour::Answers(200));
    bench.trip();
    bench.capture_of("payments", 100).await;
    bench.capture_of("mails", 50).await;
    wait(5 * SECOND + SECOND / 10).await;
    assert_eq!((bench.came("mails").len(), bench.deliveries()), (50, 0));
}
