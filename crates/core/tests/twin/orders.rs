//! A few operations of a few threads: every order in which they may have happened is tried on the twin.

use std::collections::VecDeque;
use std::thread;

use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::{CircuitBreaker, Ticket};

use crate::engine::{answer, settle};
use crate::twin::Twin;
use crate::words::{Answer, ENDS, End, FAILURE, News, Sight, When};

/// An operation of a thread, with what it gave.
#[derive(Clone, Debug)]
pub(crate) enum Did {
    Acquire(Answer),
    /// The oldest of the thread's own calls ended.
    Settle(End),
    Look(Box<Sight>),
}

/// What one thread did, and the numbers of the calls it had in flight at the start, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) calls: VecDeque<usize>,
    pub(crate) did: VecDeque<Did>,
}

/// What was seen from outside when all threads were done.
#[derive(Clone, Debug)]
pub(crate) struct Aftermath {
    pub(crate) when: When,
    pub(crate) sight: Sight,
    pub(crate) told: Vec<News>,
}

/// Runs two to four random operations on this thread; gives what they gave, and what is in flight still.
pub(crate) fn few_operations(
    breaker: &CircuitBreaker,
    mut tickets: VecDeque<Ticket>,
    seed: u64,
) -> (VecDeque<Did>, VecDeque<Ticket>) {
    let random = SeededRandom::new(seed);
    let below = |limit: usize| (random.draw() * limit as f64) as usize;
    let mut did = VecDeque::new();
    for _ in 0..2 + below(3) {
        if below(5) == 0 {
            did.push_back(Did::Look(Box::new(breaker.info().into())));
            continue;
        }
        match tickets.pop_front() {
            Some(ticket) if below(3) > 0 => {
                let end = [End::Success, FAILURE, FAILURE, ENDS[below(5)]][below(4)];
                settle(ticket, end);
                did.push_back(Did::Settle(end));
            }
            oldest => {
                oldest.into_iter().for_each(|ticket| tickets.push_front(ticket));
                let attempt = breaker.try_acquire();
                did.push_back(Did::Acquire(answer(&attempt)));
                tickets.extend(attempt.ok());
            }
        }
        if below(2) == 0 {
            thread::yield_now();
        }
    }
    (did, tickets)
}

/// Whether some order of the threads' operations, each thread's own kept, gives on the twin what they gave on the
/// engine. `admitted` is how many calls were admitted before.
pub(crate) fn some_order_explains(
    twin: &Twin,
    threads: &[Thread],
    admitted: usize,
    after: &Aftermath,
) -> bool {
    let mut twin = twin.clone();
    twin.hear(&after.told);
    some_continuation(&twin, threads, admitted, after)
}

fn some_continuation(twin: &Twin, threads: &[Thread], admitted: usize, after: &Aftermath) -> bool {
    if threads.iter().all(|thread| thread.did.is_empty()) {
        let mut twin = twin.clone();
        return twin.look(after.when) == after.sight && twin.news() == after.told;
    }
    (0..threads.len()).any(|turn| {
        let (mut twin, mut threads, mut admitted) = (twin.clone(), threads.to_vec(), admitted);
        let Thread { calls, did } = &mut threads[turn];
        match did.pop_front() {
            None => return false,
            Some(Did::Settle(end)) => {
                let call = calls.pop_front().expect("a thread settles what it has");
                twin.settle(call, end, after.when);
            }
            Some(Did::Look(sight)) => {
                if twin.look(after.when) != *sight {
                    return false;
                }
            }
            Some(Did::Acquire(answer)) => {
                if twin.acquire(after.when) != answer {
                    return false;
                }
                if matches!(answer, Answer::Admitted { .. }) {
                    calls.push_back(admitted);
                    admitted += 1;
                }
            }
        }
        after.told.starts_with(twin.news()) && some_continuation(&twin, &threads, admitted, after)
    })
}
