//! A small program of calls and commands, and what a run of it came to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Preemptions, explore, orders, thread};
use crate::breaker::Totals;
use crate::error::Rejected;
use crate::machine::{Cause, Command, Pin, Pinnable, Transition};
use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::rules::Rules;
use crate::state::State;

/// What a thread does.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Gets its thread a cell, as one gets who calls often.
    Welcome,
    /// Asks to make a call, and keeps the ticket.
    Enter,
    /// As `Enter`, with a light ticket where there is one.
    EnterLight,
    /// Settles its oldest ticket; nothing, if that call was rejected.
    End(Outcome),
    /// Drops its oldest ticket; nothing, if that call was rejected.
    Leave,
    /// Makes a call, with `call`; by a thread that has no ticket.
    Call(Outcome),
    Command(Command),
    /// Gives the circuit other rules.
    Reconfigure(Arc<Rules>),
    /// Moves the clock by so many seconds.
    Pass(u64),
    /// Reads all there is to know.
    Look,
}

pub(super) fn reset() -> Op {
    Op::Command(Command::Reset)
}

pub(super) fn auto() -> Op {
    Op::Command(Command::Auto)
}

/// Pins a state, for so many seconds or for ever.
pub(super) fn pin(to: Pinnable, seconds: Option<u64>) -> Op {
    let lasting = |seconds| Pin::default().lasting(Duration::from_secs(seconds));
    Op::Command(Command::Pin(to, seconds.map_or_else(Pin::default, lasting)))
}

/// What a thread was told.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Admitted,
    Rejected(State, Cause, Option<Duration>),
    Seen(View),
}

impl From<Result<(), Rejected>> for Answer {
    fn from(made: Result<(), Rejected>) -> Self {
        match made {
            Ok(()) => Answer::Admitted,
            Err(Rejected { state, cause, retry_after, .. }) => {
                Answer::Rejected(state, cause, retry_after)
            }
        }
    }
}

/// What there is to know of a circuit.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) state: State,
    pub(super) generation: u64,
    /// Calls in the window, failures among them, and failures in a row.
    pub(super) window: [u64; 3],
    pub(super) in_flight: u64,
    pub(super) totals: Totals,
}

impl View {
    /// What a thread sees while others are at work: without their rejections, which it may see later than what came after.
    pub(super) fn amid(self) -> Self {
        View { totals: Totals { rejected: 0, ..self.totals }, ..self }
    }
}

pub(super) fn window_of(metrics: &Metrics) -> [u64; 3] {
    [metrics.total, metrics.failures, metrics.streak]
}

/// What a listener was told: the generation, the state before and after, and why.
pub(super) type Told = (u64, State, State, Cause);

pub(super) fn told_of(transition: &Transition) -> Told {
    (transition.generation, transition.from, transition.to, transition.cause)
}

/// What some threads do with one circuit.
pub(super) struct Program {
    pub(super) rules: Arc<Rules>,
    /// What the first thread does before there are others. Of the tickets that this leaves, each thread gets one.
    pub(super) before: Vec<Op>,
    pub(super) threads: Vec<Vec<Op>>,
    /// What the first thread does when the others are done.
    pub(super) after: Vec<Op>,
    /// Whether every thread has a cell before the first begins, and keeps it until everything is over.
    pub(super) at_home: bool,
}

impl Program {
    pub(super) fn new<const N: usize>(rules: Rules, threads: [&[Op]; N]) -> Self {
        let threads = threads.into_iter().map(<[Op]>::to_vec).collect();
        let (rules, before, after) = (Arc::new(rules), Vec::new(), Vec::new());
        Program { rules, before, threads, after, at_home: false }
    }

    pub(super) fn at_home(self) -> Self {
        Program { at_home: true, ..self }
    }

    pub(super) fn before(self, before: &[Op]) -> Self {
        Program { before: before.to_vec(), ..self }
    }

    pub(super) fn after(self, after: &[Op]) -> Self {
        Program { after: after.to_vec(), ..self }
    }

    /// The interleavings come to what the orders come to that keep to the order of each thread.
    pub(super) fn check(self) {
        let orders = orders::results(&self, false);
        self.compare(&orders);
    }

    /// As [`check`](Self::check), but a success may come later than the next admissions of its own thread, and in some
    /// interleaving that makes a difference.
    pub(super) fn check_with_late_successes(self) {
        let orders = orders::results(&self, true);
        assert_ne!(orders, orders::results(&self, false), "being late makes no difference");
        self.compare(&orders);
    }

    fn compare(self, orders: &BTreeSet<String>) {
        let small =
            self.threads.len() == 2 && self.threads.iter().map(Vec::len).sum::<usize>() <= 3;
        let long = if small { 4 } else { 3 };
        let preemptions = Preemptions { small: Some(2), long: Some(long) };
        let results = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&results);
        explore(&preemptions, move || {
            let result = thread::run(&self);
            seen.lock().unwrap().insert(result);
        });
        let seen = std::mem::take(&mut *results.lock().unwrap());
        let unknown: Vec<_> = seen.difference(orders).collect();
        assert!(unknown.is_empty(), "no order comes to {unknown:#?}, only to {orders:#?}");
        let missing: Vec<_> = orders.difference(&seen).collect();
        assert!(missing.is_empty(), "no interleaving comes to {missing:#?}, only to {seen:#?}");
    }
}
