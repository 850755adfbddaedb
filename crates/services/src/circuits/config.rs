//! The flat configuration of circuits, and the rules that it comes to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::Rules;
use fuseboard_core::policy::{
    Recovery, Retry, Tripper, Window, failure_rate, failure_streak, min_requests,
};
use fuseboard_core::text::format_duration;

use super::error::Invalid;

const MANY: u32 = 1_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The flat configuration of circuits: numbers, compiled to [`Rules`].
///
/// A closed circuit opens when `failure_threshold` failures came in a row, or when the window holds at least
/// `minimum_calls` outcomes of which `failure_rate_threshold` percent or more failed. It stays open for
/// `recovery_timeout`, then lets at most `half_open_max_calls` calls through at once, and closes after `success_threshold`
/// successes; one failure opens it again.
///
/// ```
/// use fuseboard_services::circuits::CircuitBreakerConfig;
///
/// let config = CircuitBreakerConfig { failure_threshold: 3, ..CircuitBreakerConfig::default() };
/// let rules = config.rules()?;
/// assert_eq!(rules.tripper().to_string(), "failure_streak(3) | min_requests(10) & failure_rate(0.5)");
/// assert_eq!(rules.retry().to_string(), "cooldown(1m)");
/// # Ok::<(), fuseboard_services::circuits::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerConfig {
    /// Whether circuits reject calls at all. Default: yes.
    pub enabled: bool,
    /// Failures in a row that open a circuit, 1 to 1 000 000. Default: 5.
    pub failure_threshold: u32,
    /// Percentage of failures in the window that opens a circuit, 0 to 100; 0 for never. Default: 50.
    pub failure_rate_threshold: f64,
    /// How many outcomes the window holds, 1 to 1 000 000. Default: 100.
    pub sliding_window_size: u32,
    /// Outcomes in the window from which on their failure rate counts, 1 up to the window's size. Default: 10.
    pub minimum_calls: u32,
    /// How long a circuit stays open, 1 ms to 24 h. Default: 60 s.
    pub recovery_timeout: Duration,
    /// Successes that close a half-open circuit, 1 up to `half_open_max_calls`. Default: 2.
    pub success_threshold: u32,
    /// Calls that a half-open circuit lets through at once, 1 to 10 000. Default: 3.
    pub half_open_max_calls: u32,
    /// After this a half-open call has failed and its slot is free, 1 ms to 24 h. Default: 60 s.
    pub half_open_stuck_timeout: Duration,
    /// How long a pin holds, and an override, that does not say for how long, 1 ms and up. Default: 90 min.
    pub manual_override_ttl: Duration,
    /// How long an admitted call that is not half-open may wait for its record until it counts as cancelled, 1 ms to 24 h.
    /// Default: 60 s.
    pub call_lease: Duration,
    /// How many admitted calls of one circuit may wait for their record; one more cancels the oldest. 1 to 1 000 000.
    /// Default: 10 000.
    pub max_open_calls: u32,
    /// What serves a call that was not allowed. Default: whatever there is, in order.
    pub fallback_strategy: FallbackStrategy,
    /// How old a cached answer may be that serves as a fallback. Default: 300 s.
    pub fallback_cache_ttl: Duration,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        CircuitBreakerConfig {
            enabled: true,
            failure_threshold: 5,
            failure_rate_threshold: 50.0,
            sliding_window_size: 100,
            minimum_calls: 10,
            recovery_timeout: Duration::from_secs(60),
            success_threshold: 2,
            half_open_max_calls: 3,
            half_open_stuck_timeout: Duration::from_secs(60),
            manual_override_ttl: Duration::from_secs(90 * 60),
            call_lease: Duration::from_secs(60),
            max_open_calls: 10_000,
            fallback_strategy: FallbackStrategy::InOrder,
            fallback_cache_ttl: Duration::from_secs(300),
        }
    }
}

