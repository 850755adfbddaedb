//! The second machine: the life of a dead letter.
//!
//! [`step`] is the only place that knows when a letter may be replayed, when it is done, and when a person must
//! look. A store selects and swaps; it decides nothing.
//!
//! | status | event | becomes |
//! |---|---|---|
//! | pending | claim, due | replaying, with a new fence and a lease |
//! | pending | claim, past its expiry | expired |
//! | replaying | claim, lease over | one more crash: replaying; requires_review at the cap; expired past its expiry |
//! | replaying | owner started | one more crash: pending; requires_review at the cap |
//! | replaying | tick, lease over | one more crash: pending; requires_review at the cap; expired past its expiry |
//! | replaying | settled: done | resolved |
//! | replaying | settled: again | pending after a wait; requires_review when no attempt is left |
//! | replaying | settled: never | requires_review |
//! | replaying | handed back | pending, due now, no attempt counted |
//! | requires_review | requeue | pending, due now, attempts and crashes cleared |
//! | pending | hasten | pending, due now |
//! | pending | set aside | requires_review |
//! | pending, requires_review | discard | discarded |
//! | pending | tick, past its expiry | expired |
//!
//! Everything else is refused and changes nothing: a resolved letter never becomes unresolved.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::policy::{Deadline, Retry};
use crate::time::{Moment, WallTime};

mod answer;
mod step;

pub use answer::Answer;
pub use step::{Refused, step};

/// Where a letter is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Due now or later.
    Pending,
    /// Claimed under a lease with a fence.
    Replaying,
    /// A person must look.
    RequiresReview,
    /// Done.
    Resolved,
    /// Given up by an operator.
    Discarded,
    /// Past the time after which its owner did not want it done any more.
    Expired,
}

impl Status {
    /// Every status, in the order of a letter's life.
    pub const ALL: [Status; 6] = [
        Status::Pending,
        Status::Replaying,
        Status::RequiresReview,
        Status::Resolved,
        Status::Discarded,
        Status::Expired,
    ];

    /// The word for it in APIs, files and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Replaying => "replaying",
            Status::RequiresReview => "requires_review",
            Status::Resolved => "resolved",
            Status::Discarded => "discarded",
            Status::Expired => "expired",
        }
    }

    /// Whether nothing more happens to a letter here, but being purged.
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Resolved | Status::Discarded | Status::Expired)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a status: expected pending, replaying, requires_review, resolved, discarded or expired"
)]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// What the machine knows of a letter: everything but its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Where it is.
    pub status: Status,
    /// Replays that reached the other side.
    pub attempts: u32,
    /// Leases that ran out or were lost with their holder.
    pub crashes: u32,
    /// When it is due.
    pub not_before: WallTime,
    /// After this nobody wants it done. Only where an owner said so.
    pub expires_at: Option<WallTime>,
    /// Grows with every claim and every operator's action; a settle with an older one is refused.
    pub fence: u64,
    /// When the present claim ends by itself; only while replaying.
    pub lease_until: Option<WallTime>,
}

impl Life {
    /// A new letter that is due at `not_before`: now, or a little later if it was tried just now and failed.
    pub fn captured(not_before: WallTime) -> Self {
        Life {
            status: Status::Pending,
            attempts: 0,
            crashes: 0,
            not_before,
            expires_at: None,
            fence: 0,
            lease_until: None,
        }
    }
}

/// What can happen to a letter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Somebody wants to replay it, and gives it back by itself after `lease`.
    Claim {
        /// How long the claim lasts.
        lease: Duration,
    },
    /// The holder of `fence` says how the replay went.
    Settled {
        /// The fence that the claim gave.
        fence: u64,
        /// What the other side answered.
        answer: Answer,
        /// A uniform draw from `0.0..1.0`, for the jitter of the next try.
        draw: f64,
    },
    /// The holder of `fence` did not try: the circuit opened, or the process stops.
    HandedBack {
        /// The fence that the claim gave.
        fence: u64,
    },
    /// The only owner of the store started: whoever held a lease is dead.
    OwnerStarted,
    /// An operator sends it back into the queue.
    Requeue,
    /// An operator does not want to wait until it is due.
    Hasten,
    /// An operator takes it out of the queue to look at it.
    SetAside,
    /// An operator gives it up.
    Discard,
    /// Time went by.
    Tick,
}

/// The limits of a letter's life.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Replays that may reach the other side before a person must look. Default 300: with the default waits, a day of an
    /// outage that answers.
    pub max_attempts: u32,
    /// Crashes before a person must look, so that a letter that kills its worker does not do so for ever. Default 5.
    pub max_crashes: u32,
    /// How long to wait between replays of one letter. Default `backoff(1s, max=5m, jitter=0.2)`; `never` sends a
    /// letter to review after its first failed replay.
    pub retry: Retry,
}

impl Default for Rules {
    fn default() -> Self {
        let retry = Retry::Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(300),
            multiplier: 2.0,
            jitter: 0.2,
        };
        Rules { max_attempts: 300, max_crashes: 5, retry }
    }
}

impl Rules {
    /// The wait before the try after `tries` failed ones; `None` if there is to be none.
    fn wait(&self, tries: u32, draw: f64, retry_after: Option<Duration>) -> Option<Duration> {
        let earlier = tries.saturating_sub(1);
        match self.retry.deadline(Moment::ZERO, earlier, draw, retry_after) {
            Deadline::At(due) | Deadline::Ask { not_before: due } => Some(due.since(Moment::ZERO)),
            Deadline::Never => None,
        }
    }
}
