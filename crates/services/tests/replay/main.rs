//! Replay under a clock that the test moves: which letters go when, and what becomes of them.
#![cfg(test)]

use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::{Pin, State};

mod bench;
mod canary;
mod crashes;
mod gate;
mod sharing;
mod table;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/troubled_store.rs"]
mod troubled_store;

use bench::{Behaviour, Bench, store};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn due_letters_are_done_and_resolved() {
    let bench = Bench::start(Behaviour::Answers(201));
    bench.capture(20).await;
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 20);
    assert_eq!(bench.deliveries(), 20, "each once");
    let letter = bench.letter(1).await;
    assert_eq!((letter.life.attempts, letter.answer.map(|answer| answer.status)), (1, Some(201)));
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_answers_decides() {
    let rows = [
        (200, Status::Resolved, 1),
        (204, Status::Resolved, 1),
        (303, Status::Resolved, 1),
        (400, Status::RequiresReview, 1),
        (404, Status::RequiresReview, 1),
        (408, Status::RequiresReview, 10),
        (425, Status::RequiresReview, 10),
        (429, Status::RequiresReview, 10),
        (500, Status::RequiresReview, 10),
        (503, Status::RequiresReview, 10),
    ];
    for (code, status, attempts) in rows {
        let bench = Bench::start(Behaviour::Answers(code));
        bench.capture(1).await;
        bench.settle_down().await;
        let letter = bench.letter(1).await;
        assert_eq!((letter.life.status, letter.life.attempts), (status, attempts), "{code}");
        assert_eq!(bench.deliveries(), attempts as usize, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_keeps_its_letters_until_its_deadline_and_then_one_is_the_probe() {
    let bench = Bench::start(Behaviour::Answers(200));
    bench.trip();
    bench.capture(10).await;
    tokio::time::sleep(9 * SECOND).await; // waits for: the paused clock
    assert_eq!(bench.deliveries(), 0, "the circuit is open for 10 s");
    tokio::time::sleep(1100 * SECOND / 1000).await; // waits for: the paused clock
    assert!(bench.deliveries() > 0, "the oldest due letter was the probe");
    bench.settle_down().await;
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.count(Status::Resolved).await, 10);
    assert_eq!(bench.breaker.info().totals.rejected, 0, "a waiting backlog rejects no calls");
}

#[tokio::test(start_paused = true)]
async fn replay_stops_when_the_circuit_opens() {
    let bench = Bench::start(Behaviour::Answers(500));
    bench.capture(100).await;
    tokio::time::sleep(5 * SECOND).await; // waits for: the paused clock
    assert_eq!(bench.breaker.state(), State::Open);
    assert!(bench.deliveries() <= 5, "five in a row open it, {} went", bench.deliveries());
}

#[tokio::test(start_paused = true)]
async fn refused_connections_cost_no_attempt() {
    let bench = Bench::start(Behaviour::Refuses);
    bench.capture(1).await;
    tokio::time::sleep(600 * SECOND).await; // waits for: the paused clock
    let letter = bench.letter(1).await;
    assert_eq!((letter.life.status, letter.life.attempts), (Status::Pending, 0));
    assert!(bench.deliveries() > 3, "it was tried");
}

#[tokio::test(start_paused = true)]
async fn pinned_circuits_get_no_backlog() {
    for pin in [State::ForcedClosed, State::ForcedOpen] {
        let bench = Bench::start(Behaviour::Answers(200));
        match pin {
            State::ForcedClosed => bench.breaker.force_closed(Pin::by("ops")),
            _ => bench.breaker.force_open(Pin::by("ops")),
        }
        bench.capture(3).await;
        tokio::time::sleep(600 * SECOND).await; // waits for: the paused clock
        assert_eq!(bench.deliveries(), 0, "{pin}");
        bench.breaker.reset();
        bench.settle_down().await;
        assert_eq!(bench.count(Status::Resolved).await, 3, "{pin} ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_kills_its_worker_ends_in_review_and_the_others_go_on() {
    let bench = Bench::start(Behaviour::PanicsOn("key-1"));
    bench.capture(5).await;
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 4);
    let poison = bench.letter(1).await;
    assert_eq!((poison.life.status, poison.life.crashes), (Status::RequiresReview, 5));
}

#[tokio::test(start_paused = true)]
async fn starts_are_as_far_apart_as_the_rate_says() {
    let bench = Bench::with_rate(Behaviour::Answers(200), 2.0);
    bench.capture(11).await;
    tokio::time::sleep(4900 * SECOND / 1000).await; // waits for: the paused clock
    assert!((9..=10).contains(&bench.deliveries()), "{} in 4.9 s at 2/s", bench.deliveries());
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 11);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_in_flight_and_gives_back_what_does_not_end() {
    let rows = [(SECOND, Status::Resolved, 1), (60 * SECOND, Status::Pending, 0)];
    for (takes, status, attempts) in rows {
        let bench = Bench::start(Behaviour::Takes(takes));
        bench.capture(1).await;
        tokio::time::sleep(SECOND / 10).await; // waits for: the paused clock
        assert_eq!(bench.in_flight(), 1);
        let letters = bench.stop(7 * SECOND).await;
        let letter = letters.get(fuseboard_store::LetterId(1)).await.unwrap().unwrap();
        assert_eq!((letter.life.status, letter.life.attempts), (status, attempts), "{takes:?}");
        assert_eq!(letter.life.lease_until, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_written_down_as_soon_as_the_store_is_back() {
    let bench = Bench::with_store_faults(Behaviour::Answers(200), store().failing("settle", 7));
    bench.capture(1).await;
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 1);
    assert_eq!(bench.deliveries(), 1, "a slow store does not make it twice");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_store_is_asked_again() {
    let bench = Bench::with_store_faults(Behaviour::Answers(200), store().failing("claim_by", 3));
    bench.capture(1).await;
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_quick_whatever_the_workers_wait_for() {
    let rows = [
        ("for its pace", Bench::with_rate(Behaviour::Answers(200), 0.01)),
        ("to write down", {
            let faults = store().failing("settle", usize::MAX);
            Bench::with_store_faults(Behaviour::Answers(200), faults)
        }),
        ("to claim", {
            let faults = store().failing("claim_by", usize::MAX);
            Bench::with_store_faults(Behaviour::Answers(200), faults)
        }),
    ];
    for (name, bench) in rows {
        bench.capture(5).await;
        tokio::time::sleep(SECOND).await; // waits for: the paused clock
        let deliveries = bench.deliveries();
        let (began, counted) = (tokio::time::Instant::now(), bench.counter());
        bench.stop(7 * SECOND).await;
        assert!(began.elapsed() < 9 * SECOND, "{name}: {:?}", began.elapsed());
        assert_eq!(counted(), deliveries, "{name}: nothing was begun after the stop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_claim_is_asked_ever_less_often() {
    let faults = store().failing("claim_by", usize::MAX);
    let bench = Bench::with_store_faults(Behaviour::Answers(200), faults);
    bench.capture(1).await;
    tokio::time::sleep(60 * SECOND).await; // waits for: the paused clock
    let asked = bench.breaker.info().totals.cancelled;
    assert!((5..=25).contains(&asked), "{asked} tickets were taken in a minute for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_lacks_headers_is_not_replayed_and_waits_for_a_person() {
    let bench = Bench::start(Behaviour::Answers(200));
    bench.capture_withholding("authorization").await;
    bench.capture(1).await;
    bench.settle_down().await;
    let letter = bench.letter(1).await;
    assert_eq!(letter.life.status, Status::RequiresReview);
    assert!(letter.last_error.unwrap().starts_with("withheld: authorization;"));
    assert_eq!((bench.deliveries(), bench.letter(2).await.life.status), (1, Status::Resolved));
    assert_eq!(bench.breaker.info().totals.failure, 0, "it says nothing about the other side");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_hangs_was_not_answered_and_keeps_nobody_from_going_on() {
    let bench = Bench::start(Behaviour::Takes(3600 * SECOND));
    bench.capture(1).await;
    // A lease is 30 s.
    tokio::time::sleep(28 * SECOND).await; // waits for: the paused clock
    let letter = bench.letter(1).await;
    assert_eq!((letter.life.status, letter.life.attempts), (Status::Pending, 1));
    assert_eq!(letter.last_error.as_deref(), Some("no answer within 27s"));
    assert_eq!((bench.in_flight(), bench.breaker.info().totals.failure), (0, 1));

    bench.behave(Behaviour::Answers(200));
    bench.settle_down().await;
    assert_eq!(bench.letter(1).await.life.status, Status::Resolved);
    assert_eq!(bench.letter(1).await.life.crashes, 0);
}
