//! The flat configuration: its defaults, what it comes to, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_services::circuits::{
    BoardRepository, CircuitBreakerConfig, CircuitBreakerService, FallbackStrategy,
};

use crate::rig::SECOND;

#[test]
fn the_defaults_are_those_that_people_know() {
    let config = CircuitBreakerConfig::default();
    assert!(config.enabled);
    assert_eq!((config.failure_threshold, config.failure_rate_threshold), (5, 50.0));
    assert_eq!((config.sliding_window_size, config.minimum_calls), (100, 10));
    assert_eq!((config.recovery_timeout, config.success_threshold), (60 * SECOND, 2));
    assert_eq!((config.half_open_max_calls, config.half_open_stuck_timeout), (3, 60 * SECOND));
    assert_eq!(config.manual_override_ttl, 90 * 60 * SECOND);
    assert_eq!(config.fallback_cache_ttl, 300 * SECOND);
}

#[test]
fn it_is_compiled_to_rules() {
    let config = CircuitBreakerConfig { failure_rate_threshold: 7.0, ..Default::default() };
    let settings = config.rules().unwrap().settings();
    let shown: Vec<String> =
        settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let expected = [
        "window = count(100)",
        "failure = errors",
        "ignore = nothing",
        "trip = failure_streak(5) | min_requests(10) & failure_rate(0.07)",
        "retry = cooldown(1m)",
        "permit = all",
        "slots = 3",
        "recovery = successes(2)",
        "probe_timeout = 1m",
        "cancelled_after = never",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_rate_of_zero_leaves_the_streak_alone() {
    let config = CircuitBreakerConfig { failure_rate_threshold: 0.0, ..Default::default() };
    assert_eq!(config.rules().unwrap().tripper().to_string(), "failure_streak(5)");
}

#[test]
fn values_that_cannot_be_are_refused_with_field_value_and_what_is_right() {
    type Change = fn(&mut CircuitBreakerConfig);
    let rows: [(Change, &str); 14] = [
        (
            |c| c.failure_threshold = 0,
            "failure_threshold: `0` is not possible: a number from 1 to 1000000",
        ),
        (
            |c| c.failure_rate_threshold = 100.5,
            "failure_rate_threshold: `100.5` is not possible: a percentage from 0 to 100 (0: the rate opens nothing)",
        ),
        (
            |c| c.failure_rate_threshold = f64::NAN,
            "failure_rate_threshold: `NaN` is not possible: a percentage from 0 to 100 (0: the rate opens nothing)",
        ),
        (
            |c| c.failure_rate_threshold = -1.0,
            "failure_rate_threshold: `-1` is not possible: a percentage from 0 to 100 (0: the rate opens nothing)",
        ),
        (
            |c| c.sliding_window_size = 0,
            "sliding_window_size: `0` is not possible: a number from 1 to 1000000",
        ),
        (
            |c| c.minimum_calls = 0,
            "minimum_calls: `0` is not possible: a number from 1 to 100 (sliding_window_size: the window never holds more)",
        ),
        (
            |c| c.minimum_calls = 101,
            "minimum_calls: `101` is not possible: a number from 1 to 100 (sliding_window_size: the window never holds more)",
        ),
        (
            |c| c.recovery_timeout = Duration::ZERO,
            "recovery_timeout: `0s` is not possible: a duration from 1ms to 24h",
        ),
        (
            |c| c.success_threshold = 0,
            "success_threshold: `0` is not possible: a number from 1 to 3 (half_open_max_calls: no more calls are tried at once)",
        ),
        (
            |c| c.success_threshold = 4,
            "success_threshold: `4` is not possible: a number from 1 to 3 (half_open_max_calls: no more calls are tried at once)",
        ),
        (
            |c| c.half_open_max_calls = 10_001,
            "half_open_max_calls: `10001` is not possible: a number from 1 to 10000",
        ),
        (
            |c| c.half_open_stuck_timeout = 25 * 3600 * SECOND,
            "half_open_stuck_timeout: `1d1h` is not possible: a duration from 1ms to 24h",
        ),
        (
            |c| c.manual_override_ttl = Duration::ZERO,
            "manual_override_ttl: `0s` is not possible: a duration from 1ms",
        ),
        (
            |c| c.max_open_calls = 0,
            "max_open_calls: `0` is not possible: a number from 1 to 1000000",
        ),
    ];
    for (change, message) in rows {
        let mut config = CircuitBreakerConfig::default();
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), message);
        let repository = Arc::new(BoardRepository::default());
        let error = CircuitBreakerService::new(config, repository).unwrap_err();
        assert_eq!(error.to_string(), message, "nor is a service made of it");
    }
}

#[test]
fn fewer_half_open_calls_than_successes_to_close_are_refused_when_built() {
    let config = CircuitBreakerConfig {
        half_open_max_calls: 2,
        success_threshold: 3,
        ..CircuitBreakerConfig::default()
    };
    assert_eq!(config.rules().unwrap_err().field(), "success_threshold");
    let enough = CircuitBreakerConfig { half_open_max_calls: 3, ..config };
    assert!(enough.rules().is_ok());
}

#[test]
fn a_strategy_is_read_by_its_word_alone() {
    for word in ["in_order", "cache", "dlq", "default_response", "block"] {
        assert_eq!(word.parse::<FallbackStrategy>().unwrap().to_string(), word);
    }
    let error = "Cache".parse::<FallbackStrategy>().unwrap_err().to_string();
    let expected = "fallback_strategy: `Cache` is not possible: in_order, cache, dlq, default_response or block";
    assert_eq!(error, expected);
}
