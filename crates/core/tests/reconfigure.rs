//! Other policies for a circuit that is in use.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::Tracker;
use fuseboard_core::time::ManualClock;
use fuseboard_core::{CircuitBreaker, Outcome, Pin, Rules, RulesBuilder, State};

const SECOND: Duration = Duration::from_secs(1);

/// Settings in text, `name=value` each.
fn rules(settings: &str) -> Rules {
    let set = |rules: RulesBuilder, setting: &str| match setting.trim().split_once('=').unwrap() {
        ("window", text) => rules.window(text.parse().unwrap()),
        ("trip", text) => rules.tripper(text.parse().unwrap()),
        ("retry", text) => rules.retry(text.parse().unwrap()),
        ("slots", text) => rules.slots(text.parse().unwrap()),
        ("recovery", text) => rules.recovery(text.parse().unwrap()),
        ("failure", text) => rules.tracker(text.parse().unwrap()),
        (name, _) => panic!("no setting {name}"),
    };
    settings.split(';').fold(Rules::builder(), set).build().unwrap()
}

struct Bench {
    breaker: CircuitBreaker,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new(settings: &str) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.advance(3600 * SECOND);
        let builder = CircuitBreaker::builder("payments").rules(rules(settings));
        Bench { breaker: builder.clock(clock.clone()).build().unwrap(), clock }
    }

    /// A call for each letter: `s`uccess or `f`ailure, `.` waits a second, `1` takes one second, `S` takes two.
    fn play(&self, calls: &str) {
        for call in calls.chars() {
            match call {
                's' => self.breaker.try_acquire().unwrap().success(),
                'f' => self.breaker.try_acquire().unwrap().failure("f"),
                '.' => self.clock.advance(SECOND),
                'S' => {
                    let ticket = self.breaker.try_acquire().unwrap();
                    self.clock.advance(2 * SECOND);
                    ticket.success();
                }
                '1' => {
                    let ticket = self.breaker.try_acquire().unwrap();
                    self.clock.advance(SECOND);
                    ticket.success();
                }
                other => panic!("no call {other}"),
            }
        }
    }

    /// Total and failures in the window.
    fn window(&self) -> (u64, u64) {
        let metrics = self.breaker.info().metrics;
        (metrics.total, metrics.failures)
    }
}

#[test]
fn a_window_keeps_what_the_new_one_can_hold() {
    let table = [
        ("window=count(10)", "sffsf", "window=count(20)", (5, 3)),
        ("window=count(10)", "ffffsss", "window=count(4)", (4, 1)),
        ("window=count(4)", "ffffssssff", "window=count(3)", (3, 2)),
        ("window=count(4)", "sffssf", "window=count(4)", (4, 2)),
        ("window=time(1m)", "ff.ss.f", "window=time(2m)", (5, 3)),
        ("window=time(1m)", "ff..............sf", "window=time(10s)", (2, 1)),
        ("window=time(1m)", "sf", "window=count(10)", (0, 0)),
        ("window=count(10)", "sf", "window=time(1m)", (0, 0)),
    ];
    for (before, calls, after, expected) in table {
        let never = "trip=failure_streak(99)";
        let bench = Bench::new(&format!("{before};{never}"));
        bench.play(calls);
        bench.breaker.reconfigure(rules(&format!("{after};{never}")));
        assert_eq!(bench.window(), expected, "{before}, {calls}, {after}");
    }
}

#[test]
fn a_window_that_was_kept_goes_on_as_if_it_had_always_been_so() {
    let never = "trip=failure_streak(99)";
    for (before, after) in [("count(7)", "count(5)"), ("count(3)", "count(8)")] {
        let (changed, fresh) = (
            Bench::new(&format!("window={before};{never}")),
            Bench::new(&format!("window={after};{never}")),
        );
        let calls = "sfsffsfssfsfffssf";
        changed.play(&calls[..6]);
        changed.breaker.reconfigure(rules(&format!("window={after};{never}")));
        fresh.play(&calls[..6]);
        for end in 7..=calls.len() {
            changed.play(&calls[end - 1..end]);
            fresh.play(&calls[end - 1..end]);
        }
        assert_eq!(changed.window(), fresh.window(), "{before} {after}");
    }
}

