//! What a key may be, and what may stand for it when it is looked up.

use std::borrow::Borrow;
use std::fmt::Display;
use std::hash::Hash;

/// Stands for a key of type `K`: `K` itself, or what it borrows as, so that a `Keyed<String>` is asked with a `&str` and
/// nothing is allocated for a key that is known.
///
/// It is implemented for all types that can be. Its text (`Display`) makes the circuit's name; equality and hash decide
/// which circuit it is. `Eq` and `Clone` of a key run under a lock of the [`Keyed`](crate::Keyed), so they must not call it.
pub trait KeyOf<K>: Hash + Eq + Display + ToOwned<Owned = K> {
    /// Whether `key` is the key that this stands for.
    fn is(&self, key: &K) -> bool;
}

impl<K, Q> KeyOf<K> for Q
where
    K: Borrow<Q>,
    Q: Hash + Eq + Display + ToOwned<Owned = K> + ?Sized,
{
    fn is(&self, key: &K) -> bool {
        key.borrow() == self
    }
}
