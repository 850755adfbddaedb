//! The one seam between the concurrent code here and the model checker that proves it: under `--cfg loom` the same names
//! are loom's (the idea is tokio's and crossbeam's).
//!
//! What is not here stays the standard library's in a model, too: `Arc` and `Weak`, the table of names, the numbers that a
//! seed makes. None of it is held while one of these names is used, so that no model can block outside loom's sight.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::thread_local;

#[cfg(loom)]
pub(crate) use self::modelled::{AtomicU64, Mutex, MutexGuard, Ordering, thread_local};

#[cfg(loom)]
mod modelled {
    use loom::sync::atomic;
    pub(crate) use loom::sync::atomic::Ordering;
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// Loom's, with a turn that every access takes first.
    ///
    /// Loom 0.7 remembers the latest access only when it looks for what a store could race with, so that a thread's own
    /// load before its store hides the loads of others, and orders are left out. All takings of a turn depend on each
    /// other, whoever takes it, and order no memory.
    #[derive(Debug)]
    pub(crate) struct AtomicU64 {
        value: atomic::AtomicU64,
        turn: atomic::AtomicU64,
    }

    impl AtomicU64 {
        pub(crate) fn new(value: u64) -> Self {
            AtomicU64 { value: atomic::AtomicU64::new(value), turn: atomic::AtomicU64::new(0) }
        }

        fn take_turn(&self) {
            self.turn.fetch_add(1, Ordering::Relaxed);
        }

        pub(crate) fn load(&self, ordering: Ordering) -> u64 {
            self.take_turn();
            self.value.load(ordering)
        }

        pub(crate) fn store(&self, value: u64, ordering: Ordering) {
            self.take_turn();
            self.value.store(value, ordering);
        }
    }

    impl Default for AtomicU64 {
        fn default() -> Self {
            AtomicU64::new(0)
        }
    }

    /// Loom's, which knows no `const { }`.
    macro_rules! modelled_thread_local {
        (static $name:ident: $type:ty = const $init:block;) => {
            loom::thread_local! { static $name: $type = $init; }
        };
    }
    pub(crate) use modelled_thread_local as thread_local;
}