#[test]
fn a_window_keeps_the_durations_that_it_took_down_and_no_others() {
    let (one, two, latency) = ("slow_rate(1, 1s)", "slow_rate(1, 2s)", "avg_latency(9s)");
    let (none, both) = ("failures(5)", format!("({one}|{two})"));
    let all = format!("{latency}&{both}");
    // What is kept: the slow calls from 1 s and from 2 s, and the seconds spent, as far as they are asked for.
    let rows = [
        (one, one, Some((3, 0, 0))),
        (&both, two, Some((0, 2, 0))),
        (&both, one, Some((3, 0, 0))),
        (one, two, None),
        (one, &both, None),
        (one, latency, None),
        (none, one, None),
        (latency, latency, Some((0, 0, 5))),
        (&all, two, Some((0, 2, 0))),
        (&all, latency, Some((0, 0, 5))),
        (&all, &all, Some((3, 2, 5))),
        (one, none, Some((0, 0, 0))),
    ];
    let windows = ["time(1m)", "count(10)"];
    let mut table: Vec<_> =
        windows.iter().flat_map(|window| rows.map(|row| (*window, row))).collect();
    // Each call's own duration tells whether it was slow; a bucket's sum does not.
    table.push(("count(10)", (latency, one, Some((3, 0, 0)))));
    table.push(("time(1m)", (latency, one, None)));
    for (window, (before, after, kept)) in table {
        let with = |terms: &str| {
            format!("window={window};trip=failure_streak(9)|{terms}&min_requests(10)")
        };
        let bench = Bench::new(&with(before));
        bench.play("sS.1f.S");
        bench.breaker.reconfigure(rules(&with(after)));
        bench.play(".");
        let metrics = bench.breaker.info().metrics;
        let slow = |seconds: u32| metrics.slow.get(seconds * SECOND);
        let found = (slow(1), slow(2), metrics.total_duration.as_secs());
        let expected = kept.map_or((0, (0, 0, 0)), |durations| (5, durations));
        assert_eq!((metrics.total, found), expected, "{window}: {before} to {after}");
    }
}

#[test]
fn nothing_trips_before_the_next_outcome() {
    let bench = Bench::new("trip=failure_streak(5)");
    bench.play("sfff");
    bench.breaker.reconfigure(rules("trip=failure_streak(2)"));
    assert_eq!(bench.breaker.state(), State::Closed);
    bench.play("f");
    assert_eq!(bench.breaker.state(), State::Open, "the streak was kept");
}

#[test]
fn a_state_stays_with_its_deadline_its_leases_and_its_pin() {
    let bench =
        Bench::new("trip=failure_streak(1);retry=cooldown(10s);slots=2;recovery=successes(2)");
    bench.play("f");
    let generation = bench.breaker.info().generation;
    bench.breaker.reconfigure(rules(
        "trip=failure_streak(1);retry=cooldown(1h);slots=1;recovery=successes(1)",
    ));
    assert_eq!(bench.breaker.info().retry_after, Some(10 * SECOND), "the deadline was drawn");
    assert_eq!(bench.breaker.info().generation, generation, "no transition");
    bench.clock.advance(10 * SECOND);
    let probe = bench.breaker.try_acquire().unwrap();
    bench.breaker.reconfigure(rules("trip=failure_streak(1);slots=2;recovery=successes(2)"));
    let second = bench.breaker.try_acquire().expect("the new rules have another slot");
    assert!(bench.breaker.try_acquire().is_err(), "the first lease still holds its slot");
    probe.success();
    assert_eq!(bench.breaker.state(), State::HalfOpen, "the new recovery asks for two");
    second.success();
    assert_eq!(bench.breaker.state(), State::Closed);
    bench.breaker.force_open(Pin::by("ops").lasting(60 * SECOND));
    bench.breaker.reconfigure(rules("trip=failure_streak(7)"));
    assert_eq!(bench.breaker.state(), State::ForcedOpen);
    bench.clock.advance(60 * SECOND);
    assert_eq!(bench.breaker.state(), State::HalfOpen, "the pin kept its end");
}

