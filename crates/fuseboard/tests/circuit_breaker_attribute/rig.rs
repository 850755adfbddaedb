//! A board of one test, with a clock that the test moves.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fuseboard::time::ManualClock;
use fuseboard::{Board, CircuitBreaker, Totals};

/// A board for the functions of one test. It is made when the first of them is called.
pub(crate) struct Rig {
    pub(crate) board: Board,
    clock: Arc<ManualClock>,
}

pub(crate) const fn rig() -> LazyLock<Rig> {
    LazyLock::new(|| {
        let clock = Arc::new(ManualClock::new());
        Rig { board: Board::builder().clock(clock.clone()).build(), clock }
    })
}

impl Rig {
    /// The only circuit of the board.
    pub(crate) fn circuit(&self) -> CircuitBreaker {
        let [circuit] = self.board.all().try_into().expect("one circuit is on the board");
        circuit
    }

    pub(crate) fn totals(&self) -> Totals {
        self.circuit().info().totals
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}
