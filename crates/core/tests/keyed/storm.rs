//! Keyed circuits under threads: never two breakers for one key, and no call uncounted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::time::{Clock, ManualClock, Moment, WallTime};
use fuseboard_core::{CircuitBreaker, CircuitId, Keyed, Pin, Totals};

use crate::rig::{COOLDOWN, limits, rules};

const THREADS: u64 = 4;
const CALLS: u64 = 4_000;
const KEYS: u32 = 24;

/// Which breaker each key has, as those know who have it in their hands.
#[derive(Default)]
struct Hands(Mutex<BTreeMap<u32, (CircuitId, u32)>>);

impl Hands {
    fn take(&self, key: u32, breaker: &CircuitBreaker) {
        let mut hands = self.0.lock().unwrap();
        let (id, holders) = hands.entry(key).or_insert((breaker.id(), 0));
        assert_eq!(*id, breaker.id(), "key {key} has two breakers");
        *holders += 1;
    }

    /// To be said before the breaker is let go.
    fn give_back(&self, key: u32) {
        let mut hands = self.0.lock().unwrap();
        let (_, holders) = hands.get_mut(&key).unwrap();
        *holders -= 1;
        if *holders == 0 {
            hands.remove(&key);
        }
    }
}

fn number_below(dice: &SeededRandom, bound: u32) -> u32 {
    (dice.draw() * f64::from(bound)) as u32
}

fn keyed(capacity: usize) -> (Keyed<u32>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let builder = Keyed::builder("storm").rules(rules().build().unwrap()).clock(clock.clone());
    (builder.limits(limits(capacity)).build().unwrap(), clock)
}

/// One call, in one of many ways; whether anything was attempted on the key's own circuit matters not.
fn one_call(breaker: &CircuitBreaker, dice: &SeededRandom) {
    let Ok(ticket) = breaker.try_acquire() else { return };
    match number_below(dice, 10) {
        0..5 => ticket.success(),
        5..8 => ticket.failure("down"),
        8 => ticket.ignored(),
        _ => drop(ticket),
    }
}

#[test]
fn a_key_never_has_two_breakers_at_once_and_every_call_is_counted() {
    for capacity in [1, 4, 16] {
        let (keyed, clock) = keyed(capacity);
        let (hands, attempts) = (Hands::default(), AtomicU64::new(0));
        let storm = |thread: u64| {
            let dice = SeededRandom::new(thread);
            for _ in 0..CALLS {
                let key = number_below(&dice, KEYS);
                let breaker = keyed.get(&key);
                let own = breaker.id() != keyed.overflow().id();
                if own {
                    hands.take(key, &breaker);
                }
                match number_below(&dice, 100) {
                    0 => breaker.disable(Pin::by("ops").lasting(COOLDOWN)),
                    1 => breaker.reset(),
                    2 => clock.advance(COOLDOWN),
                    _ => {
                        attempts.fetch_add(1, Ordering::Relaxed);
                        one_call(&breaker, &dice);
                    }
                }
                if own {
                    hands.give_back(key);
                }
            }
        };
        thread::scope(|scope| {
            for number in 0..THREADS {
                let storm = &storm;
                scope.spawn(move || storm(number));
            }
        });
        let counted: u64 = keyed.totals().by_outcome().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, attempts.into_inner());
        assert!(keyed.len() <= capacity && keyed.info().forgotten > 0, "{:?}", keyed.info());
    }
}

