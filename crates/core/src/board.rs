//! The board: the circuit breakers of a program, by name.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::breaker::{CircuitBreaker, Common};
use crate::error::BuildError;
use crate::keyed::{KeyType, Keyed, KeyedInfo, KeyedLimits, Listed};
use crate::listener::Listener;
use crate::random::Random;
use crate::rules::Rules;
use crate::state::State;
use crate::time::Clock;

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
    common: Arc<Common>,
    circuits: RwLock<Circuits>,
}

#[derive(Default)]
struct Circuits {
    breakers: BTreeMap<String, Single>,
    keyed: BTreeMap<String, Family>,
}

/// One circuit.
struct Single {
    breaker: CircuitBreaker,
    made_with: Arc<Rules>,
}

/// The keyed circuits of one parent.
struct Family {
    circuits: Arc<dyn Listed>,
    made_with: Arc<Rules>,
}

/// In what the rules of a circuit differ from those that somebody asks it for; empty if in nothing. Who asks for what it was
/// made with means that circuit, also after it was given other rules.
fn differing(now: &Rules, made_with: &Rules, asked_for: &Rules) -> String {
    if made_with == asked_for { String::new() } else { now.differing(asked_for) }
}

impl Circuits {
    /// The keyed circuits that a circuit of that name would be one of.
    fn family_of(&self, name: &str) -> Option<(&str, &Family)> {
        let open = name.ends_with(']').then(|| name.match_indices('[')).into_iter().flatten();
        let mut parents = open.filter_map(|(at, _)| self.keyed.get_key_value(&name[..at]));
        parents.next().map(|(parent, family)| (parent.as_str(), family))
    }

    /// Refuses the name of one circuit if keyed ones have it.
    fn check_single(&self, name: &str) -> Result<(), BuildError> {
        let differing = match (self.keyed.contains_key(name), self.family_of(name)) {
            (true, _) => "it is the parent of keyed circuits".to_owned(),
            (false, Some((parent, _))) => format!("it is a keyed circuit of `{parent}`"),
            (false, None) => return Ok(()),
        };
        Err(BuildError::Conflict { name: name.to_owned(), differing })
    }

