//! Keyed circuits against a naive model: for each key a breaker of its own that is never forgotten by itself. Whatever
//! the keyed ones forget must have been fit for it, and until then nobody can tell them from the model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::machine::Command;
use fuseboard_core::machine::Pinnable;
use fuseboard_core::time::{Clock, ManualClock, Moment};
use fuseboard_core::{CircuitBreaker, Keyed, KeyedLimits, Pin, Rules, State, Ticket, Totals};
use proptest::prelude::*;

use crate::rig::rules;

const IDLE: Duration = Duration::from_secs(40);

#[derive(Clone, Debug)]
enum Step {
    Succeed(u8),
    Fail(u8),
    Hold(u8),
    Ticket(u8),
    LetGo(usize),
    Settle(usize, bool),
    Pin(u8, Pinnable, Option<u64>),
    Auto(u8),
    Reset(u8),
    Advance(u64),
    Look,
}

fn any_step() -> impl Strategy<Value = Step> {
    let key = || 0u8..6;
    let pinnable = prop::sample::select(vec![
        Pinnable::ForcedOpen,
        Pinnable::ForcedClosed,
        Pinnable::MetricsOnly,
        Pinnable::Disabled,
    ]);
    prop_oneof![
        6 => key().prop_map(Step::Succeed),
        8 => key().prop_map(Step::Fail),
        2 => key().prop_map(Step::Hold),
        3 => key().prop_map(Step::Ticket),
        3 => (0usize..8).prop_map(Step::LetGo),
        3 => ((0usize..8), any::<bool>()).prop_map(|(which, good)| Step::Settle(which, good)),
        2 => (key(), pinnable, prop::option::of(1u64..30))
            .prop_map(|(key, to, lasting)| Step::Pin(key, to, lasting)),
        1 => key().prop_map(Step::Auto),
        1 => key().prop_map(Step::Reset),
        3 => (1u64..30).prop_map(Step::Advance),
        1 => Just(Step::Look),
    ]
}

/// A breaker with the model's for it, and the key that has it; none has the overflow circuit.
#[derive(Clone)]
struct Both {
    real: CircuitBreaker,
    model: CircuitBreaker,
}

struct Owned {
    model: CircuitBreaker,
    used: Moment,
    /// Whether an operator has changed it since, which is no use.
    changed: bool,
}

struct Pair {
    keyed: Keyed<u8>,
    clock: Arc<ManualClock>,
    rules: Rules,
    own: BTreeMap<u8, Owned>,
    overflow: CircuitBreaker,
    overflowed: u64,
    forgotten: Vec<CircuitBreaker>,
    handles: Vec<(Option<u8>, Both)>,
    tickets: Vec<(Option<u8>, Ticket, Ticket)>,
}

impl Pair {
    fn new(capacity: usize) -> Self {
        let clock = Arc::new(ManualClock::new());
        let rules = rules().build().unwrap();
        let limits = KeyedLimits::default().capacity(capacity).idle_after(IDLE);
        let builder = Keyed::builder("payments").rules(rules.clone()).limits(limits);
        let keyed = builder.clock(clock.clone()).build().unwrap();
        let mut pair = Pair {
            overflow: keyed.overflow().clone(),
            keyed,
            clock,
            rules,
            own: BTreeMap::new(),
            overflowed: 0,
            forgotten: Vec::new(),
            handles: Vec::new(),
            tickets: Vec::new(),
        };
        pair.overflow = pair.model_breaker();
        pair
    }

    fn model_breaker(&self) -> CircuitBreaker {
        let builder = CircuitBreaker::builder("model").rules(self.rules.clone());
        builder.clock(self.clock.clone()).build().unwrap()
    }

    fn is_held(&self, key: u8) -> bool {
        self.handles.iter().any(|(holder, _)| *holder == Some(key))
            || self.tickets.iter().any(|(holder, ..)| *holder == Some(key))
    }

    fn is_forgettable(&self, key: u8) -> bool {
        !self.is_held(key) && self.own[&key].model.state() == State::Closed
    }

    fn is_clean(&self, key: u8) -> bool {
        let metrics = self.own[&key].model.info().metrics;
        metrics.failures == 0 && metrics.streak == 0
    }

    fn is_idle(&self, key: u8) -> bool {
        self.clock.now().since(self.own[&key].used) >= IDLE
    }

    /// Uses `key` in both; checks what that made of the others.
    fn get(&mut self, key: u8) -> (Option<u8>, Both) {
        let known = self.own.contains_key(&key);
        let real = self.keyed.get(&key);
        let gone = self.check_forgotten(key, known);
        if real.id() == self.keyed.overflow().id() {
            assert!(!known, "{key} had its own");
            let places = self.keyed.limits()
                == KeyedLimits::default().idle_after(IDLE).capacity(self.own.len());
            assert!(places && gone == 0, "there was room for {key}");
            let fit: Vec<_> =
                self.own.keys().filter(|other| self.is_forgettable(**other)).collect();
            assert!(fit.is_empty(), "{fit:?} could have been forgotten for {key}");
            self.overflowed += 1;
            return (None, Both { real, model: self.overflow.clone() });
        }
        let used = self.clock.now();
        let fresh = self.model_breaker();
        let owned = self.own.entry(key).or_insert(Owned { model: fresh, used, changed: false });
        (owned.used, owned.changed) = (used, false);
        (Some(key), Both { real, model: owned.model.clone() })
    }

