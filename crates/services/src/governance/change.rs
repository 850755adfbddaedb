//! Changes by hand: who changes governance, why, and what came of it.

use std::time::Duration;

use fuseboard_store::{By, StoreError};

use crate::circuits::Invalid;

/// Who changes something, why, and how carefully.
///
/// ```
/// use fuseboard_services::governance::Change;
///
/// let change = Change::by("ops", "the provider is down").seen(3).dry_run(true);
/// assert_eq!((change.seen, change.dry_run), (Some(3), true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who and why. Neither may be empty.
    pub by: By,
    /// The revision that the actor saw: if somebody has changed it since, nothing is changed. `None`: whatever it is now.
    pub seen: Option<u64>,
    /// Whether only to tell what would happen.
    pub dry_run: bool,
}

impl Change {
    /// A change by `actor`, because of `reason`, whatever the value is now.
    pub fn by(actor: impl Into<String>, reason: impl Into<String>) -> Self {
        Change { by: By::new(actor, reason), seen: None, dry_run: false }
    }

    /// Says which revision the actor saw; 0 if it was never set.
    #[must_use]
    pub fn seen(mut self, revision: u64) -> Self {
        self.seen = Some(revision);
        self
    }

    /// Says whether only to tell what would happen.
    #[must_use]
    pub fn dry_run(mut self, dry: bool) -> Self {
        self.dry_run = dry;
        self
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let By { actor, reason } = &self.by;
        match (actor.trim().is_empty(), reason.trim().is_empty()) {
            (true, _) => Err(Invalid::new("actor", actor, "the name of who does it")),
            (false, true) => Err(Invalid::new("reason", reason, "a few words on why")),
            (false, false) => Ok(()),
        }
    }
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The value before, as the store has it; `None` if it was never set.
    pub before: Option<String>,
    /// The value after; in a dry run, what it would be.
    pub after: String,
    /// The revision after; in a dry run, what it would be.
    pub revision: u64,
    /// Whether nothing was changed because that was asked for.
    pub dry_run: bool,
}

/// Why governance could not be read or changed. Unless the [store](StoreError::outcome_is_unknown) says otherwise, nothing
/// was changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GovernanceError {
    /// A value that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The store could not do it, or somebody changed the value since it was seen.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not answer in time.
    #[error("the store did not answer within {} ms", .0.as_millis())]
    Late(Duration),
}
