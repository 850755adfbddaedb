//! A threshold override: numbers that hold for one circuit for a while.

use std::time::Duration;

use fuseboard_core::Rules;
use fuseboard_core::text::format_duration;

use super::config::CircuitBreakerConfig;
use super::error::Invalid;

/// How long something holds that an operator orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lasting {
    /// As long as `manual_override_ttl` says, by default 90 minutes.
    #[default]
    Usual,
    /// So long, 1 ms and up.
    For(Duration),
    /// Until somebody ends it.
    Forever,
}

impl Lasting {
    /// The time it lasts, `None` for ever.
    pub(super) fn resolve(self, usual: Duration) -> Result<Option<Duration>, Invalid> {
        match self {
            Lasting::Usual => Ok(Some(usual)),
            Lasting::For(time) if time < Duration::from_millis(1) => {
                let expected = "a duration from 1ms, or to be told that it never ends";
                Err(Invalid::new("lasting", format_duration(time), expected))
            }
            Lasting::For(time) => Ok(Some(time)),
            Lasting::Forever => Ok(None),
        }
    }
}

/// Numbers that replace those of the [configuration](CircuitBreakerConfig) for one circuit, for a while. What is `None` stays
/// as it is.
///
/// ```
/// use fuseboard_services::circuits::{CircuitBreakerService, ThresholdOverride};
/// use std::time::Duration;
///
/// let service = CircuitBreakerService::default();
/// let careful = ThresholdOverride { failure_threshold: Some(2), ..ThresholdOverride::default() }
///     .by("ops", "a risky release")
///     .lasting(Duration::from_secs(1800));
/// service.apply_threshold_override("payments", careful)?;
/// assert_eq!(service.get_effective_config("payments").failure_threshold, 2);
/// assert!(service.remove_threshold_override("payments"));
/// assert_eq!(service.get_effective_config("payments").failure_threshold, 5);
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThresholdOverride {
    /// Failures in a row that open the circuit.
    pub failure_threshold: Option<u32>,
    /// Percentage of failures in the window that opens it.
    pub failure_rate_threshold: Option<f64>,
    /// How many outcomes the window holds.
    pub sliding_window_size: Option<u32>,
    /// Outcomes in the window from which on their failure rate counts.
    pub minimum_calls: Option<u32>,
    /// How long the circuit stays open. One that is open already keeps its deadline.
    pub recovery_timeout: Option<Duration>,
    /// Successes that close it when half-open.
    pub success_threshold: Option<u32>,
    /// Calls that it lets through at once when half-open.
    pub half_open_max_calls: Option<u32>,
    /// After this a half-open call has failed.
    pub half_open_stuck_timeout: Option<Duration>,
    /// Who orders it.
    pub set_by: String,
    /// Why.
    pub reason: String,
    /// For how long.
    pub lasting: Lasting,
}

impl ThresholdOverride {
    /// Says who orders it and why.
    #[must_use]
    pub fn by(mut self, actor: impl Into<String>, reason: impl Into<String>) -> Self {
        (self.set_by, self.reason) = (actor.into(), reason.into());
        self
    }

    /// Makes it end by itself after `time`.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Lasting::For(time);
        self
    }

    /// Makes it hold until it is removed.
    #[must_use]
    pub fn never_expiring(mut self) -> Self {
        self.lasting = Lasting::Forever;
        self
    }

    /// The configuration with these numbers in place of its own.
    pub(super) fn over(&self, base: &CircuitBreakerConfig) -> CircuitBreakerConfig {
        CircuitBreakerConfig {
            failure_threshold: self.failure_threshold.unwrap_or(base.failure_threshold),
            failure_rate_threshold: self
                .failure_rate_threshold
                .unwrap_or(base.failure_rate_threshold),
            sliding_window_size: self.sliding_window_size.unwrap_or(base.sliding_window_size),
            minimum_calls: self.minimum_calls.unwrap_or(base.minimum_calls),
            recovery_timeout: self.recovery_timeout.unwrap_or(base.recovery_timeout),
            success_threshold: self.success_threshold.unwrap_or(base.success_threshold),
            half_open_max_calls: self.half_open_max_calls.unwrap_or(base.half_open_max_calls),
            half_open_stuck_timeout: self
                .half_open_stuck_timeout
                .unwrap_or(base.half_open_stuck_timeout),
            ..base.clone()
        }
    }

    /// The circuit's rules, those policies replaced that the override names numbers of. A circuit that somebody made with
    /// rules of its own keeps the rest of them, trackers above all.
    pub(super) fn rules_over(
        &self,
        base: &Rules,
        config: &CircuitBreakerConfig,
    ) -> Result<Rules, Invalid> {
        if self.is_empty() {
            let expected = "at least one number to change";
            return Err(Invalid::new("override", "nothing", expected));
        }
        let effective = self.over(config);
        effective.validate()?;
        let trips = self.failure_threshold.is_some()
            || self.failure_rate_threshold.is_some()
            || self.minimum_calls.is_some();
        fn either<T: Clone>(replace: bool, new: T, old: &T) -> T {
            if replace { new } else { old.clone() }
        }
        let resized = self.sliding_window_size.is_some();
        let recovers = self.success_threshold.is_some();
        let rules = Rules::builder()
            .tracker(base.classifier().failures.clone())
            .ignoring(base.classifier().ignored.clone())
            .window(either(resized, effective.window(), base.window()))
            .tripper(either(trips, effective.tripper(), base.tripper()))
            .retry(either(self.recovery_timeout.is_some(), effective.retry(), base.retry()))
            .permit(base.permit().clone())
            .slots(self.half_open_max_calls.unwrap_or(base.slots()))
            .recovery(either(recovers, effective.recovery(), base.recovery()))
            .probe_timeout(self.half_open_stuck_timeout.unwrap_or(base.probe_timeout()));
        let rules = match base.cancelled_after() {
            Some(limit) => rules.cancelled_after(limit),
            None => rules,
        };
        rules.build()
    }

    fn is_empty(&self) -> bool {
        self.numbers().is_empty()
    }

    /// The numbers that it changes, as audit records show them.
    pub(super) fn numbers(&self) -> String {
        let count = |number: Option<u32>| number.map(|number| number.to_string());
        let time = |time: Option<Duration>| time.map(|time| format_duration(time).to_string());
        let rate = self.failure_rate_threshold.map(|rate| rate.to_string());
        let all = [
            ("failure_threshold", count(self.failure_threshold)),
            ("failure_rate_threshold", rate),
            ("sliding_window_size", count(self.sliding_window_size)),
            ("minimum_calls", count(self.minimum_calls)),
            ("recovery_timeout", time(self.recovery_timeout)),
            ("success_threshold", count(self.success_threshold)),
            ("half_open_max_calls", count(self.half_open_max_calls)),
            ("half_open_stuck_timeout", time(self.half_open_stuck_timeout)),
        ];
        let set = all.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
        set.collect::<Vec<_>>().join(", ")
    }
}
