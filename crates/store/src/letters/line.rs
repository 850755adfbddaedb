//! Letters that wait for one another, and letters that wait too long.

use fuseboard_core::letter::Status;

use super::identity::LetterId;

/// The letter that others with its order key wait for: the oldest that is pending, replaying or in review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Its number.
    pub id: LetterId,
    /// Its status. In `requires_review` it blocks its key until a person has looked.
    pub status: Status,
}

/// How many letters of one circuit and domain are past their SLA deadline and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Their circuit.
    pub circuit: String,
    /// Their domain.
    pub domain: String,
    /// How many there are; at least one.
    pub letters: u64,
}