    /// Takes out of the model what was forgotten, if it could be; gives how many.
    fn check_forgotten(&mut self, asked: u8, known: bool) -> usize {
        let gone: Vec<u8> =
            self.own.keys().copied().filter(|key| self.keyed.find(key).is_none()).collect();
        for key in &gone {
            assert!(*key != asked || !known, "{key} was forgotten while it was asked for");
            assert!(self.is_forgettable(*key), "{key} was forgotten, but is held or not closed");
        }
        let for_room: Vec<u8> = gone.iter().copied().filter(|key| !self.is_idle(*key)).collect();
        assert!(for_room.len() <= usize::from(!known), "{for_room:?} for one key");
        for key in for_room.into_iter().filter(|key| !self.is_clean(*key)) {
            let mut kept = self.own.keys().filter(|other| !gone.contains(other));
            // A suspect that an operator made clean waits for its turn among the suspects.
            let better = |other: &u8| !self.own[other].changed && self.is_clean(*other);
            let better = kept.find(|other| self.is_forgettable(**other) && better(other));
            assert_eq!(better, None, "is clean, but {key} was forgotten");
        }
        let count = gone.len();
        let models = gone.iter().filter_map(|key| self.own.remove(key));
        self.forgotten.extend(models.map(|owned| owned.model));
        count
    }

    /// Does the same on both breakers of a key.
    fn on(&mut self, key: u8, act: impl Fn(&CircuitBreaker) -> bool) {
        let (_, both) = self.get(key);
        assert_eq!(act(&both.real), act(&both.model), "{key}");
    }

    fn run(&mut self, step: &Step) {
        match step.clone() {
            Step::Succeed(key) => self.on(key, |one| one.call(|| Ok::<_, ()>(())).is_ok()),
            Step::Fail(key) => {
                self.on(key, |one| one.try_acquire().map(|ticket| ticket.failure("down")).is_ok());
            }
            Step::Hold(key) => {
                let held = self.get(key);
                self.handles.push(held);
            }
            Step::Ticket(key) => {
                let (holder, both) = self.get(key);
                let tickets = (both.real.try_acquire(), both.model.try_acquire());
                assert_eq!(tickets.0.is_ok(), tickets.1.is_ok(), "{key}");
                if let (Ok(real), Ok(model)) = tickets {
                    self.tickets.push((holder, real, model));
                }
            }
            Step::LetGo(which) if which < self.handles.len() => drop(self.handles.remove(which)),
            Step::Settle(which, good) if which < self.tickets.len() => {
                let (_, real, model) = self.tickets.remove(which);
                for ticket in [real, model] {
                    if good { ticket.success() } else { ticket.failure("down") }
                }
            }
            Step::LetGo(_) | Step::Settle(..) => {}
            Step::Pin(key, to, lasting) => self.on(key, |one| {
                let pin = Pin::by("ops");
                let pin = match lasting {
                    Some(seconds) => pin.lasting(Duration::from_secs(seconds)),
                    None => pin,
                };
                one.command(Command::Pin(to, pin));
                true
            }),
            Step::Auto(key) => self.on_known(key, CircuitBreaker::auto),
            Step::Reset(key) => self.on_known(key, CircuitBreaker::reset),
            Step::Advance(seconds) => self.clock.advance(Duration::from_secs(seconds)),
            Step::Look => self.look(),
        }
    }

    /// Without using it, as an operator does.
    fn on_known(&mut self, key: u8, act: impl Fn(&CircuitBreaker)) {
        let (real, owned) = (self.keyed.find(&key), self.own.get_mut(&key));
        assert_eq!(real.is_some(), owned.is_some(), "{key}");
        if let (Some(real), Some(owned)) = (real, owned) {
            act(&real);
            act(&owned.model);
            owned.changed = true;
        }
    }

    fn look(&self) {
        let info = self.keyed.info();
        assert_eq!((info.keys, info.forgotten), (self.own.len(), self.forgotten.len() as u64));
        assert_eq!(info.overflowed, self.overflowed);
        let mut totals = Totals::default();
        let mut states = BTreeMap::<State, usize>::new();
        for (key, Owned { model, .. }) in &self.own {
            let (real, model) = (self.keyed.find(key).unwrap().info(), model.info());
            assert_eq!((real.state, real.metrics), (model.state, model.metrics), "{key}");
            assert_eq!((real.totals, real.pin), (model.totals, model.pin), "{key}");
            assert_eq!((real.trip, real.retry_after), (model.trip, model.retry_after), "{key}");
            *states.entry(model.state).or_default() += 1;
            totals += model.totals;
        }
        for model in self.forgotten.iter().chain([&self.overflow]) {
            totals += model.info().totals;
        }
        assert_eq!((info.states, info.totals), (states, totals));
    }
}

/// 512 programs, times `FUSEBOARD_TWIN_CASES` where that is set.
fn config() -> ProptestConfig {
    let times = std::env::var("FUSEBOARD_TWIN_CASES").map_or(1, |times| times.parse().unwrap());
    ProptestConfig { cases: 512 * times, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nobody_can_tell_a_key_from_a_breaker_of_its_own_until_it_may_be_forgotten(
        capacity in 1usize..5,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut pair = Pair::new(capacity);
        for step in &steps {
            pair.run(step);
        }
        pair.look();
    }
}
