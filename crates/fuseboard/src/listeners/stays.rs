//! How long each circuit was in each state, by what listeners hear and readers see.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::{Info, State, Transition};

use super::parent::parent;

/// How long each circuit was in each state. What [`Stays::read`] answers never falls.
///
/// Keyed circuits are left out: they come and go, and so would what is kept for each.
#[derive(Debug, Default)]
pub(super) struct Stays {
    circuits: Mutex<BTreeMap<String, Stay>>,
}

/// One circuit, as of the last transition that was heard of.
#[derive(Clone, Debug, Default)]
struct Stay {
    generation: u64,
    /// Time in states that ended.
    ended: [Duration; State::ALL.len()],
    /// What was answered last.
    told: [Duration; State::ALL.len()],
}

impl Stays {
    /// To be called for every transition, in order.
    pub(super) fn hear(&self, circuit: &str, transition: &Transition) {
        if parent(circuit) != circuit {
            return;
        }
        let mut circuits = self.circuits();
        let stay = circuits.entry(circuit.to_owned()).or_default();
        stay.ended[place(transition.from)] += transition.lasted;
        stay.generation = transition.generation;
    }

    /// The time in each state up to the moment when `info` was taken.
    pub(super) fn read(&self, info: &Info) -> impl Iterator<Item = (State, Duration)> + use<> {
        let mut circuits = self.circuits();
        let stay = circuits.entry(info.name.to_string()).or_default();
        let mut total = stay.ended;
        // Another thread may be about to tell of a newer state, or have told since `info` was taken.
        if stay.generation == info.generation {
            total[place(info.state)] += info.lasted;
        }
        for (told, total) in stay.told.iter_mut().zip(total) {
            *told = total.max(*told);
        }
        State::ALL.into_iter().zip(stay.told)
    }

    fn circuits(&self) -> MutexGuard<'_, BTreeMap<String, Stay>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of `state` among all.
const fn place(state: State) -> usize {
    state as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fuseboard_core::time::{Clock, ManualClock};
    use fuseboard_core::{CircuitBreaker, Listener, Pin};

    use super::*;

    /// Keeps the transitions, to be heard of when a test wants it.
    #[derive(Default)]
    struct Later(Mutex<Vec<Transition>>);

    impl Listener for Later {
        fn on_transition(&self, _: &str, transition: &Transition) {
            self.0.lock().unwrap().push(transition.clone());
        }
    }

    struct Circuit {
        breaker: CircuitBreaker,
        clock: Arc<ManualClock>,
        later: Arc<Later>,
        stays: Stays,
    }

    impl Circuit {
        fn new(name: &str) -> Self {
            let (clock, later) = (Arc::new(ManualClock::new()), Arc::new(Later::default()));
            let builder = CircuitBreaker::builder(name).clock(Arc::clone(&clock) as Arc<dyn Clock>);
            let builder = builder.shared_listener(Arc::clone(&later) as Arc<dyn Listener>);
            Circuit { breaker: builder.build().unwrap(), clock, later, stays: Stays::default() }
        }

        fn wait(&self, seconds: u64) {
            self.clock.advance(Duration::from_secs(seconds));
        }

        fn hear(&self) {
            for transition in self.later.0.lock().unwrap().drain(..) {
                self.stays.hear(self.breaker.name(), &transition);
            }
        }

        /// Seconds in closed and in disabled, by `info`.
        fn read(&self, info: &Info) -> (u64, u64) {
            let times: BTreeMap<_, _> = self.stays.read(info).collect();
            (times[&State::Closed].as_secs(), times[&State::Disabled].as_secs())
        }
    }

    #[test]
    fn every_state_is_found_in_its_place() {
        for (at, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(place(state), at);
        }
    }

    #[test]
    fn stays_in_one_state_add_up() {
        let circuit = Circuit::new("payments");
        circuit.wait(10);
        for _ in 0..3 {
            circuit.breaker.disable(Pin::by("ops"));
            circuit.wait(20);
            circuit.breaker.reset();
            circuit.wait(5);
            circuit.hear();
        }
        assert_eq!(circuit.read(&circuit.breaker.info()), (10 + 3 * 5, 3 * 20));
    }

    #[test]
    fn what_is_read_never_falls_and_counts_nothing_twice_whoever_comes_late() {
        let circuit = Circuit::new("payments");
        circuit.wait(10);
        let closed = circuit.breaker.info();
        assert_eq!(circuit.read(&closed), (10, 0));
        circuit.breaker.disable(Pin::by("ops"));
        circuit.wait(7);
        let disabled = circuit.breaker.info();
        assert_eq!(circuit.read(&disabled), (10, 0), "the transition was not heard of yet");
        circuit.hear();
        assert_eq!(circuit.read(&closed), (10, 0), "of before the transition");
        circuit.wait(3);
        assert_eq!(circuit.read(&circuit.breaker.info()), (10, 10));
        assert_eq!(circuit.read(&disabled), (10, 10), "of 3 s ago");
    }

    #[test]
    fn nothing_is_kept_for_keyed_circuits() {
        let circuit = Circuit::new("payments[eu-1]");
        circuit.breaker.disable(Pin::by("ops"));
        circuit.hear();
        assert!(circuit.stays.circuits().is_empty());
    }
}
