//! Loom models of the breaker itself: small programs of calls and commands, run in every interleaving of their threads.
//!
//! What a program comes to (what each thread was told, what there is to know at the end, what the listener was told, in its
//! order) is compared with what the orders of its steps come to on an engine that has one thread. It must be the same set:
//! an interleaving that no order explains is a mistake of the breaker, an order that no interleaving comes to is one of the
//! model.
//!
//! The bounds: two or three threads beside the first, with one to five steps each; at most two preemptions, in the long size
//! four where two threads have three steps together at most, and three elsewhere (a thread that waits lets others go on
//! without limit); of each atomic the seven latest stores, which is loom's own bound. What [`crate::sync`] does not name runs
//! as it is, in one piece: the counts of `Arc`s and the table of names.

mod calls;
mod orders;
mod program;
mod thread;
mod transitions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use program::{Op, Program};

use crate::rules::{Rules, RulesBuilder};

/// How many preemptions the interleavings of a model have at most; `None`: any number.
pub(super) struct Preemptions {
    pub(super) small: Option<usize>,
    /// Where `FUSEBOARD_MODELS` is `long`.
    pub(super) long: Option<usize>,
}

/// How long an interleaving can be. None comes near; it ends those that would never end.
const BRANCHES: usize = 20_000;

/// Runs `model` in every interleaving within the bound, and refuses one that has only one: that proves nothing.
pub(super) fn explore(preemptions: &Preemptions, model: impl Fn() + Send + Sync + 'static) {
    let long = std::env::var_os("FUSEBOARD_MODELS").is_some_and(|size| size == "long");
    let bound = if long { preemptions.long } else { preemptions.small };
    let mut builder = loom::model::Builder::new();
    (builder.max_branches, builder.preemption_bound) = (BRANCHES, bound);
    let interleavings = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&interleavings);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let interleavings = interleavings.load(Ordering::Relaxed);
    println!("Completed in {interleavings} iterations");
    assert!(interleavings > 1, "only one interleaving");
}

/// The rules of a model: a small window, a tripper, and a wait of 10 s.
fn rules(window: &str, tripper: &str) -> RulesBuilder {
    let retry = "cooldown(10s)".parse().unwrap();
    let rules = Rules::builder().window(window.parse().unwrap()).tripper(tripper.parse().unwrap());
    rules.retry(retry).slots(1).recovery("successes(1)".parse().unwrap())
}

/// A window of two calls, so that it shows which ones came last.
fn opens_after(failures: u64) -> Rules {
    rules("count(2)", &format!("failure_streak({failures})")).build().unwrap()
}
