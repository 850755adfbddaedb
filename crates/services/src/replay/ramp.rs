//! How many letters of one circuit may be on their way: a canary first, then more, and fewer where live calls need the room.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_core::Outcome;

/// How careful the replay of one circuit is.
///
/// - **The canary.** After each transition of its circuit, and after a start, letters go one at a time until `canary` of them
///   were done one after the other. From then on each success lets one more go at once, up to the lane's concurrency. A
///   failure halves what may go at once, and from then on it takes as many successes as may go at once to let one more go;
///   at one, the canary begins anew. What was begun before a transition does not count after it.
/// - **Live calls come first.** The lane's concurrency is room that it shares with the circuit's other calls: each of them
///   that is in flight takes a place. However many there are, `beside_live` letters may go, so that a backlog becomes
///   smaller under any load.
///
/// ```
/// use fuseboard_services::replay::Caution;
///
/// let caution = Caution::default();
/// assert_eq!((caution.canary, caution.beside_live), (3, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caution {
    /// Letters that must be done one after the other, one at a time, before more go at once. 0 for no canary. Default 3.
    pub canary: u32,
    /// Letters that may be on their way at once however busy the circuit is. 0 lets replay wait for as long as live calls take
    /// all of the lane's concurrency. Default 1.
    pub beside_live: usize,
}

impl Default for Caution {
    fn default() -> Self {
        Caution { canary: 3, beside_live: 1 }
    }
}

/// Why no letter may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// As many are on their way as may be.
    Letters,
    /// Live calls need the room.
    Live,
}

/// The letters of one circuit that are on their way.
#[derive(Debug)]
pub(super) struct Ramp {
    limit: usize,
    caution: Caution,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The circuit's generation that the rest is about.
    generation: u64,
    /// How many letters may be on their way at once.
    allowed: usize,
    /// Letters that were done one after the other since the canary began.
    in_a_row: u32,
    /// Successes since one more was let go, once a letter has failed.
    since_failure: Option<usize>,
    in_flight: usize,
    /// Of those in flight, how many are calls of the circuit already.
    calls: usize,
}

/// The right to begin a letter; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    ramp: &'a Ramp,
    generation: u64,
    is_call: bool,
}

impl Ramp {
    pub(super) fn new(limit: usize, caution: Caution) -> Self {
        let state = State {
            generation: 0,
            allowed: 1,
            in_a_row: 0,
            since_failure: None,
            in_flight: 0,
            calls: 0,
        };
        let ramp = Ramp { limit: limit.max(1), caution, state: Mutex::new(state) };
        ramp.lock().begin_anew(0, &ramp);
        ramp
    }

    /// A letter of a circuit that is of that generation and has so many calls in flight, letters included.
    pub(super) fn begin(&self, generation: u64, calls: u64) -> Result<Permit<'_>, Full> {
        let mut state = self.lock();
        state.see(generation, self);
        let calls = usize::try_from(calls).unwrap_or(usize::MAX);
        let room = self.limit.saturating_sub(calls.saturating_sub(state.calls));
        if state.in_flight >= state.allowed {
            return Err(Full::Letters);
        }
        if state.in_flight >= room.max(self.caution.beside_live) {
            return Err(Full::Live);
        }
        Ok(self.admit(state, generation))
    }

    /// A letter that is a probe: whoever asks sees to it that there is one at a time.
    pub(super) fn begin_probe(&self, generation: u64) -> Permit<'_> {
        let mut state = self.lock();
        state.see(generation, self);
        self.admit(state, generation)
    }

    fn admit(&self, mut state: MutexGuard<'_, State>, generation: u64) -> Permit<'_> {
        state.in_flight += 1;
        Permit { ramp: self, generation, is_call: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins anew if the circuit changed.
    fn see(&mut self, generation: u64, ramp: &Ramp) {
        if self.generation != generation {
            self.begin_anew(generation, ramp);
        }
    }

    fn begin_anew(&mut self, generation: u64, ramp: &Ramp) {
        let allowed = if ramp.caution.canary == 0 { ramp.limit } else { 1 };
        (self.generation, self.allowed, self.in_a_row) = (generation, allowed, 0);
        self.since_failure = None;
    }

    fn succeed(&mut self, ramp: &Ramp) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row < ramp.caution.canary || self.allowed >= ramp.limit {
            return false;
        }
        if let Some(successes) = &mut self.since_failure {
            *successes += 1;
            if *successes < self.allowed {
                return false;
            }
            *successes = 0;
        }
        self.allowed += 1;
        true
    }

    fn fail(&mut self) {
        self.allowed = (self.allowed / 2).max(1);
        self.since_failure = Some(0);
        if self.allowed == 1 {
            self.in_a_row = 0;
        }
    }
}

impl Permit<'_> {
    /// The letter is a call of its circuit from now on.
    pub(super) fn is_call(&mut self) {
        self.is_call = true;
        self.ramp.lock().calls += 1;
    }

    /// What the call came to, which is over now; whether another letter may go because of it. What was ignored says nothing.
    pub(super) fn learn(&mut self, outcome: Outcome) -> bool {
        let mut state = self.ramp.lock();
        state.calls -= usize::from(std::mem::take(&mut self.is_call));
        match outcome {
            _ if state.generation != self.generation => false,
            Outcome::Success => state.succeed(self.ramp),
            Outcome::Failure => {
                state.fail();
                false
            }
            Outcome::Ignored => false,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.ramp.lock();
        state.in_flight -= 1;
        state.calls -= usize::from(self.is_call);
    }
}
