//! What can be wrong with what the service is asked for.

use std::borrow::Cow;
use std::fmt;

use fuseboard_core::policy::InvalidPolicy;
use fuseboard_core::{BuildError, InvalidName};

/// What an injected part of the service ran into; for people.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A value that cannot be: which field it is for, and what would be right.
///
/// ```
/// use fuseboard_services::circuits::CircuitBreakerConfig;
///
/// let config = CircuitBreakerConfig { failure_threshold: 0, ..CircuitBreakerConfig::default() };
/// let error = config.validate().unwrap_err();
/// assert_eq!(error.to_string(), "failure_threshold: `0` is not possible: a number from 1 to 1000000");
/// assert_eq!(error.field(), "failure_threshold");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: `{value}` is not possible: {expected}")]
pub struct Invalid {
    field: &'static str,
    value: String,
    expected: Cow<'static, str>,
}

impl Invalid {
    /// `value` is impossible in `field`, and `expected` would be right.
    pub fn new(
        field: &'static str,
        value: impl fmt::Display,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Invalid { field, value: value.to_string(), expected: expected.into() }
    }

    /// Which field, parameter or setting is wrong.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The value that is impossible, as text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would be right.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

impl From<InvalidPolicy> for Invalid {
    fn from(policy: InvalidPolicy) -> Self {
        Invalid::new(policy.field(), policy.value(), policy.expected().to_owned())
    }
}

/// Why the service could not do what it was asked for. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A value that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No circuit can be made of this.
    #[error(transparent)]
    Circuit(#[from] BuildError),
}

impl From<InvalidName> for ServiceError {
    fn from(name: InvalidName) -> Self {
        ServiceError::Circuit(BuildError::Name(name))
    }
}