    /// Refuses the name of keyed circuits if a single one has it, or has that of one of them.
    fn check_keyed(&self, parent: &str) -> Result<(), BuildError> {
        let first = format!("{parent}[");
        let named = self.breakers.range(first.clone()..).map(|(name, _)| name.as_str());
        let taken = match self.breakers.contains_key(parent) {
            true => Some(parent),
            false => {
                named.take_while(|name| name.starts_with(&first)).find(|name| name.ends_with(']'))
            }
        };
        let Some(name) = taken else { return Ok(()) };
        let differing = "it is a circuit without keys".to_owned();
        Err(BuildError::Conflict { name: name.to_owned(), differing })
    }
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
        BoardBuilder { common: Common::default() }
    }

    /// The breaker of that name, if there is one; a keyed circuit's, too, such as `payments[eu-1]`. To find that, it looks at
    /// all circuits of `payments`; [`Keyed::find`] does not.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        let circuits = self.read();
        if let Some(single) = circuits.breakers.get(name) {
            return Some(single.breaker.clone());
        }
        let family = circuits.family_of(name).map(|(_, family)| Arc::clone(&family.circuits));
        drop(circuits);
        family?.find_by_name(name)
    }

    /// The breaker of that name; made with `rules` (its own, or an [`Arc`] that circuits share) if there is none. One that was
    /// [reconfigured](CircuitBreaker::reconfigure) is found by its present rules, and by those that it was made with.
    ///
    /// # Errors
    ///
    /// [`BuildError::Conflict`] if there is one with other rules, and names the settings that differ;
    /// [`BuildError::Name`] if no circuit can have that name.
    ///
    /// ```
    /// use fuseboard_core::{Board, Rules};
    /// use std::sync::Arc;
    ///
    /// let board = Board::new();
    /// let shared = Arc::new(Rules::builder().slots(1).build()?);
    /// for name in ["payments", "orders"] {
    ///     board.get_or_create(name, Arc::clone(&shared))?; // one set of rules in memory, not two
    /// }
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn get_or_create(
        &self,
        name: &str,
        rules: impl Into<Arc<Rules>>,
    ) -> Result<CircuitBreaker, BuildError> {
        let rules = rules.into();
        let mut circuits = self.write();
        if let Some(Single { breaker, made_with }) = circuits.breakers.get(name) {
            return match differing(&breaker.rules(), made_with, &rules) {
                differing if differing.is_empty() => Ok(breaker.clone()),
                differing => Err(BuildError::Conflict { name: name.to_owned(), differing }),
            };
        }
        circuits.check_single(name)?;
        let (breaker, made_with) = self.make(name, rules)?;
        let single = Single { breaker: breaker.clone(), made_with };
        circuits.breakers.insert(name.to_owned(), single);
        Ok(breaker)
    }

    /// The keyed circuits of that parent; made with `rules` and `limits` if there are none. They have the board's clock,
    /// random numbers and listeners. As with [`get_or_create`](Self::get_or_create), those that were reconfigured are found by
    /// their present rules, and by those that they were made with.
    ///
    /// # Errors
    ///
    /// [`BuildError::Conflict`] if there are some with other keys, rules or limits, or a single circuit has the name;
    /// [`BuildError::Name`] and [`BuildError::Policy`] as [`KeyedBuilder::build`](crate::KeyedBuilder::build).
    ///
    /// ```
    /// use fuseboard_core::{Board, Keyed, KeyedLimits, Pin, Rules};
    ///
    /// let board = Board::new();
    /// let payments: Keyed<String> = board.keyed("payments", Rules::default(), KeyedLimits::default())?;
    /// payments.get("eu-1").force_open(Pin::by("ops"));
    ///
    /// assert!(board.get("payments[eu-1]").is_some_and(|breaker| breaker.try_acquire().is_err()));
    /// assert_eq!(board.all_keyed()[0].totals.rejected, 1);
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn keyed<K>(
        &self,
        name: &str,
        rules: impl Into<Arc<Rules>>,
        limits: KeyedLimits,
    ) -> Result<Keyed<K>, BuildError>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        let rules = rules.into();
        let mut circuits = self.write();
        if let Some(Family { circuits: listed, made_with }) = circuits.keyed.get(name) {
            let mut all_differing = listed.differing(KeyType::of::<K>(), limits);
            all_differing.push(differing(&listed.rules(), made_with, &rules));
            all_differing.retain(|one| !one.is_empty());
            let differing = all_differing.join("; ");
            let listed: &dyn Any = &**listed;
            return match listed.downcast_ref::<Keyed<K>>() {
                Some(keyed) if differing.is_empty() => Ok(keyed.clone()),
                _ => Err(BuildError::Conflict { name: name.to_owned(), differing }),
            };
        }
        circuits.check_keyed(name)?;
        let builder = Keyed::builder(name).rules(rules).limits(limits);
        let keyed = builder.common(Arc::clone(&self.shared.common)).build()?;
        let family = Family { circuits: Arc::new(keyed.clone()), made_with: keyed.rules() };
        circuits.keyed.insert(name.to_owned(), family);
        Ok(keyed)
    }

    /// Takes the breaker of that name off the board, without any transition. `None` if there is none; keyed circuits stay.
    ///
    /// Whoever has a clone keeps it, and calls on their way end as they would have; the next one to ask the board for the name
    /// gets a new circuit.
    ///
    /// ```
    /// use fuseboard_core::{Board, Rules};
    ///
    /// let board = Board::new();
    /// board.get_or_create("payments", Rules::default())?;
    /// assert!(board.remove("payments").is_some());
    /// assert!(board.get("payments").is_none());
    /// # Ok::<(), fuseboard_core::BuildError>(())
    /// ```
    pub fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        self.write().breakers.remove(name).map(|single| single.breaker)
    }

    /// The clock of its breakers.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.common.clock)
    }

    /// Every breaker, by name. Keyed circuits are not among them: see [`all_keyed`](Self::all_keyed).
    pub fn all(&self) -> Vec<CircuitBreaker> {
        self.read().breakers.values().map(|single| single.breaker.clone()).collect()
    }

    /// What the keyed circuits of each parent come to together, by the parent's name.
    pub fn all_keyed(&self) -> Vec<KeyedInfo> {
        self.families().iter().map(|listed| listed.info()).collect()
    }

    /// The state of every circuit, by name; of those without keys.
    pub fn all_states(&self) -> BTreeMap<String, State> {
        let states = self.all().into_iter().map(|one| (one.name().to_owned(), one.state()));
        states.collect()
    }

    /// Resets every circuit, keyed ones too.
    pub fn reset_all(&self) {
        for breaker in self.all() {
            breaker.reset();
        }
        for listed in self.families() {
            listed.reset_all();
        }
    }

    fn families(&self) -> Vec<Arc<dyn Listed>> {
        self.read().keyed.values().map(|family| Arc::clone(&family.circuits)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Circuits> {
        self.shared.circuits.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Circuits> {
        self.shared.circuits.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(
        &self,
        name: &str,
        rules: Arc<Rules>,
    ) -> Result<(CircuitBreaker, Arc<Rules>), BuildError> {
        let builder = CircuitBreaker::builder(name).rules(Arc::clone(&rules));
        Ok((builder.common(Arc::clone(&self.shared.common)).build()?, rules))
    }
}

/// Puts a [`Board`] together.
pub struct BoardBuilder {
    common: Common,
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
        self.common.set_clock(clock);
        self
    }

    /// Replaces the source of random numbers.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.common.random = random;
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
        self.common.listeners.push(listener);
        self
    }

    /// Makes the board, empty.
    pub fn build(self) -> Board {
        let (common, circuits) = (Arc::new(self.common), RwLock::default());
        Board { shared: Arc::new(Shared { common, circuits }) }
    }
}
