//! What can serve a call that was not allowed: a cached answer, the queue, a default.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::admission::Admitted;
use super::config::FallbackStrategy;
use super::contain::{attempted, contained};
use super::error::{ServiceError, Trouble};
use super::fallback_result::CircuitBreakerFallbackResult;
use super::service::CircuitBreakerService;

/// Bytes with their type: an answer, or the body of a request. Clones share the bytes.
///
/// ```
/// use fuseboard_services::circuits::Payload;
///
/// let answer = Payload::from("{}").of_type("application/json");
/// assert_eq!(answer.bytes(), b"{}");
/// assert_eq!(answer.content_type(), Some("application/json"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    bytes: Arc<[u8]>,
    content_type: Option<String>,
}

impl Payload {
    /// Those bytes, of no known type.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Payload { bytes: bytes.into(), content_type: None }
    }

    /// Says what they are.
    #[must_use]
    pub fn of_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What they are, if that is known.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Payload::new(text.as_bytes())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::new(bytes)
    }
}

/// A request that may have to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestData {
    /// Its body, byte for byte.
    pub payload: Payload,
    /// What else is needed to make it: method, URI, headers, or whatever its handler knows.
    pub metadata: BTreeMap<String, String>,
    /// The key that it has been given, the same each time it is made.
    pub idempotency_key: Option<String>,
    /// What it is about, for filters and priorities.
    pub domain: Option<String>,
}

/// Where cached answers come from. Every closure of this shape is one.
pub trait ResponseCache: Send + Sync {
    /// The answer under `key`, if there is one that is not older than `max_age`.
    fn get(&self, key: &str, max_age: Duration) -> Option<Payload>;
}

impl<F: Fn(&str, Duration) -> Option<Payload> + Send + Sync> ResponseCache for F {
    fn get(&self, key: &str, max_age: Duration) -> Option<Payload> {
        self(key, max_age)
    }
}

/// What keeps requests that were not allowed, so that they are made later. Every closure of this shape is one.
pub trait RequestCapture: Send + Sync {
    /// Keeps a request for `service_name`, and returns its letter's name when it is safe. That may take as long as a disk
    /// does: a thread that must not wait does not give `request_data`.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being kept. The next fallback is tried.
    fn capture(&self, service_name: &str, request: &RequestData) -> Result<String, Trouble>;
}

impl<F> RequestCapture for F
where
    F: Fn(&str, &RequestData) -> Result<String, Trouble> + Send + Sync,
{
    fn capture(&self, service_name: &str, request: &RequestData) -> Result<String, Trouble> {
        self(service_name, request)
    }
}

impl CircuitBreakerService {
    /// As [`should_allow`](Self::should_allow), and what serves the call if it may not be made: the cached answer under
    /// `cache_key`, else the queue for `request_data`, else `default_response`. What is not given is not tried, and
    /// `fallback_strategy` may leave only one of them.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    ///
    /// ```
    /// use fuseboard_services::circuits::{CircuitBreakerService, ManualControl, Payload};
    /// use std::time::Duration;
    ///
    /// let stale = |key: &str, _: Duration| (key == "rates").then(|| Payload::from("1.08"));
    /// let service = CircuitBreakerService::builder().cache(stale).build()?;
    /// service.force_open("exchange", ManualControl::by("ops"))?;
    ///
    /// let result = service.should_allow_with_fallback("exchange", Some("rates"), None, None)?;
    /// assert_eq!(result.data, Some(Payload::from("1.08")));
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn should_allow_with_fallback(
        &self,
        service_name: &str,
        cache_key: Option<&str>,
        default_response: Option<Payload>,
        request_data: Option<&RequestData>,
    ) -> Result<CircuitBreakerFallbackResult, ServiceError> {
        if !self.is_enabled() {
            return Ok(CircuitBreakerFallbackResult::allow());
        }
        let refused = match self.admit(&self.circuit(service_name)?) {
            Admitted::Refused(rejected) => rejected,
            Admitted::Unguarded | Admitted::Kept { .. } => {
                return Ok(CircuitBreakerFallbackResult::allow());
            }
        };
        let mut why = match refused {
            Some(rejected) => rejected.to_string(),
            None => format!("a downstream checker refused `{service_name}`"),
        };
        if let Some(answer) = cache_key.and_then(|key| self.cached(key)) {
            return Ok(CircuitBreakerFallbackResult::cached(answer));
        }
        match request_data.and_then(|request| self.queued(service_name, request)) {
            Some(Ok(letter)) => return Ok(CircuitBreakerFallbackResult::queued(letter)),
            Some(Err(trouble)) => why = format!("{why}; not queued: {trouble}"),
            None => {}
        }
        let usable = self.config.fallback_strategy.tries(FallbackStrategy::DefaultResponse);
        Ok(match default_response.filter(|_| usable) {
            Some(answer) => CircuitBreakerFallbackResult::default_response(answer),
            None => CircuitBreakerFallbackResult::blocked(why),
        })
    }

    fn cached(&self, key: &str) -> Option<Payload> {
        let usable = self.config.fallback_strategy.tries(FallbackStrategy::Cache);
        let cache = self.cache.as_ref().filter(|_| usable)?;
        contained("response cache", || cache.get(key, self.config.fallback_cache_ttl))?
    }

    fn queued(&self, service_name: &str, request: &RequestData) -> Option<Result<String, Trouble>> {
        let usable = self.config.fallback_strategy.tries(FallbackStrategy::Dlq);
        let capture = self.capture.as_ref().filter(|_| usable)?;
        Some(attempted("request capture", || capture.capture(service_name, request)))
    }
}
