//! What breakers have in common: the clock, the random numbers, and who listens.

use std::sync::Arc;

use crate::listener::Listener;
use crate::random::{Random, SeededRandom};
use crate::time::{Clock, SystemClock, saturating_nanos};

/// What the breakers of one board have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) clock: Arc<dyn Clock>,
    /// How far the clock's coarse time may lag behind, in nanoseconds.
    pub(crate) lag: u64,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) listeners: Vec<Arc<dyn Listener>>,
}

impl Default for Common {
    /// The operating system's clock, and nobody who listens.
    fn default() -> Self {
        let (clock, random) = (SystemClock::new(), SeededRandom::from_entropy());
        let lag = saturating_nanos(clock.lag());
        Common { clock: Arc::new(clock), lag, random: Arc::new(random), listeners: Vec::new() }
    }
}

impl Common {
    pub(crate) fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.lag = saturating_nanos(clock.lag());
        self.clock = clock;
    }
}
