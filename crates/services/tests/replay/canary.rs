//! A few letters first, then more; none after the circuit opened; live calls before letters.

use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::{State, Ticket};
use fuseboard_services::replay::Caution;

use crate::SECOND;
use crate::bench::{Behaviour, Bench, Setup, wait};

/// Letters in flight in each of the next seconds, looked at in its middle; letters take a second each.
async fn in_flight_by_second(bench: &Bench, seconds: usize) -> Vec<usize> {
    wait(SECOND / 2).await;
    let mut seen = Vec::new();
    for _ in 0..seconds {
        seen.push(bench.in_flight());
        wait(SECOND).await;
    }
    seen
}

fn slowly(caution: Caution) -> Setup {
    Setup { behaviour: Behaviour::Takes(SECOND), caution, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn after_a_start_letters_go_one_at_a_time_until_the_canary_is_through() {
    let rows = [
        (3, [1, 1, 1, 2, 4, 4, 4]),
        (1, [1, 2, 4, 4, 4, 4, 4]),
        (5, [1, 1, 1, 1, 1, 2, 4]),
        (0, [4, 4, 4, 4, 4, 4, 4]),
    ];
    for (canary, expected) in rows {
        let bench = Bench::of(slowly(Caution { canary, ..Caution::default() }));
        bench.capture(40).await;
        assert_eq!(in_flight_by_second(&bench, 7).await, expected, "a canary of {canary}");
        bench.settle_down().await;
        assert_eq!((bench.count(Status::Resolved).await, bench.most_in_flight()), (40, 4));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_no_letter_goes_beside_the_canary() {
    let caution = Caution { canary: 40, ..Caution::default() };
    let takes = Behaviour::Takes(Duration::from_millis(1));
    let setup = Setup { behaviour: takes, concurrency: 16, caution, ..Setup::default() };
    let bench = Bench::of(Setup { rate: 1_000_000.0, ..setup });
    bench.capture(400).await;
    for _ in 0..3 {
        let before = bench.deliveries();
        // Another generation, while letters are on their way: all of those end before the canary goes.
        bench.breaker.reset();
        while bench.deliveries() < before + 60 {
            tokio::task::yield_now().await;
        }
    }
    while bench.count(Status::Resolved).await < 400 {
        tokio::task::yield_now().await;
    }
    let crowds = bench.crowds();
    assert!(crowds[..40].iter().all(|crowd| *crowd == 1), "{crowds:?}");
    let alone = crowds.iter().filter(|crowd| **crowd == 1).count();
    assert!(alone >= 3 * 40, "three canaries of forty went alone: {crowds:?}");
    assert!(crowds.iter().all(|crowd| *crowd <= 16), "{crowds:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_circuit_closed_the_canary_goes_first_again_although_live_calls_opened_it() {
    let bench = Bench::of(slowly(Caution::default()));
    bench.capture(200).await;
    wait(10 * SECOND + SECOND / 2).await;
    assert_eq!(bench.in_flight(), 4, "at full speed");
    bench.trip();
    wait(9 * SECOND).await;
    assert_eq!(bench.in_flight(), 0, "it is open");
    let before = bench.deliveries();
    // The deadline is over: three probes, each alone, close it. Then the canary, each alone, and only then more.
    wait(SECOND).await;
    let seen = in_flight_by_second(&bench, 9).await;
    assert_eq!(seen, [1, 1, 1, 1, 1, 1, 2, 4, 4], "{} begun", bench.deliveries() - before);
    assert_eq!(bench.breaker.state(), State::Closed);
    bench.settle_down().await;
    assert_eq!(bench.count(Status::Resolved).await, 200);
}

#[tokio::test(start_paused = true)]
async fn letters_from_before_a_trip_that_end_well_after_it_do_not_let_more_go() {
    let slow = Setup { behaviour: Behaviour::Takes(4 * SECOND), ..slowly(Caution::default()) };
    let bench = Bench::of(slow);
    bench.capture(200).await;
    wait(30 * SECOND).await;
    assert_eq!(bench.in_flight(), 4);
    bench.trip();
    bench.breaker.reset();
    wait(SECOND).await;
    for _ in 0..4 {
        assert!(bench.in_flight() <= 4, "what was on its way ends");
        wait(SECOND).await;
    }
    assert_eq!(bench.in_flight(), 1, "the canary goes alone");
}

#[tokio::test(start_paused = true)]
async fn a_failure_halves_what_may_go_at_once_and_at_one_the_canary_begins_anew() {
    let bench = Bench::of(Setup { concurrency: 8, ..slowly(Caution::default()) });
    bench.capture(400).await;
    wait(15 * SECOND + SECOND / 2).await;
    assert_eq!(bench.in_flight(), 8);
    // One letter of those that go next fails.
    bench.fail_once();
    let seen = in_flight_by_second(&bench, 6).await;
    assert_eq!(
        seen,
        [8, 5, 6, 7, 8, 8],
        "half of eight, and one more with each round of successes"
    );
    for _ in 0..4 {
        bench.fail_once();
    }
    let seen = in_flight_by_second(&bench, 6).await;
    assert_eq!(seen, [1, 1, 1, 2, 3, 4]);
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn after_the_trip_no_letter_is_begun() {
    for concurrency in [1, 4, 32] {
        let slow = slowly(Caution { canary: 0, ..Caution::default() });
        let bench = Bench::of(Setup { concurrency, ..slow });
        bench.capture(200).await;
        wait(2 * SECOND + SECOND / 2).await;
        let before = bench.deliveries();
        bench.trip();
        wait(9 * SECOND).await;
        assert_eq!(bench.deliveries(), before, "{concurrency} at once");
        assert_eq!(bench.count(Status::Replaying).await, 0, "nothing is held meanwhile");
    }
}

/// Live calls that are on their way.
fn live(bench: &Bench, calls: usize) -> Vec<Ticket> {
    (0..calls).map(|_| bench.breaker.try_acquire().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn live_calls_take_the_places_of_letters_and_leave_as_many_as_was_said() {
    let rows = [(0, 1, 4), (1, 1, 3), (3, 1, 1), (100, 1, 1), (100, 2, 2), (3, 0, 1), (100, 0, 0)];
    for (calls, beside_live, letters) in rows {
        let caution = Caution { canary: 0, beside_live };
        let bench = Bench::of(slowly(caution));
        let live = live(&bench, calls);
        bench.capture(60).await;
        wait(5 * SECOND + SECOND / 2).await;
        assert_eq!(bench.in_flight(), letters, "{calls} live calls, {beside_live} beside them");
        live.into_iter().for_each(Ticket::success);
        wait(2 * SECOND).await;
        assert_eq!(bench.in_flight(), 4, "the live calls are through");
        bench.settle_down().await;
        assert_eq!(bench.count(Status::Resolved).await, 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_a_backlog_begins_with_the_canary() {
    let bench = Bench::of(slowly(Caution::default()));
    bench.capture(100).await;
    wait(10 * SECOND).await;
    let letters = bench.stop(7 * SECOND).await;
    let bench = Bench::of(Setup { letters, ..slowly(Caution::default()) });
    assert_eq!(in_flight_by_second(&bench, 5).await, [1, 1, 1, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_fails_at_full_speed_gets_few_letters_before_the_circuit_opens() {
    let bench = Bench::of(Setup { concurrency: 4, ..Setup::default() });
    bench.behave(Behaviour::Takes(Duration::from_millis(10)));
    bench.capture(300).await;
    wait(SECOND / 10).await;
    bench.behave(Behaviour::Answers(503));
    let before = bench.deliveries();
    wait(5 * SECOND).await;
    assert_eq!(bench.breaker.state(), State::Open);
    let begun = bench.deliveries() - before;
    assert!(begun <= 5 + 4, "five in a row open it; those, and what was on its way: {begun}");
}
