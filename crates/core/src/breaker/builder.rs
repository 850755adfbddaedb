//! Puts a circuit breaker together.

use std::fmt;
use std::sync::Arc;

use super::{CircuitBreaker, Common, Inner, Published, Shared};
use crate::engine::Engine;
use crate::error::{BuildError, InvalidName};
use crate::listener::Listener;
use crate::names::CircuitId;
use crate::random::Random;
use crate::rules::Rules;
use crate::sync::Mutex;
use crate::time::Clock;

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
pub struct CircuitBreakerBuilder {
    name: String,
    rules: Arc<Rules>,
    common: Arc<Common>,
}

impl fmt::Debug for CircuitBreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl CircuitBreakerBuilder {
    pub(super) fn new(name: String) -> Self {
        CircuitBreakerBuilder { name, rules: Arc::default(), common: Arc::default() }
    }

    /// Uses what other breakers use, too.
    pub(crate) fn common(mut self, common: Arc<Common>) -> Self {
        self.common = common;
        self
    }

    /// Sets the circuit's policies: its own, or an [`Arc`] that circuits share.
    #[must_use]
    pub fn rules(mut self, rules: impl Into<Arc<Rules>>) -> Self {
        self.rules = rules.into();
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

    /// Adds a listener.
    #[must_use]
    pub fn listener(self, listener: impl Listener + 'static) -> Self {
        self.shared_listener(Arc::new(listener))
    }

    /// Adds a listener that others share.
    #[must_use]
    pub fn shared_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        Arc::make_mut(&mut self.common).listeners.push(listener);
        self
    }

    /// Makes the breaker, closed.
    ///
    /// # Errors
    ///
    /// [`BuildError::Name`] if no circuit can have that name.
    pub fn build(self) -> Result<CircuitBreaker, BuildError> {
        InvalidName::check(&self.name)?;
        let CircuitBreakerBuilder { name, rules, common } = self;
        let published = Published::new(CircuitId::next(), &rules, common.lag);
        let inner = Mutex::new(Inner::new(Engine::new(rules, common.clock.now())));
        let shared = Shared { published, common, name: name.into(), inner };
        Ok(CircuitBreaker { shared: Arc::new(shared) })
    }
}