#[test]
fn totals_never_fall_while_circuits_come_and_go() {
    let (keyed, _) = keyed(4);
    let done = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = Totals::default();
            while !done.load(Ordering::Acquire) {
                let totals = keyed.totals();
                for ((what, before), (_, now)) in last.by_outcome().iter().zip(totals.by_outcome())
                {
                    assert!(*before <= now, "{what} fell from {before} to {now}");
                }
                last = totals;
            }
            last
        });
        let writers = [0, 1].map(|thread| {
            let keyed = &keyed;
            scope.spawn(move || {
                for call in 0..CALLS as u32 {
                    let _ = keyed.call(&(call % 64 + thread), || Ok::<_, ()>(()));
                }
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    assert!(last.success <= CALLS * 2);
    assert_eq!(keyed.totals(), Totals { success: CALLS * 2, ..Totals::default() });
}

#[test]
fn threads_that_want_the_same_new_key_at_once_share_one_circuit() {
    let (keyed, _) = keyed(1000);
    for key in 0..500 {
        let breakers: Vec<CircuitBreaker> = thread::scope(|scope| {
            let threads = [0; 3].map(|_| scope.spawn(|| keyed.get(&key)));
            threads.map(|thread| thread.join().unwrap()).into()
        });
        assert!(breakers.iter().all(|breaker| breaker.id() == breakers[0].id()), "{key}");
    }
    assert_eq!((keyed.len(), keyed.info().overflowed), (500, 0));
}

#[test]
fn rules_that_change_while_keys_come_reach_every_circuit() {
    let (keyed, _) = keyed(500);
    let some_rules = |slots| Arc::new(rules().slots(slots).build().unwrap());
    thread::scope(|scope| {
        for thread in 0..2 {
            let (keyed, some_rules) = (&keyed, &some_rules);
            scope.spawn(move || (0..400).for_each(|key| drop(keyed.get(&(key * 2 + thread)))));
            scope.spawn(move || (1..50).for_each(|slots| keyed.reconfigure(some_rules(slots))));
        }
    });
    let last = keyed.rules();
    keyed.for_each(|key, breaker| assert!(Arc::ptr_eq(&breaker.rules(), &last), "{key}"));
    assert!(Arc::ptr_eq(&keyed.overflow().rules(), &last));
}

/// A clock that stands still, and looks other circuits up while it is asked the time by a busy one, which somebody
/// else wants to count meanwhile.
#[derive(Debug, Default)]
struct Nosy {
    keyed: OnceLock<Keyed<u32>>,
    counting: Mutex<Option<thread::JoinHandle<Totals>>>,
}

impl Clock for Nosy {
    fn now(&self) -> Moment {
        Moment::ZERO
    }

    fn wall(&self) -> WallTime {
        let keyed = self.keyed.get().expect("set before the first call").clone();
        let began = Arc::new(AtomicBool::new(false));
        let (counted, beginning) = (keyed.clone(), Arc::clone(&began));
        let counting = thread::spawn(move || {
            beginning.store(true, Ordering::Release);
            counted.totals()
        });
        while !began.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // So often that the other one waits for the busy circuit, sooner or later.
        for _ in 0..1000 {
            assert!(keyed.find(&2).is_some());
            thread::yield_now();
        }
        *self.counting.lock().unwrap() = Some(counting);
        WallTime::default()
    }
}

#[test]
fn who_counts_a_busy_circuit_keeps_nobody_from_the_others() {
    let clock = Arc::new(Nosy::default());
    let builder = Keyed::<u32>::builder("busy").rules(rules().build().unwrap());
    let keyed = builder.clock(clock.clone()).limits(limits(10)).build().unwrap();
    assert!(clock.keyed.set(keyed.clone()).is_ok());
    for key in [1, 2] {
        keyed.call(&key, || Ok::<_, &str>(())).unwrap();
    }
    let _ = keyed.call(&1, || Err::<(), _>("down"));
    let counting = clock.counting.lock().unwrap().take().expect("the failure was dated");
    let expected = Totals { success: 2, failure: 1, ..Totals::default() };
    assert_eq!(counting.join().unwrap(), expected);
}

/// A clock that stands still; a circuit that asks it for the time while it is made finds the rules changed since.
#[derive(Debug, Default)]
struct Meddler {
    keyed: OnceLock<Keyed<u32>>,
}

impl Clock for Meddler {
    fn now(&self) -> Moment {
        if let Some(keyed) = self.keyed.get()
            && keyed.rules().slots() == 3
        {
            keyed.reconfigure(rules().slots(7).build().unwrap());
        }
        Moment::ZERO
    }

    fn coarse(&self) -> Moment {
        Moment::ZERO
    }

    fn wall(&self) -> WallTime {
        WallTime::default()
    }
}

#[test]
fn rules_that_change_while_a_circuit_is_made_reach_it() {
    let clock = Arc::new(Meddler::default());
    let builder = Keyed::<u32>::builder("meddled").clock(clock.clone());
    let keyed = builder.rules(rules().build().unwrap()).build().unwrap();
    assert!(clock.keyed.set(keyed.clone()).is_ok());
    assert_eq!(keyed.get(&1).rules().slots(), 7);
}
