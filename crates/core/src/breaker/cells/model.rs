//! Loom models of the counting without a lock: every interleaving of the threads below, within loom's bounds.
//!
//! What holds in each: a success is added to the window of its own generation, once, or is stale; who takes the lock sees
//! what its own thread, and whoever it heard from, counted before; nobody settles more than was admitted.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread;

use super::{Cell, Cells};
use crate::engine::Ease;
use crate::names::CircuitId;
use crate::rules::Rules;
use crate::time::Moment;

use super::super::word::Published;

/// What a breaker does with cells and words, without the engine: a window is a number, a transition empties it.
struct Circuit {
    published: Published,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    cells: Cells,
    generation: u64,
    /// Successes added to the present window.
    window: u64,
    /// Successes added to any window.
    absorbed: u64,
}

impl Circuit {
    fn new(threads: &[Arc<Cell>]) -> Arc<Circuit> {
        let mut ledger = Ledger::default();
        let published = Published::new(CircuitId::next(), &Rules::default(), 0);
        published.publish(0, Ease::Quiet { until: Moment::FAR }, |_| ());
        threads.iter().for_each(|cell| ledger.cells.add(Arc::clone(cell), published.word()));
        Arc::new(Circuit { published, ledger: Mutex::new(ledger) })
    }

    /// One call that succeeds: `true` if it was counted without the lock.
    fn succeed(&self, cell: &Cell) -> bool {
        let word = self.published.word();
        if !word.is_idle() {
            return false;
        }
        cell.admit();
        let quiet = self.published.word() == word;
        if quiet {
            cell.settle(word.generation());
        }
        quiet
    }

    /// Takes the lock and adds up; `moves_on` is a transition.
    fn locked(&self, moves_on: bool) -> u64 {
        let mut ledger = self.ledger.lock().unwrap();
        let counted = ledger.cells.sum(ledger.generation);
        assert!(counted.settled <= counted.admitted, "who settled was admitted");
        assert!(counted.current >= ledger.window, "a window only grows");
        ledger.absorbed += counted.current - ledger.window;
        ledger.window = counted.current;
        let seen = ledger.window;
        if moves_on {
            ledger.generation += 1;
            ledger.window = 0;
            ledger.cells.next_generation();
            let Ledger { cells, generation, .. } = &*ledger;
            let quiet = Ease::Quiet { until: Moment::FAR };
            self.published.publish(*generation, quiet, |word| cells.announce(word));
        }
        seen
    }

    /// Successes that came too late for any window.
    fn stale(&self) -> u64 {
        self.locked(false);
        let ledger = self.ledger.lock().unwrap();
        ledger.cells.sum(ledger.generation).settled - ledger.absorbed
    }
}

fn cells<const N: usize>() -> [Arc<Cell>; N] {
    [(); N].map(|()| Arc::new(Cell::default()))
}

#[test]
fn each_success_is_in_one_window_or_stale() {
    loom::model(|| {
        let [mine, theirs] = cells();
        let circuit = Circuit::new(&[mine.clone(), theirs.clone()]);
        let other = {
            let (circuit, theirs) = (circuit.clone(), theirs.clone());
            thread::spawn(move || (0..2).filter(|_| circuit.succeed(&theirs)).count() as u64)
        };
        circuit.locked(true);
        let own = u64::from(circuit.succeed(&mine));
        let settled = own + other.join().unwrap();
        let stale = circuit.stale();
        let absorbed = circuit.ledger.lock().unwrap().absorbed;
        assert_eq!(absorbed + stale, settled);
        assert!(absorbed >= own, "its own thread had made the transition: it cannot be late");
    });
}

#[test]
fn a_thread_sees_its_own_successes_and_those_it_heard_of() {
    loom::model(|| {
        let [mine, theirs] = cells();
        let circuit = Circuit::new(&[mine.clone(), theirs.clone()]);
        let other = {
            let (circuit, theirs) = (circuit.clone(), theirs.clone());
            thread::spawn(move || circuit.succeed(&theirs))
        };
        assert!(circuit.succeed(&mine));
        assert!(circuit.locked(false) >= 1, "its own");
        assert!(other.join().unwrap());
        assert_eq!(circuit.locked(false), 2, "its own, and the one that it waited for");
    });
}

#[test]
fn a_late_success_never_enters_a_newer_window() {
    loom::model(|| {
        let [theirs] = cells();
        let circuit = Circuit::new(&[theirs.clone()]);
        let other = {
            let (circuit, theirs) = (circuit.clone(), theirs.clone());
            thread::spawn(move || circuit.succeed(&theirs))
        };
        circuit.locked(true);
        circuit.locked(true);
        let settled = u64::from(other.join().unwrap());
        circuit.locked(false);
        let ledger = circuit.ledger.lock().unwrap();
        let counted = ledger.cells.sum(ledger.generation);
        assert!(counted.current <= settled);
        assert!(ledger.absorbed <= settled);
    });
}

#[test]
fn who_sees_a_transition_settles_nothing_under_the_word_before_it() {
    loom::model(|| {
        let [mine] = cells();
        let circuit = Circuit::new(&[mine.clone()]);
        let before = circuit.published.word();
        let other = {
            let circuit = circuit.clone();
            thread::spawn(move || circuit.locked(true))
        };
        mine.admit();
        let seen = circuit.published.word() != before;
        let settled = mine.settle_under(before);
        assert!(!(seen && settled));
        other.join().unwrap();
        let late = circuit.stale();
        let absorbed = circuit.ledger.lock().unwrap().absorbed;
        assert_eq!(absorbed + late, u64::from(settled), "in one window, or stale");
    });
}

#[test]
fn the_times_are_those_of_their_word() {
    use crate::machine::Cause;

    let times = |nanos| (Moment::from_nanos(nanos), Moment::from_nanos(nanos + 5));
    let rejects = move |nanos| {
        let (since, until) = times(nanos);
        Ease::Rejects { since, until, cause: Cause::Tripped }
    };
    loom::model(move || {
        let circuit = Circuit::new(&[]);
        circuit.published.publish(1, rejects(10), |_| ());
        let other = {
            let circuit = circuit.clone();
            thread::spawn(move || circuit.published.publish(2, rejects(20), |_| ()))
        };
        let word = circuit.published.word();
        if let Some(found) = circuit.published.times_of(word) {
            assert_eq!(found, times(10 * word.generation()));
        }
        other.join().unwrap();
        let word = circuit.published.word();
        assert_eq!(circuit.published.times_of(word), Some(times(20)));
    });
}
