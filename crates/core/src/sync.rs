//! The one seam between what is lock-free here and the model checker that proves it: under `--cfg loom` the same names are
//! loom's (the idea is tokio's and crossbeam's).

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
