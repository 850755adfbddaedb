//! Keyed circuits of any type of key, as a board lists them.

use std::any::{Any, TypeId, type_name};
use std::hash::Hash;
use std::sync::Arc;

use super::{Keyed, KeyedInfo, KeyedLimits};
use crate::breaker::CircuitBreaker;
use crate::rules::Rules;

/// A [`Keyed`] without its type.
pub(crate) trait Listed: Any + Send + Sync {
    fn info(&self) -> KeyedInfo;
    fn reset_all(&self);
    fn find_by_name(&self, name: &str) -> Option<CircuitBreaker>;
    /// The rules of all of them.
    fn rules(&self) -> Arc<Rules>;
    /// In what it differs from one with other keys or limits; empty if in nothing.
    fn differing(&self, key: KeyType, limits: KeyedLimits) -> Vec<String>;
}

/// A type of keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyType {
    id: TypeId,
    name: &'static str,
}

impl KeyType {
    pub(crate) fn of<K: 'static>() -> Self {
        KeyType { id: TypeId::of::<K>(), name: type_name::<K>() }
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Listed for Keyed<K> {
    fn info(&self) -> KeyedInfo {
        self.info()
    }

    fn reset_all(&self) {
        self.reset_all();
    }

    fn find_by_name(&self, name: &str) -> Option<CircuitBreaker> {
        self.find_by_name(name)
    }

    fn rules(&self) -> Arc<Rules> {
        self.rules()
    }

    fn differing(&self, key: KeyType, limits: KeyedLimits) -> Vec<String> {
        let own = KeyType::of::<K>();
        let mut differing = Vec::new();
        if own != key {
            differing.push(format!("key is {}, not {}", own.name, key.name));
        }
        for ((name, mine), (_, theirs)) in
            self.limits().settings().into_iter().zip(limits.settings())
        {
            if mine != theirs {
                differing.push(format!("{name} is {mine}, not {theirs}"));
            }
        }
        differing
    }
}
