//! When the clock is read: not for what nothing looks at, and then exactly when it matters.
#![cfg(test)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::policy::{Retry, Tripper, Window};
use fuseboard_core::time::{Clock, ManualClock, Moment, SystemClock, WallTime};
use fuseboard_core::{
    Cause, CircuitBreaker, Outcome, Pin, Rules, RulesBuilder, State, Ticket, Transition,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A manual clock that counts how often it is asked for the time.
#[derive(Debug, Default)]
struct CountingClock {
    manual: ManualClock,
    read: AtomicU32,
}

impl Clock for CountingClock {
    fn now(&self) -> Moment {
        self.read.fetch_add(1, Ordering::SeqCst);
        self.manual.now()
    }

    fn wall(&self) -> WallTime {
        self.manual.wall()
    }
}

impl CountingClock {
    /// How often it was asked since the last time.
    fn reads(&self) -> u32 {
        self.read.swap(0, Ordering::SeqCst)
    }
}

fn rules(trip: &str) -> RulesBuilder {
    let retry = Retry::cooldown(secs(10));
    Rules::builder().tripper(trip.parse().unwrap()).retry(retry)
}

type Told = Arc<Mutex<Vec<Transition>>>;

fn with(rules: RulesBuilder) -> (CircuitBreaker, Arc<CountingClock>, Told) {
    let (clock, told) = (Arc::<CountingClock>::default(), Told::default());
    let log = Arc::clone(&told);
    let builder = CircuitBreaker::builder("payments").rules(rules.build().unwrap());
    let breaker = builder
        .clock(clock.clone())
        .listener(move |_: &str, transition: &Transition| {
            log.lock().unwrap().push(transition.clone());
        })
        .build()
        .unwrap();
    clock.reads();
    (breaker, clock, told)
}

/// Every way for a call to end that opens no circuit here.
const ENDS: [fn(Ticket); 5] = [
    Ticket::success,
    |ticket| ticket.settle(Outcome::Failure),
    |ticket| ticket.failure("refused"),
    Ticket::ignored,
    drop,
];

#[test]
fn a_closed_circuit_that_measures_no_durations_reads_no_clock() {
    let trips = [
        Tripper::default().to_string(),
        "min_requests(3) & failures(3)".to_owned(),
        "failures(90) & closed | half_open".to_owned(),
    ];
    for trip in trips {
        let (breaker, clock, _) = with(rules(&trip));
        for end in ENDS {
            end(breaker.try_acquire().unwrap());
            clock.manual.advance(secs(1));
        }
        assert!(breaker.call(|| Ok::<(), String>(())).is_ok());
        assert_eq!(clock.reads(), 0, "{trip}");
        let info = breaker.info();
        assert_eq!((info.state, info.metrics.total, info.metrics.failures), (State::Closed, 4, 2));
        assert_eq!((info.lasted, info.metrics.total_duration), (secs(5), Duration::ZERO));
        let totals = info.totals.by_outcome().map(|(_, count)| count);
        assert_eq!(totals, [2, 2, 1, 1, 0, 0], "{trip}: what is counted is the same");
    }
}

#[test]
fn a_late_result_reads_no_clock_either() {
    let (breaker, clock, _) = with(rules("failures(9)"));
    let late = ENDS.map(|end| (breaker.try_acquire().unwrap(), end));
    breaker.reset();
    clock.reads();
    late.into_iter().for_each(|(ticket, end)| end(ticket));
    assert_eq!((clock.reads(), breaker.info().totals.stale), (0, 5));
}

#[test]
fn a_closed_circuit_reads_the_clock_where_somebody_asked_for_the_time() {
    let table = [
        ("a time window", rules("failures(9)").window(Window::time(secs(60)))),
        ("slow calls", rules("failures(9) | slow_rate(0.5, 1s)")),
        ("the average", rules("avg_latency(1s)")),
        ("calls in flight", rules("in_flight_over(9, 1s)")),
        ("cancelled calls", rules("failures(9)").cancelled_after(secs(5))),
    ];
    for (name, rules) in table {
        let (breaker, clock, _) = with(rules);
        let ticket = breaker.try_acquire().unwrap();
        assert_eq!(clock.reads(), 1, "{name}: to be admitted");
        ticket.settle(Outcome::Failure);
        assert_eq!(clock.reads(), 1, "{name}: to end");
    }
}

#[test]
fn the_call_that_opens_the_circuit_reads_the_clock_once_and_dates_it_exactly() {
    let (breaker, clock, told) = with(rules("failure_streak(2)"));
    for wait in [7, 11] {
        let ticket = breaker.try_acquire().unwrap();
        clock.manual.advance(secs(wait));
        assert_eq!(clock.reads(), 0);
        ticket.settle(Outcome::Failure);
    }
    assert_eq!(clock.reads(), 1);
    let opened = Moment::ZERO + secs(18);
    let transition = told.lock().unwrap().remove(0);
    assert_eq!((transition.cause, transition.at), (Cause::Tripped, opened));
    assert_eq!((transition.retry_after, transition.trip.unwrap().at), (Some(secs(10)), opened));

    clock.manual.advance(secs(4));
    let (info, rejected) = (breaker.info(), breaker.try_acquire().unwrap_err());
    assert_eq!((info.lasted, info.retry_after), (secs(4), Some(secs(6))));
    assert_eq!(rejected.retry_after, Some(secs(6)));
}

#[test]
fn what_happens_to_a_circuit_that_read_no_clock_is_dated_when_it_happens() {
    type Happens = fn(&CircuitBreaker);
    let table: [(&str, Happens); 4] = [
        ("pin", |breaker| breaker.force_open(Pin::by("ops").lasting(secs(60)))),
        ("disable", |breaker| breaker.disable(Pin::by("ops"))),
        ("reset", CircuitBreaker::reset),
        ("failures", |breaker| {
            (0..9).for_each(|_| breaker.try_acquire().unwrap().settle(Outcome::Failure));
        }),
    ];
    for (name, happens) in table {
        let (breaker, clock, told) = with(rules("failures(9)"));
        clock.manual.advance(secs(100));
        breaker.try_acquire().unwrap().success();
        clock.manual.advance(secs(23));
        happens(&breaker);
        assert_eq!(told.lock().unwrap()[0].at, Moment::ZERO + secs(123), "{name}");
        clock.manual.advance(secs(5));
        assert_eq!(breaker.info().lasted, secs(5), "{name}");
    }
}

#[test]
fn a_circuit_that_closed_again_is_as_frugal_as_before() {
    let (breaker, clock, told) = with(rules("failure_streak(1)"));
    breaker.try_acquire().unwrap().settle(Outcome::Failure);
    clock.manual.advance(secs(10));
    (0..3).for_each(|_| breaker.try_acquire().unwrap().success());
    assert_eq!(told.lock().unwrap().last().unwrap().to, State::Closed);
    clock.reads();
    clock.manual.advance(secs(50));
    breaker.try_acquire().unwrap().success();
    assert_eq!(clock.reads(), 0);
    breaker.try_acquire().unwrap().settle(Outcome::Failure);
    let again = told.lock().unwrap().last().map(|transition| (transition.to, transition.at));
    assert_eq!(again, Some((State::Open, Moment::ZERO + secs(60))));
}

#[test]
fn no_moment_comes_before_the_beginning() {
    let at = Moment::ZERO + secs(10);
    assert_eq!((at - secs(3), at - secs(11)), (Moment::ZERO + secs(7), Moment::ZERO));
}

#[test]
fn the_clock_of_the_system_goes_by_itself() {
    let clock = SystemClock::new();
    let goes = |read: fn(&SystemClock) -> Moment| {
        let start = read(&clock);
        (0..20_000_000).any(|_| read(&clock) > start)
    };
    assert!(goes(SystemClock::now) && goes(SystemClock::coarse));
    let of_2024 = WallTime::from_unix_millis(1_704_067_200_000);
    let of_2200 = WallTime::from_unix_millis(7_258_118_400_000);
    assert!((of_2024..of_2200).contains(&clock.wall()), "{:?}", clock.wall());
    // From 1000 to 100 ticks in a second, two of them; elsewhere the coarse time is the precise one.
    let ticks = if cfg!(target_os = "linux") { (2, 20) } else { (0, 0) };
    let (least, most) = (Duration::from_millis(ticks.0), Duration::from_millis(ticks.1));
    assert!((least..=most).contains(&clock.lag()), "{:?}", clock.lag());
}
