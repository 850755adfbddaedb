//! Loom models of a breaker's lock-free parts by themselves, in two threads with a few steps each: small enough for the
//! long size to run every interleaving, however many preemptions. The models of the breaker are in [`super::super::model`].

use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread;

use super::super::model::{Preemptions, explore};
use super::super::word::{Mode, Published};
use super::{Cell, Cells};
use crate::engine::Ease;
use crate::machine::Cause;
use crate::names::CircuitId;
use crate::rules::Rules;
use crate::time::Moment;

const QUIET: Ease = Ease::Quiet { until: Moment::FAR };

/// What a breaker does with cells and words, without the engine.
struct Circuit {
    published: Published,
    cells: Mutex<Cells>,
}

impl Circuit {
    fn new<const N: usize>(threads: [&Arc<Cell>; N]) -> Arc<Circuit> {
        let published = Published::new(CircuitId::next(), &Rules::default(), 0);
        published.publish(0, QUIET, |_| ());
        let mut cells = Cells::default();
        threads.into_iter().for_each(|cell| cells.add(Arc::clone(cell), published.word()));
        Arc::new(Circuit { published, cells: Mutex::new(cells) })
    }

    /// Successes of generation 0, as they are seen under the lock.
    fn counted(&self) -> u64 {
        let counted = self.cells.lock().unwrap().sum(0);
        assert!(counted.settled <= counted.admitted, "who settled was admitted");
        counted.current
    }

    fn move_on(&self) {
        let mut cells = self.cells.lock().unwrap();
        cells.next_generation();
        self.published.publish(1, QUIET, |word| cells.announce(word));
    }
}

const PREEMPTIONS: Preemptions = Preemptions { small: Some(4), long: None };

fn succeed(cell: &Cell) {
    cell.admit();
    cell.settle(0);
}

#[test]
fn a_thread_sees_its_own_successes_and_those_it_heard_of() {
    explore(&PREEMPTIONS, || {
        let [mine, theirs] = [(); 2].map(|()| Arc::new(Cell::default()));
        let circuit = Circuit::new([&mine, &theirs]);
        let other = thread::spawn(move || succeed(&theirs));
        succeed(&mine);
        assert!(circuit.counted() >= 1, "its own");
        other.join().unwrap();
        assert_eq!(circuit.counted(), 2, "its own, and the one that it waited for");
    });
}

#[test]
fn who_sees_a_transition_settles_nothing_under_the_word_before_it() {
    explore(&PREEMPTIONS, || {
        let mine = Arc::new(Cell::default());
        let circuit = Circuit::new([&mine]);
        let before = circuit.published.word();
        let other = {
            let circuit = circuit.clone();
            thread::spawn(move || circuit.move_on())
        };
        mine.admit();
        let seen = circuit.published.word() != before;
        let settled = mine.settle_under(before);
        assert!(!(seen && settled));
        other.join().unwrap();
        assert_eq!(circuit.counted(), u64::from(settled));
    });
}

#[test]
fn the_times_are_those_of_their_word() {
    let times = |nanos| (Moment::from_nanos(nanos), Moment::from_nanos(nanos + 5));
    let publish = move |circuit: &Circuit, generation| {
        let (since, until) = times(10 * generation);
        let rejects = Ease::Rejects { since, until, cause: Cause::Tripped };
        circuit.published.publish(generation, rejects, |_| ());
    };
    explore(&PREEMPTIONS, move || {
        let circuit = Circuit::new([]);
        publish(&circuit, 1);
        let reader = {
            let circuit = circuit.clone();
            thread::spawn(move || {
                let word = circuit.published.word();
                if word.mode() == Mode::Rejects
                    && let Some(found) = circuit.published.times_of(word)
                {
                    assert_eq!(found, times(10 * word.generation()));
                }
            })
        };
        publish(&circuit, 2);
        reader.join().unwrap();
        let word = circuit.published.word();
        assert_eq!(circuit.published.times_of(word), Some(times(20)));
    });
}
