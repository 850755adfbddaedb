//! What a call that was not allowed gets in its place.

use std::fmt;

use super::fallback::Payload;

/// What served a call that was not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FallbackType {
    /// A cached answer, which may be out of date.
    Cache,
    /// The queue: the request was kept, to be made later.
    Dlq,
    /// The caller's default answer.
    DefaultResponse,
    /// Nothing.
    Block,
}

impl FallbackType {
    /// The word for it in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            FallbackType::Cache => "cache",
            FallbackType::Dlq => "dlq",
            FallbackType::DefaultResponse => "default_response",
            FallbackType::Block => "block",
        }
    }
}

impl fmt::Display for FallbackType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a call may be made, and what serves it if not.
///
/// ```
/// use fuseboard_services::circuits::{CircuitBreakerFallbackResult, FallbackType};
///
/// let result = CircuitBreakerFallbackResult::cached("{}".into());
/// assert!(!result.allowed && result.fallback_used);
/// assert_eq!(result.fallback_type, Some(FallbackType::Cache));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitBreakerFallbackResult {
    /// Whether the call may be made. If so, its outcome is to be recorded.
    pub allowed: bool,
    /// Whether something serves it in place of the call.
    pub fallback_used: bool,
    /// What serves it; `None` if the call may be made.
    pub fallback_type: Option<FallbackType>,
    /// The cached or default answer.
    pub data: Option<Payload>,
    /// The letter that the request is now, as the capture names it.
    pub letter: Option<String>,
    /// What happened, for people.
    pub message: String,
}

impl CircuitBreakerFallbackResult {
    /// The call may be made.
    pub fn allow() -> Self {
        CircuitBreakerFallbackResult {
            allowed: true,
            fallback_used: false,
            fallback_type: None,
            data: None,
            letter: None,
            message: String::new(),
        }
    }

    /// A cached answer serves.
    pub fn cached(data: Payload) -> Self {
        let message = "served from the cache".to_owned();
        CircuitBreakerFallbackResult {
            data: Some(data),
            ..CircuitBreakerFallbackResult::served(FallbackType::Cache, message)
        }
    }

    /// The request was kept as that letter.
    pub fn queued(letter: impl Into<String>) -> Self {
        let letter = letter.into();
        let message = format!("queued as letter {letter}");
        CircuitBreakerFallbackResult {
            letter: Some(letter),
            ..CircuitBreakerFallbackResult::served(FallbackType::Dlq, message)
        }
    }

    /// The default answer serves.
    pub fn default_response(data: Payload) -> Self {
        let message = "served by the default response".to_owned();
        CircuitBreakerFallbackResult {
            data: Some(data),
            ..CircuitBreakerFallbackResult::served(FallbackType::DefaultResponse, message)
        }
    }

    /// Nothing serves; `message` says why.
    pub fn blocked(message: impl Into<String>) -> Self {
        CircuitBreakerFallbackResult {
            fallback_used: false,
            ..CircuitBreakerFallbackResult::served(FallbackType::Block, message.into())
        }
    }

    fn served(by: FallbackType, message: String) -> Self {
        CircuitBreakerFallbackResult {
            allowed: false,
            fallback_used: true,
            fallback_type: Some(by),
            data: None,
            letter: None,
            message,
        }
    }
}
