//! Puts keyed circuits together: what they have in common, and how one more is made.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Keyed, KeyedLimits, name};
use crate::breaker::{CircuitBreaker, Common};
use crate::error::BuildError;
use crate::listener::Listener;
use crate::random::Random;
use crate::rules::Rules;
use crate::time::Clock;

/// Puts a [`Keyed`] together. All of its circuits share its rules, clock, random numbers and listeners.
pub struct KeyedBuilder<K> {
    name: Arc<str>,
    rules: Arc<Rules>,
    common: Arc<Common>,
    limits: KeyedLimits,
    key: PhantomData<fn(&K)>,
}

/// What keyed circuits have in common.
pub(super) struct Family {
    pub(super) name: Arc<str>,
    rules: RwLock<Arc<Rules>>,
    pub(super) common: Arc<Common>,
}

impl<K> fmt::Debug for KeyedBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limits) = (&self.name, &self.limits);
        f.debug_struct("KeyedBuilder")
            .field("name", name)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> KeyedBuilder<K> {
    pub(super) fn new(name: &str) -> Self {
        let (name, rules, common) = (name.into(), Arc::default(), Arc::default());
        KeyedBuilder { name, rules, common, limits: KeyedLimits::default(), key: PhantomData }
    }

    /// Uses what other breakers use, too.
    pub(crate) fn common(mut self, common: Arc<Common>) -> Self {
        self.common = common;
        self
    }

    /// Sets the policies of every circuit.
    #[must_use]
    pub fn rules(mut self, rules: impl Into<Arc<Rules>>) -> Self {
        self.rules = rules.into();
        self
    }

    /// Sets how many keys may have a circuit, and for how long without use.
    #[must_use]
    pub fn limits(mut self, limits: KeyedLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the operating system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        Arc::make_mut(&mut self.common).set_clock(clock);
        self
    }

    /// Replaces the source of random numbers.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        Arc::make_mut(&mut self.common).random = random;
        self
    }

    /// Adds a listener to every circuit. It is told each circuit's full name, and may call the [`Keyed`].
    #[must_use]
    pub fn listener(self, listener: impl Listener + 'static) -> Self {
        self.shared_listener(Arc::new(listener))
    }

    /// Adds a listener that others share to every circuit.
    #[must_use]
    pub fn shared_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        Arc::make_mut(&mut self.common).listeners.push(listener);
        self
    }

    /// Makes the keyed circuits, none yet.
    ///
    /// # Errors
    ///
    /// [`BuildError::Name`] if no circuit can have a name that begins with this one: it may have 134 characters at most.
    /// [`BuildError::Policy`] if a limit is impossible.
    pub fn build(self) -> Result<Keyed<K>, BuildError> {
        let KeyedBuilder { name, rules, common, limits, .. } = self;
        limits.validate(&name)?;
        let family = Family { name, rules: RwLock::new(rules), common };
        let overflow = family.make(&name::overflow(&family.name))?;
        Ok(Keyed::new(family, limits, overflow))
    }
}

impl Family {
    /// One more circuit.
    pub(super) fn make(&self, name: &str) -> Result<CircuitBreaker, BuildError> {
        let builder = CircuitBreaker::builder(name).common(Arc::clone(&self.common));
        builder.rules(self.rules()).build()
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_rules(&self, rules: Arc<Rules>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Gives a circuit the present rules, whoever changes them meanwhile.
    pub(super) fn update(&self, breaker: &CircuitBreaker) {
        let mut rules = self.rules();
        while !Arc::ptr_eq(&breaker.rules(), &rules) {
            breaker.reconfigure(rules);
            rules = self.rules();
        }
    }
}
