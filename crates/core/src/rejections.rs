//! Which errors say that an inner breaker rejected a call.
//!
//! An outer breaker must know, whatever the type of the error; but `CallError<E>` cannot be recognised without knowing
//! `E`. So the code that makes a rejected `CallError<E>`, which does know it, leaves a test for that type here first.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::error::{CallError, Rejected};

type Test = fn(&dyn Any) -> bool;

static TESTS: RwLock<BTreeMap<TypeId, Test>> = RwLock::new(BTreeMap::new());
/// How many tests there are. It only grows.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What a thread knows of the tests, so that it touches what is shared but seldom.
struct Known {
    /// Types whose test is there.
    tested: Vec<TypeId>,
    /// Types that had no test when there were `count` of them.
    plain: Vec<TypeId>,
    count: usize,
}

thread_local! {
    static KNOWN: RefCell<Known> =
        const { RefCell::new(Known { tested: Vec::new(), plain: Vec::new(), count: 0 }) };
}

thread_local! {
    /// The type that was last found to have no test, and how many tests there were.
    static LATEST: Cell<Option<(TypeId, usize)>> = const { Cell::new(None) };
    /// The type that was last found to have one.
    static RECOGNISED: Cell<Option<TypeId>> = const { Cell::new(None) };
}

/// From now on a rejected `CallError<E>` is recognised.
#[inline]
pub(crate) fn recognise<E: 'static>() {
    if RECOGNISED.get() != Some(TypeId::of::<CallError<E>>()) {
        recognise_newly::<E>();
    }
}

fn recognise_newly<E: 'static>() {
    let id = TypeId::of::<CallError<E>>();
    // A destructor that runs while the thread ends may find the list gone; then the shared table is asked.
    let known = KNOWN.try_with(|known| known.borrow().tested.contains(&id)).unwrap_or(false);
    RECOGNISED.set(Some(id));
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
    COUNT.store(tests.len(), Ordering::Release);
    drop(tests);
    let _ = KNOWN.try_with(|known| known.borrow_mut().tested.push(id));
}

/// The test for a type, if there is one.
fn test_of(id: TypeId) -> Option<Test> {
    let count = COUNT.load(Ordering::Acquire);
    let is_plain = |known: &Known| known.count == count && known.plain.contains(&id);
    if KNOWN.try_with(|known| is_plain(&known.borrow())).unwrap_or(false) {
        LATEST.set(Some((id, count)));
        return None;
    }
    let test = TESTS.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
    if test.is_none() {
        LATEST.set(Some((id, count)));
        let _ = KNOWN.try_with(|known| known.borrow_mut().remember_plain(id, count));
    }
    test
}

impl Known {
    fn remember_plain(&mut self, id: TypeId, count: usize) {
        if self.count != count {
            self.plain.clear();
            self.count = count;
        }
        self.plain.push(id);
    }
}

/// Whether `error` is a [`Rejected`], a rejected [`CallError`], or a box or an `io::Error` that stems from one.
#[inline]
pub(crate) fn is_rejection<E: 'static>(error: &E) -> bool {
    // Most threads see one type of error most of the time.
    LATEST.get() != Some((TypeId::of::<E>(), COUNT.load(Ordering::Acquire)))
        && is_any_rejection(error)
}

fn is_any_rejection(error: &dyn Any) -> bool {
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
    test_of(error.type_id()).is_some_and(|test| test(error))
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
