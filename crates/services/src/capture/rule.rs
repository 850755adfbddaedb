//! The matrix itself: which call that was not done becomes a letter, and which configuration can keep nothing.

use crate::circuits::Invalid;
use crate::replay_service::ReplayContext;

use super::kind::{Kind, Undone};
use super::policy::CapturePolicy;
use super::refusal::NotQueued;

/// What the owner of a call says about making it twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Idempotent {
    /// It must not be made twice, whatever the caller says: the other side looks at no key.
    Never,
    /// It may be made twice if the caller sent an idempotency key. The default.
    #[default]
    ByKey,
    /// It may always be made twice.
    Always,
}

/// A call that was not done, as far as that decides about its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Why it was not done.
    pub undone: Undone,
    /// Whether its caller is served a fallback.
    pub served: bool,
    /// Whether its caller sent an idempotency key. One that was made here does not count.
    pub keyed_by_caller: bool,
}

/// What one door keeps: the policy, and what the owner says about making a call twice.
///
/// ```
/// use fuseboard_services::capture::{Attempt, CaptureRule, Idempotent, Kind, Undone};
///
/// let rule = CaptureRule { policy: "rejected | timeout".parse()?, idempotent: Idempotent::ByKey };
/// let rejected = Attempt { undone: Undone::Rejected, served: false, keyed_by_caller: false };
/// assert_eq!(rule.kind_of(rejected).ok(), Some(Kind::Rejected));
///
/// let timeout = Attempt { undone: Undone::Timeout, ..rejected };
/// let why = rule.kind_of(timeout).unwrap_err();
/// assert_eq!(why.to_string(), "it may have been done, and is not idempotent");
/// assert!(rule.kind_of(Attempt { keyed_by_caller: true, ..timeout }).is_ok());
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureRule {
    /// The kinds that become letters.
    pub policy: CapturePolicy,
    /// What the owner says about making a call twice.
    pub idempotent: Idempotent,
}

impl CaptureRule {
    /// The kind under which `attempt` becomes a letter.
    ///
    /// # Errors
    ///
    /// Why it does not: [`NotQueued::Replaying`] inside of a [replay](ReplayContext), [`NotQueued::NotNamed`],
    /// [`NotQueued::MayBeDone`].
    pub fn kind_of(&self, attempt: Attempt) -> Result<Kind, NotQueued> {
        if let Some(replay) = ReplayContext::current() {
            return Err(NotQueued::Replaying(replay.dlq_id));
        }
        let kind = if attempt.served { Kind::Fallback } else { Kind::of(attempt.undone) };
        if !self.policy.names(kind) {
            return Err(NotQueued::NotNamed(kind));
        }
        if attempt.undone.may_be_done() && !self.vouched(attempt.keyed_by_caller) {
            return Err(NotQueued::MayBeDone(attempt.undone));
        }
        Ok(kind)
    }

    fn vouched(&self, keyed_by_caller: bool) -> bool {
        match self.idempotent {
            Idempotent::Never => false,
            Idempotent::ByKey => keyed_by_caller,
            Idempotent::Always => true,
        }
    }

    /// Refuses what can keep nothing: no kind at all, `fallback` where none is served, and kinds that need a voucher where
    /// there is none.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the field `capture`, the kind, and what would be right.
    pub fn validate(&self, serves_fallbacks: bool) -> Result<(), Invalid> {
        const FIELD: &str = "capture";
        if self.policy.is_nothing() {
            return Err(Invalid::new(FIELD, self.policy, "at least one kind, such as `rejected`"));
        }
        if self.policy.names(Kind::Fallback) && !serves_fallbacks {
            let right = "no fallback is ever served here: set one, or leave this kind out";
            return Err(Invalid::new(FIELD, Kind::Fallback, right));
        }
        let doubtful = self.policy.and(CapturePolicy::doubtful());
        match self.idempotent {
            Idempotent::Never if !doubtful.is_nothing() => {
                let right = "it may have been done already and is never idempotent: say that it is, always or by \
                             the caller's key, or name only `rejected`, `connect` and `fallback`";
                Err(Invalid::new(FIELD, doubtful, right))
            }
            _ => Ok(()),
        }
    }

    /// The rule of an owner who named no kinds: everything that can be kept.
    pub(super) fn widest(idempotent: Idempotent, serves_fallbacks: bool) -> Self {
        let policy = match idempotent {
            Idempotent::Never => CapturePolicy::ALL.without(CapturePolicy::doubtful()),
            Idempotent::ByKey | Idempotent::Always => CapturePolicy::ALL,
        };
        let unseen = match serves_fallbacks {
            true => CapturePolicy::NOTHING,
            false => Kind::Fallback.into(),
        };
        CaptureRule { policy: policy.without(unseen), idempotent }
    }

    /// The rule of an owner who named `policy`, or nothing.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), of what was named.
    pub fn new(
        policy: Option<CapturePolicy>,
        idempotent: Idempotent,
        serves_fallbacks: bool,
    ) -> Result<Self, Invalid> {
        let Some(policy) = policy else {
            return Ok(CaptureRule::widest(idempotent, serves_fallbacks));
        };
        let rule = CaptureRule { policy, idempotent };
        rule.validate(serves_fallbacks).map(|()| rule)
    }
}

/// Whether a request of this HTTP method changes something, so that it is worth a letter: POST, PUT, PATCH and DELETE. Nobody
/// waits for the answer of a read that is made an hour later.
pub fn changes_something(method: &str) -> bool {
    ["POST", "PUT", "PATCH", "DELETE"].contains(&method)
}
