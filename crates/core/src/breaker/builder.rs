//! Puts a circuit breaker together.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::{CircuitBreaker, Inner, Published, Shared};
use crate::engine::Engine;
use crate::error::{BuildError, InvalidName};
use crate::listener::{Listener, Listeners};
use crate::names::Registration;
use crate::random::{Random, SeededRandom};
use crate::rules::Rules;
use crate::time::{Clock, SystemClock};

/// Puts a [`CircuitBreaker`] together.
///
/// ```
/// use fuseboard_core::{CircuitBreaker, Rules, time::ManualClock};
/// use std::sync::Arc;
///
/// let rules = Rules::builder().window("time(60s)".parse()?).build()?;
/// let clock = Arc::new(ManualClock::new());
/// let breaker = CircuitBreaker::builder("payments").rules(rules).clock(clock).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder {
    name: String,
    rules: Rules,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    listeners: Vec<Arc<dyn Listener>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(name: String) -> Self {
        Builder {
            name,
            rules: Rules::default(),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SeededRandom::from_entropy()),
            listeners: Vec::new(),
        }
    }

    /// Sets the circuit's policies.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Replaces the operating system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the source of random numbers.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Adds a listener.
    #[must_use]
    pub fn listener(self, listener: impl Listener + 'static) -> Self {
        self.shared_listener(Arc::new(listener))
    }

    /// Adds a listener that others share.
    #[must_use]
    pub fn shared_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Makes the breaker, closed.
    ///
    /// # Errors
    ///
    /// [`BuildError::Name`] if no circuit can have that name.
    pub fn build(self) -> Result<CircuitBreaker, BuildError> {
        InvalidName::check(&self.name)?;
        let name: Arc<str> = self.name.into();
        let rules = Arc::new(self.rules);
        let engine = Engine::new(Arc::clone(&rules), self.clock.now());
        let inner = Inner::new(engine);
        let registration = Registration::of(Arc::clone(&name));
        let shared = Shared {
            published: Published::new(registration.id().number(), &rules, self.clock.lag()),
            registration,
            name,
            rules,
            clock: self.clock,
            random: self.random,
            listeners: Listeners::new(self.listeners),
            inner: Mutex::new(inner),
        };
        Ok(CircuitBreaker { shared: Arc::new(shared) })
    }
}
