//! Keyed circuits on a clock that is moved by hand, and what the suites do with them.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::ManualClock;
use fuseboard_core::{
    CallError, CircuitBreaker, Keyed, KeyedBuilder, KeyedInfo, KeyedLimits, Rules, RulesBuilder,
};

/// An open circuit waits so long.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(10);
/// A key is idle after this.
pub(crate) const IDLE: Duration = Duration::from_secs(3600);
/// No key has more circuits looked at than this, as the documentation says.
pub(crate) const MOST_LOOKS: u64 = 32;

pub(crate) fn rules() -> RulesBuilder {
    let rules = Rules::builder().tripper("failure_streak(3)".parse().unwrap());
    let rules = rules.retry("cooldown(10s)".parse().unwrap());
    rules.recovery("successes(1)".parse().unwrap())
}

pub(crate) fn limits(capacity: usize) -> KeyedLimits {
    KeyedLimits::default().capacity(capacity).idle_after(IDLE)
}

pub(crate) struct Rig {
    pub(crate) keyed: Keyed<String>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Rig {
    /// Room for so many keys.
    pub(crate) fn with(capacity: usize) -> Self {
        Rig::built(|builder| builder.limits(limits(capacity)))
    }

    pub(crate) fn built(build: impl FnOnce(KeyedBuilder<String>) -> KeyedBuilder<String>) -> Self {
        let clock = Arc::new(ManualClock::new());
        let builder = Keyed::builder("payments").rules(rules().build().unwrap());
        let keyed = build(builder.clock(clock.clone())).build().unwrap();
        Rig { keyed, clock }
    }

    pub(crate) fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    pub(crate) fn succeed(&self, key: &str) {
        self.keyed.call(key, || Ok::<_, &str>(())).unwrap();
    }

    pub(crate) fn fail(&self, key: &str, times: usize) {
        for _ in 0..times {
            let failed = self.keyed.call(key, || Err::<(), _>("down"));
            assert_eq!(failed, Err(CallError::Failed("down")), "{key}");
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keyed.find(key).is_some()
    }

    /// Which of the keys have a circuit.
    pub(crate) fn kept<'a>(&self, keys: &[&'a str]) -> Vec<&'a str> {
        keys.iter().copied().filter(|key| self.has(key)).collect()
    }

    pub(crate) fn info(&self) -> KeyedInfo {
        self.keyed.info()
    }

    pub(crate) fn gives_overflow(&self, key: &str) -> bool {
        self.keyed.get(key).id() == self.keyed.overflow().id()
    }
}

pub(crate) fn fail_once(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().failure("down");
}
