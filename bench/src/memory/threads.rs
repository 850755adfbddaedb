//! What a thread takes that uses a breaker, and whether that comes back when it ends.

use std::sync::{Arc, Barrier};
use std::thread;

use fuseboard_core::policy::Tracker;
use fuseboard_core::{CircuitBreaker, Rules, RulesBuilder};

use super::breakers::{BREAKERS, name, rules};
use super::heap::{Heap, change_by_thread};
use crate::protect::Fault;

/// So many calls by each thread to each breaker: enough to get counts of its own.
const CALLS: usize = 200;

/// What threads take that use breakers.
pub(super) struct Threads {
    pub(super) what: String,
    /// Bytes for each thread and breaker, while the thread lives.
    pub(super) bytes: f64,
    /// Bytes that are left when all of them ended.
    pub(super) left: i64,
}

/// Some numbers of threads, and of breakers.
pub(super) fn all() -> Result<Vec<Threads>, String> {
    let mut all = Vec::new();
    for threads in [1, 2, 8] {
        let s = if threads == 1 { "" } else { "s" };
        all.push(measure(format!("{threads} thread{s}, one breaker"), threads, 1, |rules| rules)?);
    }
    let what = "2 threads, one breaker whose rules look at results";
    all.push(measure(what.to_owned(), 2, 1, looking)?);
    let what = format!("2 threads, each the same {BREAKERS} breakers");
    all.push(measure(what, 2, BREAKERS, |rules| rules)?);
    Ok(all)
}

/// Rules of which every call needs to know more than a word holds.
fn looking(rules: RulesBuilder) -> RulesBuilder {
    rules.tracker(Tracker::value("zero", |found: &u64| *found == 0))
}

fn measure(
    what: String,
    threads: usize,
    number: usize,
    change: impl FnOnce(RulesBuilder) -> RulesBuilder,
) -> Result<Threads, String> {
    let breakers = breakers(number, &Arc::new(rules(change)));
    // What a breaker keeps since somebody used it is the breaker's own.
    change_by_thread(|| _ = use_all(&breakers));
    let step = Barrier::new(threads + 1);
    let before = Heap::now();
    let kept = thread::scope(|scope| {
        let work = || {
            step.wait(); // Everybody is there.
            step.wait(); // That is taken down.
            let fine = use_all(&breakers);
            step.wait(); // Everybody has called.
            step.wait(); // That is taken down.
            fine
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        step.wait();
        let idle = Heap::now();
        step.wait();
        step.wait();
        let kept = idle.change().bytes;
        step.wait();
        // A scope ends when the closures have; only who joins knows that the threads have ended.
        let joined = handles.into_iter().map(|handle| handle.join().expect("it does not panic"));
        let all: Vec<bool> = joined.collect();
        all.iter().all(|fine| *fine).then_some(kept)
    });
    let left = before.change().bytes;
    let kept = kept.ok_or_else(|| format!("{what}: not every call succeeded"))?;
    if kept <= 0 {
        return Err(format!("{what}: no thread got counts of its own"));
    }
    Ok(Threads { what, bytes: kept as f64 / (threads * number) as f64, left })
}

/// The most bytes that are left to a thread which goes on, after all the breakers are gone that it used: a thousand at a
/// time, ten times.
pub(super) fn most_left_of_gone() -> Result<i64, String> {
    let rules = Arc::new(Rules::default());
    let (mut most, mut fine) = (0, true);
    change_by_thread(|| {
        let before = Heap::now();
        for _ in 0..10 {
            fine &= use_all(&breakers(BREAKERS, &rules));
            most = most.max(before.change().bytes);
        }
    });
    fine.then_some(most).ok_or_else(|| "not every call of breakers that go succeeded".to_owned())
}

fn breakers(number: usize, rules: &Arc<Rules>) -> Vec<CircuitBreaker> {
    let make = |index| CircuitBreaker::builder(name(index)).rules(Arc::clone(rules)).build();
    (0..number).map(make).collect::<Result<_, _>>().expect("circuits can have these names")
}

/// Whether all calls succeeded. It does not panic, because others wait for its thread.
fn use_all(breakers: &[CircuitBreaker]) -> bool {
    let succeeds = |breaker: &CircuitBreaker| breaker.call(|| Ok::<_, Fault>(1_u64)).is_ok();
    (0..CALLS).all(|_| breakers.iter().all(succeeds))
}
