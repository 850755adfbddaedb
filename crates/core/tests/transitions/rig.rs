//! A circuit breaker whose clock, dice and listener are in the test's hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::policy::{Recovery, Retry};
use fuseboard_core::random::Random;
use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    Cause, CircuitBreaker, Listener, Outcome, Pin, Rejected, Rules, RulesBuilder, State, Ticket,
    Transition,
};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// Draws what it was told to.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<f64>);

impl Dice {
    pub(crate) fn set(&self, draw: f64) {
        *self.0.lock().unwrap() = draw;
    }
}

impl Random for Dice {
    fn draw(&self) -> f64 {
        *self.0.lock().unwrap()
    }
}

#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) transitions: Mutex<Vec<Transition>>,
    pub(crate) would_trip: Mutex<Vec<String>>,
}

impl Listener for Heard {
    fn on_transition(&self, _circuit: &str, transition: &Transition) {
        self.transitions.lock().unwrap().push(transition.clone());
    }

    fn on_would_trip(&self, _circuit: &str, why: &str) {
        self.would_trip.lock().unwrap().push(why.to_owned());
    }
}

pub(crate) struct Rig {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dice: Arc<Dice>,
    pub(crate) heard: Arc<Heard>,
}

impl Rig {
    pub(crate) fn of(rules: RulesBuilder) -> Self {
        let (clock, heard) = (Arc::new(ManualClock::new()), Arc::new(Heard::default()));
        let dice = Arc::new(Dice(Mutex::new(0.5)));
        let builder = CircuitBreaker::builder("payments").rules(rules.build().unwrap());
        let builder = builder.clock(clock.clone()).random(dice.clone());
        let breaker = builder.shared_listener(heard.clone()).build().unwrap();
        Rig { breaker, clock, dice, heard }
    }

    pub(crate) fn half_open(rules: RulesBuilder) -> Self {
        let rig = Rig::of(rules);
        rig.breaker.force_open(Pin::by("ops"));
        rig.breaker.auto();
        assert_eq!(rig.breaker.state(), State::HalfOpen);
        rig.heard();
        rig
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.breaker.try_acquire().unwrap()
    }

    pub(crate) fn refused(&self) -> Rejected {
        self.breaker.try_acquire().unwrap_err()
    }

    /// Makes calls that come to what the letters say: `S`uccess, `F`ailure, `I`gnored, `C`ancelled.
    pub(crate) fn calls(&self, letters: &str) {
        for letter in letters.chars() {
            match letter {
                'S' => self.ticket().success(),
                'F' => self.ticket().settle(Outcome::Failure),
                'I' => self.ticket().ignored(),
                'C' => drop(self.ticket()),
                other => panic!("`{other}` is no outcome"),
            }
        }
    }

    /// The transitions since the last time it was asked.
    pub(crate) fn heard(&self) -> Vec<Transition> {
        std::mem::take(&mut self.heard.transitions.lock().unwrap())
    }

    pub(crate) fn causes(&self) -> Vec<Cause> {
        self.heard().iter().map(|transition| transition.cause).collect()
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.breaker.info().retry_after
    }
}

/// One slot, one success to recover, ten seconds to wait.
pub(crate) fn rules(trip: &str) -> RulesBuilder {
    let rules = Rules::builder().tripper(trip.parse().unwrap()).slots(1);
    rules.retry(Retry::cooldown(secs(10))).recovery(Recovery::successes(1))
}
