//! Keyed circuits: one circuit for each host, tenant or shard, a bounded number of them, at a cost that does not grow with
//! the number of keys.
//!
//! - *Found* by a hash under a secret of the process, in one of up to 64 shards. A known key costs the lock of its shard.
//! - *Never twice.* Forgotten is only what is in nobody's hands: no other clone of the breaker, no ticket. That is counted
//!   under the shard's lock, from which all clones come; so whoever could use the old breaker would have kept it.
//! - *Who goes first* is one with a clean window, and of those the one that was used longest ago: it knows nothing that the
//!   next one would not know. A suspect, with failures or slow calls in its window, goes only when no clean one is found:
//!   otherwise whoever can make keys up could wash out four failures of five by a flood of others. Suspects do go, because
//!   else a flood of failing keys would take all places for good.
//! - *Constant cost:* three queues (recent, suspect, parked), each in order of use, and a limited number of looks for one
//!   key. Who is found held counts as used; who is not closed is parked, and looked at again now and then. Where these looks find
//!   nothing, the key shares the overflow circuit. (A search without a limit slows everybody down exactly when all is full,
//!   and growing instead takes all memory: both are known from others.)
//! - *No lock while somebody is told or may wait:* what ends while room is made is noticed without the shard's lock, a
//!   breaker that others have is never asked under it, and what is forgotten is dropped after it.
//! - *Nothing is lost from the counters:* what a forgotten circuit counted is added to the totals of all in the same step.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::breaker::{CircuitBreaker, Ticket, Totals};
use crate::error::{CallError, Rejected};
use crate::random::SecretHash;
use crate::rules::Rules;
use crate::state::State;

mod builder;
mod info;
mod key;
mod limits;
mod listed;
mod name;
mod shard;
mod slots;
mod welcome;

pub use builder::KeyedBuilder;
pub use info::KeyedInfo;
pub use key::KeyOf;
pub use limits::KeyedLimits;

use builder::Family;
pub(crate) use listed::{KeyType, Listed};
use shard::Shard;

