//! The breaker shared by real threads: what must hold in whatever order their calls happen.
#![cfg(test)]

#[path = "twin/engine.rs"]
mod engine;
#[path = "twin/forms.rs"]
mod forms;
#[path = "twin/judge.rs"]
mod judge;
#[path = "twin/orders.rs"]
mod orders;
#[path = "twin/programs.rs"]
mod programs;
#[path = "twin/run.rs"]
mod run;
#[path = "twin/twin.rs"]
mod twin;
#[path = "twin/words.rs"]
mod words;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fuseboard_core::machine::{Command, Pinnable, Transition};
use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{Cause, CircuitBreaker, Pin, Rejected, Rules, State, Ticket};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use engine::{Log, settle};
use orders::{Aftermath, Thread, few_operations, some_order_explains};
use programs::case;
use run::{Fixed, Pair};
use words::{ENDS, End, FAILURE, News, When};

/// Runs each job on a thread of its own, all from the same instant on.
fn at_once<T: Send, J: FnOnce() -> T + Send>(jobs: Vec<J>) -> Vec<T> {
    let (here, all) = (AtomicUsize::new(0), jobs.len());
    let together = |job: J| {
        here.fetch_add(1, Ordering::SeqCst);
        while here.load(Ordering::SeqCst) < all {
            thread::yield_now();
        }
        job()
    };
    thread::scope(|scope| {
        let together = &together;
        let start = |job| scope.spawn(move || together(job));
        let threads: Vec<_> = jobs.into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// How many rounds to go: `rounds`, times `FUSEBOARD_TWIN_CASES` where that is set.
fn rounds(rounds: u64) -> u64 {
    rounds * std::env::var("FUSEBOARD_TWIN_CASES").map_or(1, |times| times.parse().unwrap())
}

fn rules(trip: &str, retry: &str, recovery: &str) -> Rules {
    let rules = Rules::builder().tripper(trip.parse().unwrap()).retry(retry.parse().unwrap());
    rules.recovery(recovery.parse().unwrap()).build().unwrap()
}

fn breaker(rules: Rules) -> (CircuitBreaker, Arc<ManualClock>, Log) {
    let (clock, log) = (Arc::new(ManualClock::new()), Log::default());
    let shared = Arc::<ManualClock>::clone(&clock);
    let builder = CircuitBreaker::builder("shared").rules(rules).clock(shared);
    (builder.listener(log.clone()).build().unwrap(), clock, log)
}

fn acquire(breaker: &CircuitBreaker, calls: usize) -> Vec<Ticket> {
    (0..calls).map(|_| breaker.try_acquire().unwrap()).collect()
}

/// Lets so many threads attempt a call each; gives the admitted and the rejected ones.
fn attempt_at_once(breaker: &CircuitBreaker, threads: usize) -> (Vec<Ticket>, Vec<Rejected>) {
    let attempts = at_once((0..threads).map(|_| || breaker.try_acquire()).collect());
    let (admitted, rejected): (Vec<_>, Vec<_>) = attempts.into_iter().partition(Result::is_ok);
    let tickets = admitted.into_iter().map(Result::unwrap).collect();
    (tickets, rejected.into_iter().map(Result::unwrap_err).collect())
}

/// Ends all calls at once, each on a thread of its own.
fn settle_at_once(tickets: Vec<Ticket>, end: End) {
    at_once(tickets.into_iter().map(|ticket| move || settle(ticket, end)).collect());
}

/// Each told transition as (from, to, generation).
fn steps_of(told: &[News]) -> Vec<(State, State, u64)> {
    let step = |news: &News| match news {
        News::Transition { from, to, generation, .. } => Some((*from, *to, *generation)),
        News::WouldTrip => None,
    };
    told.iter().filter_map(step).collect()
}

#[test]
fn threads_that_fail_at_once_open_the_circuit_once() {
    for (needed, stale) in [(8, 0), (3, 5), (1, 7)] {
        for _ in 0..rounds(60) {
            let trip = format!("failure_streak({needed})");
            let (breaker, _, log) = breaker(rules(&trip, "cooldown(10s)", "successes(3)"));
            settle_at_once(acquire(&breaker, 8), FAILURE);
            assert_eq!(steps_of(&log.take()), [(State::Closed, State::Open, 1)]);
            let totals = breaker.info().totals;
            assert_eq!((totals.failure, totals.stale), (8 - stale, stale));
        }
    }
}

#[test]
fn threads_that_attempt_at_the_deadline_share_one_episode() {
    for _ in 0..rounds(100) {
        let (breaker, clock, log) = breaker(rules("failures(1)", "cooldown(10s)", "successes(3)"));
        settle_at_once(acquire(&breaker, 1), FAILURE);
        clock.advance(Duration::from_secs(10));
        let (tickets, rejected) = attempt_at_once(&breaker, 8);
        assert_eq!(tickets.len(), 3, "as many as there are slots");
        assert!(tickets.iter().all(Ticket::is_probe));
        for rejected in rejected {
            let why = (rejected.state, rejected.cause);
            assert_eq!(why, (State::HalfOpen, Cause::ProbesLimited));
        }
        settle_at_once(tickets, End::Success);
        let (open, half_open, closed) = (State::Open, State::HalfOpen, State::Closed);
        let expected = [(closed, open, 1), (open, half_open, 2), (half_open, closed, 3)];
        assert_eq!(steps_of(&log.take()), expected);
    }
}

#[test]
fn half_open_never_has_more_probes_than_slots() {
    let (breaker, _, _) = breaker(rules("failures(1)", "never", "successes(3)"));
    breaker.force_open(Pin::default());
    breaker.auto();
    let probes = AtomicU64::new(0);
    // Neither ignored nor cancelled calls end the episode: all of this happens in one.
    let hammer = |thread: u64| {
        let (breaker, probes) = (&breaker, &probes);
        move || {
            let mut most = 0;
            for round in 0..rounds(2_000) {
                let Ok(ticket) = breaker.try_acquire() else { continue };
                most = most.max(probes.fetch_add(1, Ordering::SeqCst) + 1);
                if round.is_multiple_of(3) {
                    thread::yield_now();
                }
                probes.fetch_sub(1, Ordering::SeqCst);
                settle(
                    ticket,
                    if (round + thread).is_multiple_of(2) { End::Ignored } else { End::Dropped },
                );
            }
            most
        }
    };
    let most = at_once((0..6).map(hammer).collect());
    assert!(most.iter().all(|most| *most <= 3), "{most:?} probes at once");
    let info = breaker.info();
    assert_eq!((info.state, info.generation, info.in_flight), (State::HalfOpen, 2, 0));
    assert_eq!(attempt_at_once(&breaker, 8).0.len(), 3, "every slot was given back");
}

#[test]
fn slots_of_lapsed_probes_are_given_once_more_and_late_probes_free_none() {
    for end in [End::Success, FAILURE, End::Ignored, End::Dropped, End::Panicked] {
        for _ in 0..rounds(20) {
            let (breaker, clock, log) = breaker(rules("failures(100)", "never", "tripper"));
            breaker.force_open(Pin::default());
            breaker.auto();
            let (late, _) = attempt_at_once(&breaker, 8);
            clock.advance(Duration::from_secs(60));
            let (probes, _) = attempt_at_once(&breaker, 8);
            assert_eq!((late.len(), probes.len()), (3, 3));
            let before = breaker.info();
            settle_at_once(late, end);
            let after = breaker.info();
            assert_eq!((after.totals.stale, after.metrics), (3, before.metrics));
            assert_eq!(attempt_at_once(&breaker, 8).0.len(), 0, "every slot is taken");
            assert_eq!(log.take().len(), 2, "pinned, unpinned, and nothing more");
            drop(probes);
        }
    }
}

#[test]
fn stale_tickets_change_nothing() {
    for _ in 0..rounds(100) {
        let (breaker, _, log) = breaker(rules("failures(1)", "never", "successes(1)"));
        let tickets = acquire(&breaker, 8);
        breaker.reset();
        let ends = ENDS.into_iter().cycle();
        at_once(
            tickets
                .into_iter()
                .zip(ends)
                .map(|(ticket, end)| move || settle(ticket, end))
                .collect(),
        );
        let info = breaker.info();
        assert_eq!((info.state, info.generation, info.in_flight), (State::Closed, 1, 0));
        assert_eq!((info.metrics.total, info.totals.stale), (0, 8));
        assert_eq!(steps_of(&log.take()), [(State::Closed, State::Closed, 1)]);
    }
}

/// What the threads of a storm did, by their own books.
#[derive(Debug, Default)]
struct Ledger {
    admitted: AtomicU64,
    rejected: AtomicU64,
    successes: AtomicU64,
    ignored: AtomicU64,
    dropped: AtomicU64,
}

impl Ledger {
    fn attempt(&self, breaker: &CircuitBreaker) -> Option<Ticket> {
        let attempt = breaker.try_acquire().ok();
        let count = if attempt.is_some() { &self.admitted } else { &self.rejected };
        count.fetch_add(1, Ordering::SeqCst);
        attempt
    }

    fn settle(&self, ticket: Ticket, end: End) {
        match end {
            End::Success => self.successes.fetch_add(1, Ordering::SeqCst),
            End::Ignored => self.ignored.fetch_add(1, Ordering::SeqCst),
            End::Dropped => self.dropped.fetch_add(1, Ordering::SeqCst),
            End::Failure { .. } | End::Panicked => 0,
        };
        settle(ticket, end);
    }

    /// Compares these books with the breaker's, and what the listener was told with its generation.
    fn check(&self, breaker: &CircuitBreaker, log: &Log) {
        let info = breaker.info();
        let [success, failure, ignored, cancelled, rejected, stale] =
            info.totals.by_outcome().map(|(_, count)| count);
        let mine = |count: &AtomicU64| count.load(Ordering::SeqCst);
        assert_eq!(rejected, mine(&self.rejected));
        assert_eq!(success + failure + ignored + cancelled + stale, mine(&self.admitted));
        assert!(success <= mine(&self.successes) && mine(&self.successes) <= success + stale);
        assert!(ignored <= mine(&self.ignored) && mine(&self.ignored) <= ignored + stale);
        assert!(cancelled <= mine(&self.dropped));
        assert_eq!(info.in_flight, 0);
        let steps = steps_of(&log.take());
        let mut last = (State::Closed, 0);
        for (from, to, generation) in steps {
            assert_eq!((from, generation), (last.0, last.1 + 1), "each generation once, in order");
            last = (to, generation);
        }
        assert_eq!(last, (info.state, info.generation), "all was told");
    }
}

fn storm_rules(round: u64) -> Rules {
    let builder = Rules::builder().probe_timeout(Duration::from_millis(5)).slots(2);
    let (window, trip, retry, permit, recovery) = [
        ("count(20)", "failure_streak(3)", "cooldown(1ms, jitter=0.5)", "all", "successes(2)"),
        (
            "time(1s)",
            "min_requests(5) & failure_rate(0.5) | slow_rate(0.3, 2ms)",
            "always",
            "random(0.5)",
            "tripper",
        ),
        (
            "count(10)",
            "in_flight_over(3, 1ms) | failures(4)",
            "backoff(1ms, max=8ms, jitter=0.2)",
            "ramp_up(0.5, 1, 4ms)",
            "successes(1)",
        ),
    ][(round % 3) as usize];
    let builder = builder.window(window.parse().unwrap()).tripper(trip.parse().unwrap());
    let builder = builder.retry(retry.parse().unwrap()).permit(permit.parse().unwrap());
    let builder = builder.recovery(recovery.parse().unwrap());
    builder.cancelled_after(Duration::from_millis(3)).build().unwrap()
}

fn random_command(below: impl Fn(usize) -> usize) -> Command {
    let to =
        [Pinnable::ForcedOpen, Pinnable::ForcedClosed, Pinnable::MetricsOnly, Pinnable::Disabled]
            [below(4)];
    match below(4) {
        0 => Command::Auto,
        1 => Command::Reset,
        _ => Command::Pin(to, Pin::default().lasting(Duration::from_micros(below(4_000) as u64))),
    }
}

/// A few hundred random operations of one thread; the first thread also moves the clock.
fn weather(thread: u64, seed: u64, breaker: &CircuitBreaker, clock: &ManualClock, books: &Ledger) {
    let random = SeededRandom::new(seed * 64 + thread);
    let below = |limit: usize| (random.draw() * limit as f64) as usize;
    let mut tickets = VecDeque::new();
    for _ in 0..300 {
        match below(20) {
            0..=7 => tickets.extend(books.attempt(breaker)),
            8..=15 if !tickets.is_empty() => {
                let ticket = tickets.swap_remove_back(below(tickets.len())).unwrap();
                let end = [End::Success, FAILURE, FAILURE, ENDS[below(5)]][below(4)];
                books.settle(ticket, end);
            }
            16 if below(4) == 0 => breaker.command(random_command(below)),
            17 => {
                let _ = breaker.state();
            }
            18 => assert!(breaker.info().in_flight >= tickets.len() as u64),
            19 => breaker.tick(),
            _ => thread::yield_now(),
        }
        if thread == 0 && below(3) == 0 {
            clock.advance(Duration::from_micros(below(1_000) as u64));
        }
    }
    tickets.into_iter().for_each(|ticket| books.settle(ticket, End::Dropped));
}

fn storm(seed: u64, breaker: &CircuitBreaker, clock: &ManualClock, books: &Ledger) {
    let threads = 4 + seed % 5;
    let job = |thread| move || weather(thread, seed, breaker, clock, books);
    at_once((0..threads).map(job).collect());
}

#[test]
fn in_a_storm_every_call_is_counted_and_every_transition_told_once() {
    let mut generations = 0;
    for seed in 0..rounds(60) {
        let (breaker, clock, log) = breaker(storm_rules(seed));
        let books = Ledger::default();
        storm(seed, &breaker, &clock, &books);
        generations += breaker.info().generation;
        books.check(&breaker, &log);
    }
    assert!(generations > 1_000, "only {generations} transitions: that was no storm");
}

/// Listeners as one should not write them: they call the breaker, and they panic.
struct Meddler {
    breaker: Arc<Mutex<Option<CircuitBreaker>>>,
    books: Arc<Ledger>,
}

impl Meddler {
    fn meddle(&self, transition: &Transition) {
        let breaker = self.breaker.lock().unwrap().clone().unwrap();
        assert!(breaker.info().generation >= transition.generation);
        if let Some(ticket) = self.books.attempt(&breaker) {
            self.books.settle(ticket, FAILURE);
        }
        if transition.to == State::Open && transition.generation.is_multiple_of(7) {
            breaker.reset();
        }
    }
}

#[test]
fn listeners_that_call_the_breaker_or_panic_do_no_harm() {
    for seed in 0..rounds(30) {
        let (clock, log) = (Arc::new(ManualClock::new()), Log::default());
        let (myself, books) = (Arc::new(Mutex::new(None)), Arc::new(Ledger::default()));
        let meddler = Meddler { breaker: Arc::clone(&myself), books: Arc::clone(&books) };
        let meddled = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&meddled);
        let breaker = CircuitBreaker::builder("shared")
            .rules(storm_rules(seed))
            .clock(Arc::<ManualClock>::clone(&clock))
            .listener(|_: &str, _: &Transition| resume_unwind(Box::new("a bad listener")))
            .listener(move |_: &str, transition: &Transition| {
                meddler.meddle(transition);
                counter.fetch_add(1, Ordering::SeqCst);
            })
            .listener(log.clone())
            .build()
            .unwrap();
        *myself.lock().unwrap() = Some(breaker.clone());
        storm(seed, &breaker, &clock, &books);
        // The books are read after the last news, which the reading itself may make.
        breaker.tick();
        books.check(&breaker, &log);
        assert_eq!(meddled.load(Ordering::SeqCst), breaker.info().generation);
        // The listener holds the breaker that holds the listener.
        *myself.lock().unwrap() = None;
    }
}

#[test]
fn what_few_threads_do_has_an_order_that_explains_it() {
    let mut runner = TestRunner::deterministic();
    for seed in 0..rounds(400) {
        let case = case().new_tree(&mut runner).unwrap().current();
        let mut pair = Pair::new(&case.rules);
        for step in case.steps.iter().take(40) {
            pair.run_step(step).unwrap();
        }
        pair.run(Fixed::Look, 0.5).unwrap();
        let when = When { now: pair.subject.now(), draw: 0.5 };
        let admitted = pair.admitted;
        let mut threads = vec![VecDeque::new(); 2 + (seed % 2) as usize];
        for (index, call) in pair.in_flight.clone().into_iter().enumerate() {
            let of_thread = index % threads.len();
            threads[of_thread].push_back(call);
        }
        let own = threads.iter().map(|calls| {
            calls.iter().map(|call| pair.subject.take_ticket(*call)).collect::<VecDeque<_>>()
        });
        let own: Vec<_> = own.collect();
        let breaker = pair.subject.breaker();
        let jobs = own.into_iter().zip(seed * 8..);
        let jobs = jobs.map(|(own, seed)| move || few_operations(breaker, own, seed));
        let (did, _in_flight): (Vec<_>, Vec<_>) = at_once(jobs.collect()).into_iter().unzip();
        let threads = threads.into_iter().zip(did);
        let threads: Vec<_> = threads.map(|(calls, did)| Thread { calls, did }).collect();
        let (sight, told) = (pair.subject.look(when), pair.subject.take_news());
        let after = Aftermath { when, sight, told };
        assert!(
            some_order_explains(&pair.twin, &threads, admitted, &after),
            "no order of {threads:#?}\nexplains {after:#?}\nafter {case:?}"
        );
    }
}
