//! What can be wrong with what the service is asked for.

/// A value that cannot be: which field it is for, and what would be right. As core says it of policies.
pub use fuseboard_core::policy::InvalidPolicy as Invalid;
use fuseboard_core::{BuildError, InvalidName};

/// What an injected part of the service ran into; for people.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

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
