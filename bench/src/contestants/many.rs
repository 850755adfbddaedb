//! Many breakers of one kind, called in turn by each thread: a program with a circuit for each of its dependencies.

use std::cell::Cell;

use crate::protect::{Answer, Fault, Protect};

/// So many breakers that no thread finds all of them at once.
const BREAKERS: usize = 1000;

pub(crate) struct Many<P>(Vec<P>);

pub(crate) fn many<P>(one: impl Fn() -> P) -> Many<P> {
    Many((0..BREAKERS).map(|_| one()).collect())
}

thread_local! {
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

impl<P: Protect> Protect for Many<P> {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        let next = NEXT.replace(if NEXT.get() + 1 == BREAKERS { 0 } else { NEXT.get() + 1 });
        self.0[next].protect(call)
    }
}
