//! Trackers of Rust types: a type to look for, and a test of what is found.

use std::any::{Any, type_name};
use std::fmt;
use std::marker::PhantomData;

use super::{Seen, TrackPolicy};

/// Errors of type `E` that pass a test.
pub(super) struct ErrorTest<E, F> {
    name: String,
    test: F,
    looks_for: PhantomData<fn(&E)>,
}

/// Results of type `T` that pass a test.
pub(super) struct ValueTest<T, F> {
    name: String,
    test: F,
    looks_for: PhantomData<fn(&T)>,
}

impl<E, F> ErrorTest<E, F> {
    pub(super) fn new(name: String, test: F) -> Self {
        ErrorTest { name, test, looks_for: PhantomData }
    }
}

impl<T, F> ValueTest<T, F> {
    pub(super) fn new(name: String, test: F) -> Self {
        ValueTest { name, test, looks_for: PhantomData }
    }
}

impl<E: Any, F: Fn(&E) -> bool + Send + Sync> TrackPolicy for ErrorTest<E, F> {
    fn matches(&self, seen: &Seen<'_>) -> bool {
        seen.downcast_error().is_some_and(&self.test)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Any, F: Fn(&T) -> bool + Send + Sync> TrackPolicy for ValueTest<T, F> {
    fn matches(&self, seen: &Seen<'_>) -> bool {
        seen.downcast_value().is_some_and(&self.test)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl<E, F> fmt::Debug for ErrorTest<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorTest({}: {})", self.name, type_name::<E>())
    }
}

impl<T, F> fmt::Debug for ValueTest<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueTest({}: {})", self.name, type_name::<T>())
    }
}
