//! What serves a call that was not allowed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::State;
use fuseboard_services::circuits::{
    CircuitBreakerConfig, CircuitBreakerFallbackResult, CircuitBreakerServiceBuilder,
    FallbackStrategy, FallbackType, Payload, RequestData, Trouble,
};

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

/// What the cache was asked for, and what was kept.
#[derive(Clone, Default)]
struct Notes {
    asked: Arc<Mutex<Vec<(String, Duration)>>>,
    kept: Arc<Mutex<Vec<(String, RequestData)>>>,
}

impl Notes {
    fn lend(&self, builder: CircuitBreakerServiceBuilder) -> CircuitBreakerServiceBuilder {
        let (asked, kept) = (Arc::clone(&self.asked), Arc::clone(&self.kept));
        let cache = move |key: &str, max_age: Duration| {
            asked.lock().unwrap().push((key.to_owned(), max_age));
            (key == "hit").then(|| Payload::from("cached"))
        };
        let capture = move |name: &str, request: &RequestData| -> Result<String, Trouble> {
            let mut kept = kept.lock().unwrap();
            kept.push((name.to_owned(), request.clone()));
            Ok(format!("letter-{}", kept.len()))
        };
        builder.cache(cache).capture(capture)
    }
}

fn request() -> RequestData {
    RequestData {
        payload: Payload::new(*b"\x00\xff{").of_type("application/json"),
        metadata: [("method".to_owned(), "POST".to_owned())].into(),
        idempotency_key: Some("order-7".to_owned()),
        domain: Some("orders".to_owned()),
    }
}

fn tripped(strategy: FallbackStrategy, notes: &Notes) -> Rig {
    let config = CircuitBreakerConfig {
        fallback_strategy: strategy,
        fallback_cache_ttl: 7 * SECOND,
        ..CircuitBreakerConfig::default()
    };
    let rig = Rig::with(config, |builder| notes.lend(builder));
    rig.trip(NAME);
    rig
}

fn default() -> Option<Payload> {
    Some(Payload::from("default"))
}

#[test]
fn an_allowed_call_is_made_and_recorded_as_any_other() {
    let notes = Notes::default();
    let rig = Rig::with(CircuitBreakerConfig::default(), |builder| notes.lend(builder));
    let request = request();
    let result =
        rig.service.should_allow_with_fallback(NAME, Some("hit"), default(), Some(&request));
    assert_eq!(result, Ok(CircuitBreakerFallbackResult::allow()));
    assert_eq!(rig.service.get_open_calls(NAME), 1, "its ticket is kept");
    assert!(notes.asked.lock().unwrap().is_empty() && notes.kept.lock().unwrap().is_empty());
}

#[test]
fn a_half_open_circuit_is_asked_for_a_slot() {
    let notes = Notes::default();
    let rig = tripped(FallbackStrategy::InOrder, &notes);
    rig.clock.advance(MINUTE);
    for _ in 0..3 {
        let result = rig.service.should_allow_with_fallback(NAME, None, None, None).unwrap();
        assert!(result.allowed);
    }
    let fourth = rig.service.should_allow_with_fallback(NAME, None, default(), None).unwrap();
    assert_eq!(
        (fourth.allowed, fourth.fallback_type),
        (false, Some(FallbackType::DefaultResponse))
    );
    assert_eq!(rig.service.get_state(NAME), State::HalfOpen);
}

#[test]
fn a_cached_answer_goes_before_the_queue_and_that_before_the_default() {
    let notes = Notes::default();
    let rig = tripped(FallbackStrategy::InOrder, &notes);
    let request = request();
    let ask = |key, default, request| {
        rig.service.should_allow_with_fallback(NAME, key, default, request).unwrap()
    };

    let cached = ask(Some("hit"), default(), Some(&request));
    assert_eq!(cached, CircuitBreakerFallbackResult::cached(Payload::from("cached")));
    assert_eq!(*notes.asked.lock().unwrap(), [("hit".to_owned(), 7 * SECOND)]);

    let queued = ask(Some("miss"), default(), Some(&request));
    assert_eq!(queued, CircuitBreakerFallbackResult::queued("letter-1"));
    assert_eq!(*notes.kept.lock().unwrap(), [(NAME.to_owned(), request.clone())]);

    let defaulted = ask(Some("miss"), default(), None);
    assert_eq!(defaulted, CircuitBreakerFallbackResult::default_response(Payload::from("default")));

    let blocked = ask(None, None, None);
    assert_eq!(blocked.fallback_type, Some(FallbackType::Block));
    assert!(!blocked.allowed && !blocked.fallback_used && blocked.data.is_none());
    assert_eq!(blocked.message, "circuit `external_api` is open (tripped); try again in 60s");
}

#[test]
fn a_strategy_may_leave_only_one_of_them() {
    let rows = [
        (FallbackStrategy::Cache, FallbackType::Cache),
        (FallbackStrategy::Dlq, FallbackType::Dlq),
        (FallbackStrategy::DefaultResponse, FallbackType::DefaultResponse),
        (FallbackStrategy::Block, FallbackType::Block),
    ];
    for (strategy, expected) in rows {
        let rig = tripped(strategy, &Notes::default());
        let request = request();
        let result = rig
            .service
            .should_allow_with_fallback(NAME, Some("hit"), default(), Some(&request))
            .unwrap();
        assert_eq!(result.fallback_type, Some(expected), "{strategy}");
    }
}

#[test]
fn what_breaks_in_a_fallback_leaves_it_to_the_next() {
    let cache = |_: &str, _: Duration| -> Option<Payload> { panic!("the cache's own fault") };
    let full =
        |_: &str, _: &RequestData| -> Result<String, Trouble> { Err("the queue is full".into()) };
    let rig =
        Rig::with(CircuitBreakerConfig::default(), |builder| builder.cache(cache).capture(full));
    rig.trip(NAME);
    let request = request();
    let result = rig
        .service
        .should_allow_with_fallback(NAME, Some("hit"), default(), Some(&request))
        .unwrap();
    assert_eq!(result.fallback_type, Some(FallbackType::DefaultResponse));
    let result =
        rig.service.should_allow_with_fallback(NAME, Some("hit"), None, Some(&request)).unwrap();
    assert!(result.message.ends_with("not queued: the queue is full"), "{}", result.message);
}

#[test]
fn without_a_cache_or_a_capture_nothing_is_served_from_there() {
    let rig = Rig::new();
    rig.trip(NAME);
    let request = request();
    let result =
        rig.service.should_allow_with_fallback(NAME, Some("hit"), None, Some(&request)).unwrap();
    assert_eq!(result.fallback_type, Some(FallbackType::Block));
}

#[test]
fn a_call_that_a_checker_refused_has_fallbacks_too() {
    let rig = Rig::new();
    rig.service.register_downstream_checker(|_| false);
    let result = rig.service.should_allow_with_fallback(NAME, None, None, None).unwrap();
    assert_eq!(result.message, "a downstream checker refused `external_api`");
}

#[test]
fn a_disabled_service_allows_without_a_fallback() {
    let rig = Rig::of(CircuitBreakerConfig { enabled: false, ..CircuitBreakerConfig::default() });
    let result = rig.service.should_allow_with_fallback(NAME, None, default(), None).unwrap();
    assert_eq!(result, CircuitBreakerFallbackResult::allow());
}
