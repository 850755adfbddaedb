//! Which letters are meant: those to claim, and those to look at.

use fuseboard_core::letter::Status;

use super::content::Letter;
use super::identity::LetterId;
use super::priority::Priority;

/// Which letters to claim, in which order, and how many.
///
/// ```
/// use fuseboard_store::{ClaimFilter, ClaimOrder};
///
/// let urgent = ClaimFilter { order: ClaimOrder::Priority, limit: 50, ..ClaimFilter::default() };
/// assert_eq!(urgent.circuit, None, "of all circuits");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimFilter {
    /// Only letters of this circuit.
    pub circuit: Option<String>,
    /// Only letters of this domain.
    pub domain: Option<String>,
    /// Only letters that were captured for one of these reasons; for any if it is empty.
    pub failures: Vec<String>,
    /// Only this letter.
    pub id: Option<LetterId>,
    /// Which go first.
    pub order: ClaimOrder,
    /// At most this many. Default 1.
    pub limit: usize,
}

impl Default for ClaimFilter {
    fn default() -> Self {
        ClaimFilter {
            circuit: None,
            domain: None,
            failures: Vec::new(),
            id: None,
            order: ClaimOrder::Due,
            limit: 1,
        }
    }
}

impl ClaimFilter {
    /// Whether the filter wants letters of this circuit and domain that were captured for this reason.
    pub fn wants(&self, circuit: &str, domain: &str, failure: &str) -> bool {
        self.circuit.as_deref().is_none_or(|wanted| wanted == circuit)
            && self.domain.as_deref().is_none_or(|wanted| wanted == domain)
            && (self.failures.is_empty() || self.failures.iter().any(|wanted| wanted == failure))
    }
}

/// Which letters a claim takes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClaimOrder {
    /// The earliest due, then the lowest number.
    #[default]
    Due,
    /// The most urgent, then the earliest due, then the lowest number.
    Priority,
}

/// Which letters to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Only letters of this circuit.
    pub circuit: Option<String>,
    /// Only letters in this status.
    pub status: Option<Status>,
    /// Only letters of this domain.
    pub domain: Option<String>,
    /// Only letters that were captured for this reason.
    pub failure: Option<String>,
    /// Only letters of this priority.
    pub priority: Option<Priority>,
    /// Only letters with this order key.
    pub order_key: Option<String>,
    /// Only letters after this one: the last of the page before.
    pub after: Option<LetterId>,
    /// At most this many. Default 100.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            circuit: None,
            status: None,
            domain: None,
            failure: None,
            priority: None,
            order_key: None,
            after: None,
            limit: 100,
        }
    }
}

impl Query {
    /// Whether the query wants this letter.
    pub(crate) fn wants(&self, letter: &Letter) -> bool {
        self.circuit.as_ref().is_none_or(|circuit| *circuit == letter.circuit)
            && self.status.is_none_or(|status| status == letter.life.status)
            && self.domain.as_ref().is_none_or(|domain| *domain == letter.domain)
            && self.failure.as_ref().is_none_or(|failure| *failure == letter.failure)
            && self.priority.is_none_or(|priority| priority == letter.priority)
            && (self.order_key.is_none() || self.order_key == letter.order_key)
            && self.after.is_none_or(|after| after < letter.id)
    }
}