impl CircuitBreakerConfig {
    /// Checks every field, alone and with the others.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the first field that cannot be, its value, and what would be right.
    pub fn validate(&self) -> Result<(), Invalid> {
        number("failure_threshold", self.failure_threshold, MANY)?;
        if !(0.0..=100.0).contains(&self.failure_rate_threshold) {
            let expected = "a percentage from 0 to 100 (0: the rate opens nothing)";
            return Err(Invalid::new(
                "failure_rate_threshold",
                self.failure_rate_threshold,
                expected,
            ));
        }
        number("sliding_window_size", self.sliding_window_size, MANY)?;
        number("minimum_calls", self.minimum_calls, self.sliding_window_size)?;
        duration("recovery_timeout", self.recovery_timeout, DAY)?;
        number("half_open_max_calls", self.half_open_max_calls, 10_000)?;
        number("success_threshold", self.success_threshold, self.half_open_max_calls)?;
        duration("half_open_stuck_timeout", self.half_open_stuck_timeout, DAY)?;
        duration("manual_override_ttl", self.manual_override_ttl, Duration::MAX)?;
        duration("call_lease", self.call_lease, DAY)?;
        number("max_open_calls", self.max_open_calls, MANY)
    }

    /// The rules of a circuit with this configuration.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn rules(&self) -> Result<Rules, Invalid> {
        self.validate()?;
        let rules = Rules::builder()
            .window(self.window())
            .tripper(self.tripper())
            .retry(self.retry())
            .slots(self.half_open_max_calls)
            .recovery(self.recovery())
            .probe_timeout(self.half_open_stuck_timeout);
        rules.build()
    }

    pub(super) fn window(&self) -> Window {
        Window::count(self.sliding_window_size)
    }

    pub(super) fn tripper(&self) -> Tripper {
        let streak = failure_streak(self.failure_threshold.into());
        if self.failure_rate_threshold == 0.0 {
            return streak;
        }
        let rate = failure_rate(self.failure_rate_threshold / 100.0);
        streak | min_requests(self.minimum_calls.into()) & rate
    }

    pub(super) fn retry(&self) -> Retry {
        Retry::cooldown(self.recovery_timeout)
    }

    pub(super) fn recovery(&self) -> Recovery {
        Recovery::successes(self.success_threshold)
    }
}

fn number(field: &'static str, value: u32, most: u32) -> Result<(), Invalid> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let limit = match field {
        "minimum_calls" => " (sliding_window_size: the window never holds more)",
        "success_threshold" => " (half_open_max_calls: no more calls are tried at once)",
        _ => "",
    };
    Err(Invalid::new(field, value, format!("a number from 1 to {most}{limit}")))
}

fn duration(field: &'static str, value: Duration, most: Duration) -> Result<(), Invalid> {
    if (MILLISECOND..=most).contains(&value) {
        return Ok(());
    }
    let expected = if most == DAY { "a duration from 1ms to 24h" } else { "a duration from 1ms" };
    Err(Invalid::new(field, format_duration(value), expected))
}

/// What serves a call that was not allowed.
///
/// ```
/// use fuseboard_services::circuits::FallbackStrategy;
///
/// assert_eq!("cache".parse(), Ok(FallbackStrategy::Cache));
/// assert!("retry".parse::<FallbackStrategy>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FallbackStrategy {
    /// What there is: a cached answer, else the queue, else the default answer.
    #[default]
    InOrder,
    /// A cached answer or nothing.
    Cache,
    /// The queue or nothing.
    Dlq,
    /// The default answer or nothing.
    DefaultResponse,
    /// Nothing.
    Block,
}

impl FallbackStrategy {
    const ALL: [FallbackStrategy; 5] = [
        FallbackStrategy::InOrder,
        FallbackStrategy::Cache,
        FallbackStrategy::Dlq,
        FallbackStrategy::DefaultResponse,
        FallbackStrategy::Block,
    ];

    /// The word for it in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            FallbackStrategy::InOrder => "in_order",
            FallbackStrategy::Cache => "cache",
            FallbackStrategy::Dlq => "dlq",
            FallbackStrategy::DefaultResponse => "default_response",
            FallbackStrategy::Block => "block",
        }
    }

    pub(super) fn tries(self, one: FallbackStrategy) -> bool {
        self == FallbackStrategy::InOrder || self == one
    }
}

impl fmt::Display for FallbackStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FallbackStrategy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = FallbackStrategy::ALL.into_iter().find(|strategy| strategy.as_str() == text);
        found.ok_or_else(|| {
            let expected = "in_order, cache, dlq, default_response or block";
            Invalid::new("fallback_strategy", text, expected)
        })
    }
}
