//! The calls of a case: the same loop around every contestant, compiled into each.

use std::future::ready;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tower::{Service, ServiceExt};

use crate::entry::{Claim, Entry, HUNDRED, Tally};
use crate::protect::{Answer, Fault, Protect, ProtectAsync};
use crate::work::{links, work};

/// Which of a hundred calls fail.
type Pattern = [bool; HUNDRED as usize];

/// How long a breaker may take to open while all its calls fail; some look at nothing before a window has passed.
const TRIPPING: Duration = Duration::from_secs(5);

thread_local! {
    /// One runtime for each measuring thread, made while it warms up.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing that could be missing");
}

/// A breaker that stays closed while `failures` of each hundred calls fail.
pub(crate) fn closed<P: Protect>(name: &'static str, failures: u64, breaker: P) -> Entry {
    mixed(name, Claim::Closed { failures }, evenly(failures), Arc::new(breaker))
}

/// A breaker that its own calls have opened.
pub(crate) fn open<P: Protect>(name: &'static str, breaker: P) -> Entry {
    trip(&breaker);
    mixed(name, Claim::Open, evenly(0), Arc::new(breaker))
}

/// A closed breaker with work in each call that needs the result of the call before.
pub(crate) fn working<P: Protect>(name: &'static str, breaker: P) -> Entry {
    let breaker = Arc::new(breaker);
    let asked = Arc::clone(&breaker);
    let links = links();
    let run = move |calls| work_through(&*breaker, calls, links);
    let claim = Claim::Closed { failures: 0 };
    Entry::new(name, claim, Box::new(run), Box::new(move || asked.told()))
}

/// A closed breaker around futures that are ready.
pub(crate) fn ready_futures<P: ProtectAsync>(name: &'static str, breaker: P) -> Entry {
    let breaker = Arc::new(breaker);
    let asked = Arc::clone(&breaker);
    let pattern = evenly(0);
    let run = move |calls| {
        RUNTIME.with(|runtime| runtime.block_on(await_all(&*breaker, calls, &pattern)))
    };
    let claim = Claim::Closed { failures: 0 };
    Entry::new(name, claim, Box::new(run), Box::new(move || asked.told()))
}

/// A Tower service that is always ready, alone or under a layer. Each thread has its clone.
pub(crate) fn service<S>(name: &'static str, service: S) -> Entry
where
    S: Service<(), Response = (), Error: Into<Answer<()>>> + Clone + Send + 'static,
{
    let shared = Mutex::new(service);
    let run = move |calls| {
        let own = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        RUNTIME.with(|runtime| runtime.block_on(serve(own, calls)))
    };
    Entry::new(name, Claim::Closed { failures: 0 }, Box::new(run), Box::new(|| None))
}

/// A result that the compiler knows nothing about.
pub(crate) fn opaque_ok() -> Result<(), Fault> {
    black_box(Ok(()))
}

fn mixed<P: Protect>(name: &'static str, claim: Claim, pattern: Pattern, breaker: Arc<P>) -> Entry {
    let asked = Arc::clone(&breaker);
    let run = move |calls| call_all(&*breaker, calls, &pattern);
    Entry::new(name, claim, Box::new(run), Box::new(move || asked.told()))
}

fn call_all<P: Protect>(breaker: &P, calls: u64, pattern: &Pattern) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..calls / HUNDRED {
        for fails in black_box(pattern) {
            let answer = breaker.protect(|| if *fails { Err(Fault) } else { Ok(()) });
            tally.add(black_box(&answer));
        }
    }
    tally
}

async fn await_all<P: ProtectAsync>(breaker: &P, calls: u64, pattern: &Pattern) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..calls / HUNDRED {
        for fails in black_box(pattern) {
            let call = || ready(if *fails { Err(Fault) } else { Ok(()) });
            let answer = breaker.protect(call).await;
            tally.add(black_box(&answer));
        }
    }
    tally
}

async fn serve<S>(mut service: S, calls: u64) -> Tally
where
    S: Service<(), Response = (), Error: Into<Answer<()>>>,
{
    let mut tally = Tally::default();
    for _ in 0..calls {
        let result = match service.ready().await {
            Ok(service) => service.call(()).await,
            Err(error) => Err(error),
        };
        tally.add(black_box(&result.map_or_else(Into::into, Answer::Value)));
    }
    tally
}

fn work_through<P: Protect>(breaker: &P, calls: u64, links: u32) -> Tally {
    let mut tally = Tally::default();
    let mut number = black_box(1);
    for _ in 0..calls {
        let answer = breaker.protect(|| Ok(work(number, links)));
        tally.add(&answer);
        if let Answer::Value(next) = answer {
            number = next;
        }
    }
    black_box(number);
    tally
}

/// Spreads `failures` over a hundred calls. The first is none, because a moving average of the time gives the first
/// call after a pause most weight.
fn evenly(failures: u64) -> Pattern {
    std::array::from_fn(|index| {
        let index = index as u64;
        (index + 1) * failures / HUNDRED > index * failures / HUNDRED
    })
}

/// Fails calls until one is rejected. A breaker that never opens is found out by its first batch.
fn trip<P: Protect>(breaker: &P) {
    let started = Instant::now();
    while started.elapsed() < TRIPPING {
        if let Answer::Rejected = breaker.protect(|| Err::<(), _>(Fault)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_spread_evenly_and_never_come_first() {
        for failures in [0, 1, 30, 50] {
            let pattern = evenly(failures);
            assert_eq!(pattern.iter().filter(|fails| **fails).count() as u64, failures);
            assert!(!pattern[0]);
            let doubled = [pattern, pattern].concat();
            assert!(!doubled.windows(2).any(|pair| pair == [true, true]), "{failures}");
        }
    }
}