/// Circuit breakers by key: one circuit each, made when its key is first used. Clones share them.
///
/// All have the same rules, clock and listeners. The circuit of the key `eu-1` is called `payments[eu-1]`. Choose keys that
/// a fault belongs to: a host, a shard, a tenant; not a request.
///
/// # What is forgotten
///
/// At most so many keys as [`KeyedLimits`] say have a circuit; one key more takes the place of another. An open, half-open or
/// pinned circuit is never forgotten, nor is one that somebody has in hands. Of the others the one goes that was used longest
/// ago, those with failures in their window last. Circuits that nobody has used for long are forgotten, too. A key that
/// comes back begins with a closed circuit and an empty window.
///
/// If no circuit can be forgotten, the key shares the [overflow circuit](Self::overflow), `payments[*]`, with all others that
/// find no room, and [`KeyedInfo::overflowed`] counts it. That happens when too many circuits are open at once: also to who lets
/// strangers choose the keys, and make them fail.
///
/// ```
/// use fuseboard_core::{Keyed, Rules, State};
///
/// let rules = Rules::builder().tripper("failure_streak(3)".parse()?).build()?;
/// let payments = Keyed::<String>::builder("payments").rules(rules).build()?;
///
/// for _ in 0..3 {
///     let _ = payments.call("eu-1", || Err::<(), _>("refused"));
/// }
/// assert_eq!(payments.call("us-1", || Ok::<_, &str>(42)), Ok(42));
/// assert_eq!(payments.states(), [("payments[eu-1]".to_owned(), State::Open)].into());
/// assert_eq!(payments.totals().failure, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keyed<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    family: Family,
    limits: KeyedLimits,
    secret: SecretHash,
    shards: Box<[Mutex<Shard<K>>]>,
    /// For keys that have none of their own.
    overflow: CircuitBreaker,
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Keyed { shared: Arc::clone(&self.shared) }
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limits) = (&self.shared.family.name, &self.shared.limits);
        f.debug_struct("Keyed").field("name", name).field("limits", limits).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Keyed<K> {
    /// Starts the circuits of the parent `name`, with the [default rules](Rules) and [limits](KeyedLimits).
    pub fn builder(name: impl Into<String>) -> KeyedBuilder<K> {
        KeyedBuilder::new(&name.into())
    }

    fn new(family: Family, limits: KeyedLimits, overflow: CircuitBreaker) -> Self {
        let shard = |share| Mutex::new(Shard::new(share, limits.idle()));
        let (secret, shards) = (SecretHash::default(), limits.shares().map(shard).collect());
        Keyed { shared: Arc::new(Shared { family, limits, secret, shards, overflow }) }
    }

    /// The parent's name.
    pub fn name(&self) -> &str {
        &self.shared.family.name
    }

    /// The policies of every circuit.
    pub fn rules(&self) -> Arc<Rules> {
        self.shared.family.rules()
    }

    /// Gives every circuit other policies, while they are in use, and those to come: see [`CircuitBreaker::reconfigure`].
    /// The limits stay.
    pub fn reconfigure(&self, rules: impl Into<Arc<Rules>>) {
        let Shared { family, overflow, .. } = &*self.shared;
        family.set_rules(rules.into());
        self.for_each(|_, breaker| family.update(breaker));
        family.update(overflow);
    }

    /// The bounds.
    pub fn limits(&self) -> KeyedLimits {
        self.shared.limits
    }

    /// The circuit that keys share for which there is no room, and those with a text of more than 1024 bytes.
    pub fn overflow(&self) -> &CircuitBreaker {
        &self.shared.overflow
    }

    /// The circuit breaker of `key`, made if there is none; the [overflow circuit](Self::overflow) if there is no room.
    ///
    /// The key's circuit is not forgotten as long as anybody has this breaker or a ticket of it, so keep neither for longer
    /// than a call, or all places are taken. Asking counts as use.
    ///
    /// All that has no method here is done with this breaker, a guard for example, which borrows it:
    ///
    /// ```
    /// use fuseboard_core::{Keyed, Pin};
    ///
    /// fn port(ports: &Keyed<u16>, key: u16, answer: &str) -> Result<u32, Box<dyn std::error::Error>> {
    ///     let breaker = ports.get(&key); // a binding of its own: the guard must not outlive it
    ///     let mut guard = breaker.enter()?;
    ///     Ok(guard.check(answer.parse())?)
    /// }
    ///
    /// let ports = Keyed::<u16>::builder("ports").build()?;
    /// ports.get(&8080).force_open(Pin::by("ops"));
    /// assert!(port(&ports, 8080, "1").is_err());
    /// assert_eq!(port(&ports, 8081, "1")?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<Q: KeyOf<K> + ?Sized>(&self, key: &Q) -> CircuitBreaker {
        let hash = self.shared.secret.of(key);
        self.shared.known(key, hash).unwrap_or_else(|| self.shared.welcome(key, hash))
    }

    /// The circuit breaker of `key`, if it has one of its own. Looking is not using: it does not keep a circuit from being
    /// forgotten later.
    pub fn find<Q: KeyOf<K> + ?Sized>(&self, key: &Q) -> Option<CircuitBreaker> {
        let hash = self.shared.secret.of(key);
        self.shared.shard(hash).find(hash, |own| key.is(own))
    }

    /// The circuit breaker of that full name, such as `payments[eu-1]`. It looks at all of them.
    pub fn find_by_name(&self, name: &str) -> Option<CircuitBreaker> {
        let shared = &*self.shared;
        if shared.overflow.name() == name {
            return Some(shared.overflow.clone());
        }
        shared.shards.iter().find_map(|shard| lock(shard).find_by_name(name))
    }

    /// As [`CircuitBreaker::call`], with the circuit of `key`. For a guard, a judge or a fallback: [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the call was not made, [`CallError::Failed`] with the call's own error.
    pub fn call<Q: KeyOf<K> + ?Sized, T: 'static, E: 'static>(
        &self,
        key: &Q,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        self.get(key).call(call)
    }

    /// As [`CircuitBreaker::call_async`], with the circuit of `key`, which is chosen at once. The future does not borrow
    /// the key.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// As [`CircuitBreaker::call_async`].
    pub fn call_async<Q, T, E, C, F>(
        &self,
        key: &Q,
        call: C,
    ) -> impl Future<Output = Result<T, CallError<E>>> + use<K, Q, T, E, C, F>
    where
        Q: KeyOf<K> + ?Sized,
        T: 'static,
        E: 'static,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let breaker = self.get(key);
        async move { breaker.call_async(call).await }
    }

    /// As [`CircuitBreaker::try_acquire`], with the circuit of `key`.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through.
    pub fn try_acquire<Q: KeyOf<K> + ?Sized>(&self, key: &Q) -> Result<Ticket, Rejected> {
        self.get(key).try_acquire()
    }

    /// How many keys have a circuit.
    pub fn len(&self) -> usize {
        self.shared.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether no key has a circuit.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` for every key that has a circuit, in no order. What is made or forgotten meanwhile may be missed, or
    /// seen twice. It may use these circuits.
    pub fn for_each(&self, mut each: impl FnMut(&K, &CircuitBreaker)) {
        for shard in &self.shared.shards {
            let mut at = 0;
            loop {
                // One at a time, so that those who wait for their turn can still be forgotten.
                let next = lock(shard).clone_from_place(at);
                let Some((after, key, breaker)) = next else { break };
                each(&key, &breaker);
                at = after;
            }
        }
    }

    /// Every key with its circuit breaker, in no order. None of them is forgotten while it is in your hands.
    pub fn all(&self) -> Vec<(K, CircuitBreaker)> {
        let mut all = Vec::new();
        self.for_each(|key, breaker| all.push((key.clone(), breaker.clone())));
        all
    }

    /// Resets every circuit, the overflow circuit too.
    pub fn reset_all(&self) {
        self.for_each(|_, breaker| breaker.reset());
        self.shared.overflow.reset();
    }

    /// The state of every circuit that is not closed, by its full name; the overflow circuit's, too.
    pub fn states(&self) -> BTreeMap<String, State> {
        let overflow = &self.shared.overflow;
        let mut states = BTreeMap::from([(overflow.name().to_owned(), overflow.state())]);
        self.shared.survey(|breaker, glance| {
            if glance.state != State::Closed {
                states.insert(breaker.name().to_owned(), glance.state);
            }
        });
        states.retain(|_, state| *state != State::Closed);
        states
    }

    /// Calls of all circuits together, of the forgotten ones and the overflow circuit, too. No number in it ever falls.
    pub fn totals(&self) -> Totals {
        self.info().totals
    }

    /// All circuits together. It takes time in proportion to their number.
    pub fn info(&self) -> KeyedInfo {
        let Shared { family, limits, overflow, .. } = &*self.shared;
        let overflow = overflow.info();
        let (mut states, mut totals) = (BTreeMap::new(), overflow.totals);
        let counts = self.shared.survey(|_, glance| {
            *states.entry(glance.state).or_default() += 1;
            totals += glance.totals;
        });
        totals += counts.forgotten_totals;
        KeyedInfo {
            name: Arc::clone(&family.name),
            keys: states.values().sum(),
            capacity: limits.keys(),
            states,
            overflow: overflow.state,
            totals,
            forgotten: counts.forgotten,
            overflowed: counts.overflowed,
            examined: counts.examined,
        }
    }
}

fn lock<K>(shard: &Mutex<Shard<K>>) -> MutexGuard<'_, Shard<K>> {
    // A key's own `Eq` or `Clone` that panics does so before anything is changed.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
