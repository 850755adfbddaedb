//! The board: the circuit breakers of a program, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::breaker::CircuitBreaker;
use crate::error::BuildError;
use crate::listener::Listener;
use crate::random::{Random, SeededRandom};
use crate::rules::Rules;
use crate::state::State;
use crate::time::{Clock, SystemClock};

/// The circuit breakers of a program, by name. Clones share them.
///
/// A board gives its breakers one clock, one source of random numbers and its listeners.
///
/// ```
/// use fuseboard_core::{Board, Rules, State};
///
/// let board = Board::new();
/// let payments = board.get_or_create("payments", Rules::default())?;
/// assert_eq!(board.get("payments").map(|breaker| breaker.state()), Some(State::Closed));
///
/// let other = Rules::builder().slots(1).build()?;
/// assert!(board.get_or_create("payments", other).is_err(), "that would be another circuit");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Board {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    listeners: Vec<Arc<dyn Listener>>,
    breakers: RwLock<BTreeMap<String, CircuitBreaker>>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all_states()).finish()
    }
}

impl Default for Board {
    fn default() -> Self {
        Board::new()
    }
}

impl Board {
    /// An empty board on the operating system's clock.
    pub fn new() -> Self {
        Board::builder().build()
    }

    /// Starts a board with a clock, a source of random numbers, or listeners of your own.
    pub fn builder() -> BoardBuilder {
        BoardBuilder {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SeededRandom::from_entropy()),
            listeners: Vec::new(),
        }
    }

    /// The breaker of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        let breakers = self.shared.breakers.read().unwrap_or_else(PoisonError::into_inner);
        breakers.get(name).cloned()
    }

    /// The breaker of that name; made with `rules` if there is none.
    ///
    /// # Errors
    ///
    /// [`BuildError::Conflict`] if there is one with other rules, and names the settings that differ;
    /// [`BuildError::Name`] if no circuit can have that name.
    pub fn get_or_create(&self, name: &str, rules: Rules) -> Result<CircuitBreaker, BuildError> {
        let mut breakers = self.shared.breakers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(breaker) = breakers.get(name) {
            return match breaker.rules().differing(&rules) {
                differing if differing.is_empty() => Ok(breaker.clone()),
                differing => Err(BuildError::Conflict { name: name.to_owned(), differing }),
            };
        }
        let breaker = self.make(name, rules)?;
        breakers.insert(name.to_owned(), breaker.clone());
        Ok(breaker)
    }

    /// Every breaker, by name.
    pub fn all(&self) -> Vec<CircuitBreaker> {
        let breakers = self.shared.breakers.read().unwrap_or_else(PoisonError::into_inner);
        breakers.values().cloned().collect()
    }

    /// The state of every circuit, by name.
    pub fn all_states(&self) -> BTreeMap<String, State> {
        let states = self.all().into_iter().map(|one| (one.name().to_owned(), one.state()));
        states.collect()
    }

    /// Resets every circuit.
    pub fn reset_all(&self) {
        for breaker in self.all() {
            breaker.reset();
        }
    }

    fn make(&self, name: &str, rules: Rules) -> Result<CircuitBreaker, BuildError> {
        let builder = CircuitBreaker::builder(name)
            .rules(rules)
            .clock(Arc::clone(&self.shared.clock))
            .random(Arc::clone(&self.shared.random));
        let listeners = self.shared.listeners.iter().cloned();
        listeners.fold(builder, |builder, listener| builder.shared_listener(listener)).build()
    }
}

/// Puts a [`Board`] together.
pub struct BoardBuilder {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    listeners: Vec<Arc<dyn Listener>>,
}

impl fmt::Debug for BoardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoardBuilder").finish_non_exhaustive()
    }
}

impl BoardBuilder {
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

    /// Adds a listener to every circuit of the board.
    #[must_use]
    pub fn listener(self, listener: impl Listener + 'static) -> Self {
        self.shared_listener(Arc::new(listener))
    }

    /// Adds a listener that others share to every circuit of the board.
    #[must_use]
    pub fn shared_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Makes the board, empty.
    pub fn build(self) -> Board {
        let BoardBuilder { clock, random, listeners } = self;
        let breakers = RwLock::default();
        Board { shared: Arc::new(Shared { clock, random, listeners, breakers }) }
    }
}
