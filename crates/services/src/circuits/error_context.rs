//! What is known of a failure that is recorded.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use fuseboard_core::Failure;

/// The most bytes of a context's text that a circuit keeps.
const LONGEST: usize = 1_000;

/// What is known of a failure: what it said, when the service said to come back, and any details.
///
/// The circuit keeps the last one, as text of at most 1 000 bytes.
///
/// ```
/// use fuseboard_services::circuits::ErrorContext;
/// use std::time::Duration;
///
/// let context = ErrorContext::new("503 Service Unavailable")
///     .retry_after(Duration::from_secs(30))
///     .with("host", "10.0.0.5");
/// assert_eq!(context.to_string(), "503 Service Unavailable (host: 10.0.0.5)");
/// let error = "x".parse::<u32>().unwrap_err();
/// assert_eq!(ErrorContext::of(&error).to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorContext {
    message: String,
    retry_after: Option<Duration>,
    details: BTreeMap<String, String>,
}

impl ErrorContext {
    /// A failure that `message` describes, for people.
    pub fn new(message: impl Into<String>) -> Self {
        ErrorContext { message: message.into(), ..ErrorContext::default() }
    }

    /// What `error` says.
    pub fn of(error: &(dyn std::error::Error + '_)) -> Self {
        ErrorContext::new(error.to_string())
    }

    /// Adds when the service said to come back: a circuit that this failure opens stays open at least that long, up to the
    /// limit that [`Failure::retry_after`] names.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    pub(super) fn into_failure(self) -> Failure {
        let mut text = self.to_string();
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
        }
        let failure = if text.is_empty() { Failure::new("failed") } else { Failure::new(text) };
        match self.retry_after {
            Some(delay) => failure.retry_after(delay),
            None => failure,
        }
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.details.is_empty() {
            return Ok(());
        }
        f.write_str(if self.message.is_empty() { "(" } else { " (" })?;
        for (number, (name, value)) in self.details.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{name}: {value}")?;
        }
        f.write_char(')')
    }
}

impl From<&str> for ErrorContext {
    fn from(message: &str) -> Self {
        ErrorContext::new(message)
    }
}

impl From<String> for ErrorContext {
    fn from(message: String) -> Self {
        ErrorContext::new(message)
    }
}