#[test]
fn every_thread_judges_by_the_new_trackers_at_once() {
    let with = |tracker: Tracker| Rules::builder().tracker(tracker).build().unwrap();
    let text =
        |expected: &'static str| Tracker::value("text", move |text: &&str| *text == expected);
    let breaker = CircuitBreaker::builder("payments").rules(with(text("bad"))).build().unwrap();
    let judge = |value: &'static str| breaker.judge(Ok::<_, &()>(&value)).outcome;
    let call = |value: &'static str| breaker.call(|| Ok::<_, ()>(value)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..40 {
                    call("good");
                }
                assert_eq!((judge("bad"), judge("worse")), (Outcome::Failure, Outcome::Success));
            });
        }
    });
    for _ in 0..40 {
        call("good");
    }
    assert_eq!((judge("bad"), judge("worse")), (Outcome::Failure, Outcome::Success));
    breaker.reconfigure(with(text("worse")));
    assert_eq!((judge("bad"), judge("worse")), (Outcome::Success, Outcome::Failure));
    breaker.reconfigure(Rules::default());
    assert_eq!((judge("bad"), judge("worse")), (Outcome::Success, Outcome::Success));
    assert_eq!(*breaker.rules(), Rules::default());
}

#[test]
fn a_call_on_its_way_is_judged_by_the_rules_of_its_end() {
    let untimed = "window=count(10);trip=failure_streak(9)";
    let slow = "window=count(10);trip=failure_streak(9)|slow_rate(1, 1s)";
    let bench = Bench::new(slow);
    let ticket = bench.breaker.try_acquire().unwrap();
    bench.breaker.reconfigure(rules(untimed));
    bench.clock.advance(5 * SECOND);
    ticket.success();
    assert_eq!(bench.breaker.state(), State::Closed, "nobody asks for durations any more");

    let bench = Bench::new(untimed);
    let ticket = bench.breaker.try_acquire().unwrap();
    bench.breaker.reconfigure(rules(slow));
    bench.clock.advance(5 * SECOND);
    ticket.success();
    assert_eq!(bench.breaker.state(), State::Closed, "nobody knows when it began");
    bench.play("S");
    assert_eq!(bench.window().0, 2);
}

#[test]
fn calls_in_flight_count_from_the_change_on() {
    let bench = Bench::new("trip=failure_streak(9)");
    let _before: Vec<_> = (0..3).map(|_| bench.breaker.try_acquire().unwrap()).collect();
    bench.breaker.reconfigure(rules("trip=failure_streak(9)|in_flight_over(2, 5s)"));
    bench.clock.advance(5 * SECOND);
    let _first = bench.breaker.try_acquire().expect("those before the change are not known");
    let _second = bench.breaker.try_acquire().unwrap();
    bench.clock.advance(5 * SECOND);
    assert!(bench.breaker.try_acquire().is_err());
    assert_eq!(bench.breaker.state(), State::Open);
}

#[test]
fn calls_in_flight_stay_counted_for_as_long_as_somebody_looks_at_them() {
    let watched = |limit: u32| format!("trip=failure_streak(9)|in_flight_over({limit}, 5s)");
    let table = [(watched(8), 1), ("trip=failure_streak(9)".to_owned(), 0)];
    for (between, hanging) in table {
        let bench = Bench::new(&watched(9));
        let _call = bench.breaker.try_acquire().unwrap();
        bench.breaker.reconfigure(rules(&between));
        bench.breaker.reconfigure(rules(&watched(9)));
        bench.clock.advance(5 * SECOND);
        let metrics = bench.breaker.info().metrics;
        assert_eq!(metrics.hanging.get(5 * SECOND), hanging, "{between}");
    }
}
