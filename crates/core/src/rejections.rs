//! Which errors say that an inner breaker rejected a call.
//!
//! An outer breaker must know, whatever the type of the error; but `CallError<E>` cannot be recognised without knowing
//! `E`. So the code that makes a rejected `CallError<E>`, which does know it, leaves a test for that type here first.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::{PoisonError, RwLock};

use crate::error::{CallError, Rejected};

type Test = fn(&dyn Any) -> bool;

static TESTS: RwLock<BTreeMap<TypeId, Test>> = RwLock::new(BTreeMap::new());

thread_local! {
    /// What this thread has left in `TESTS`, so that a rejection touches nothing shared but the first time.
    static LEFT: RefCell<Vec<TypeId>> = const { RefCell::new(Vec::new()) };
}

/// From now on a rejected `CallError<E>` is recognised.
pub(crate) fn recognise<E: 'static>() {
    let id = TypeId::of::<CallError<E>>();
    // A destructor that runs while the thread ends may find the list gone; then the shared table is asked.
    let known = LEFT.try_with(|left| left.borrow().contains(&id)).unwrap_or(false);
    if known {
        return;
    }
    let mut tests = TESTS.write().unwrap_or_else(PoisonError::into_inner);
    tests.insert(id, |error| {
        error.downcast_ref::<CallError<E>>().is_some_and(|error| match error {
            CallError::Rejected(_) => true,
            CallError::Failed(error) => is_rejection(error),
        })
    });
    drop(tests);
    let _ = LEFT.try_with(|left| left.borrow_mut().push(id));
}

/// Whether `error` is a [`Rejected`], a rejected [`CallError`], or a box or an `io::Error` that stems from one.
pub(crate) fn is_rejection(error: &dyn Any) -> bool {
    if error.is::<Rejected>() {
        return true;
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return stems_from_rejection(boxed.as_ref());
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error>>() {
        return stems_from_rejection(boxed.as_ref());
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return stems_from_rejection(error);
    }
    let tests = TESTS.read().unwrap_or_else(PoisonError::into_inner);
    let test = tests.get(&error.type_id()).copied();
    drop(tests);
    test.is_some_and(|test| test(error))
}

fn stems_from_rejection(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io_inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<Rejected>() || io_inner.is_some_and(|inner| inner.is::<Rejected>()) {
            return true;
        }
        next = error.source();
    }
    false
}
