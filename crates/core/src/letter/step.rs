//! The rules of a letter's life, row by row.

use std::time::Duration;

use super::{Answer, Event, Life, Rules, Status};
use crate::time::WallTime;

/// An event that a letter cannot take as it stands. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The letter's status does not allow it.
    #[error("a letter that is {0} does not take this")]
    Status(Status),
    /// The letter is due later, or somebody holds it.
    #[error("the letter is not due before {}", .0.as_unix_millis())]
    NotDue(WallTime),
    /// The claim is not the letter's latest any more.
    #[error("the claim with fence {held} is over: the letter's fence is {current}")]
    Fence {
        /// The fence of the late holder.
        held: u64,
        /// The fence that counts.
        current: u64,
    },
}

/// The letter after `event` at `now`, or why it does not take the event.
///
/// # Errors
///
/// [`Refused`] for whatever the table in [the module](super) does not list; the letter is as it was.
///
/// ```
/// use fuseboard_core::letter::{Event, Life, Rules, Status, step};
/// use fuseboard_core::time::WallTime;
/// use std::time::Duration;
///
/// let now = WallTime::from_unix_millis(1_000);
/// let lease = Duration::from_secs(15);
/// let claimed = step(&Life::captured(now), Event::Claim { lease }, now, &Rules::default())?;
/// assert_eq!((claimed.status, claimed.fence), (Status::Replaying, 1));
/// # Ok::<(), fuseboard_core::letter::Refused>(())
/// ```
pub fn step(life: &Life, event: Event, now: WallTime, rules: &Rules) -> Result<Life, Refused> {
    match event {
        Event::Claim { lease } => claim(life, lease, now, rules),
        Event::Settled { fence, answer, draw } => {
            let replaying = held(life, fence)?;
            Ok(settle(replaying, answer, draw, now, rules))
        }
        Event::HandedBack { fence } => {
            let replaying = held(life, fence)?;
            Ok(Life { status: Status::Pending, lease_until: None, not_before: now, ..replaying })
        }
        Event::OwnerStarted => owner_started(life, now, rules),
        Event::Requeue => requeue(life, now),
        Event::Hasten => hasten(life, now),
        Event::SetAside => operator(life, &[Status::Pending], Status::RequiresReview),
        Event::Discard => {
            operator(life, &[Status::Pending, Status::RequiresReview], Status::Discarded)
        }
        Event::Tick => tick(life, now, rules),
    }
}

fn claim(life: &Life, lease: Duration, now: WallTime, rules: &Rules) -> Result<Life, Refused> {
    if let Some(expired) = expire(life, now) {
        return Ok(expired);
    }
    let taken = Life {
        status: Status::Replaying,
        fence: life.fence + 1,
        lease_until: Some(now + lease),
        ..*life
    };
    match life.status {
        Status::Pending if life.not_before <= now => Ok(taken),
        Status::Pending => Err(Refused::NotDue(life.not_before)),
        Status::Replaying => {
            lease_over(life, now)?;
            Ok(expire(&freed(life, now, rules), now).unwrap_or_else(|| crashed(taken, rules)))
        }
        status => Err(Refused::Status(status)),
    }
}

fn owner_started(life: &Life, now: WallTime, rules: &Rules) -> Result<Life, Refused> {
    if life.status != Status::Replaying {
        return Err(Refused::Status(life.status));
    }
    Ok(freed(life, now, rules))
}

/// A letter whose holder is gone.
fn freed(life: &Life, now: WallTime, rules: &Rules) -> Life {
    let freed = Life {
        status: Status::Pending,
        fence: life.fence + 1,
        lease_until: None,
        not_before: now,
        ..*life
    };
    crashed(freed, rules)
}

fn lease_over(life: &Life, now: WallTime) -> Result<(), Refused> {
    match life.lease_until {
        Some(until) if until > now => Err(Refused::NotDue(until)),
        _ => Ok(()),
    }
}

fn tick(life: &Life, now: WallTime, rules: &Rules) -> Result<Life, Refused> {
    if life.status == Status::Replaying {
        lease_over(life, now)?;
        let freed = freed(life, now, rules);
        return Ok(expire(&freed, now).unwrap_or(freed));
    }
    expire(life, now).ok_or(Refused::Status(life.status))
}

/// One more crash; at the cap the letter waits for a person, whatever was to become of it.
fn crashed(next: Life, rules: &Rules) -> Life {
    let crashes = next.crashes.saturating_add(1);
    if crashes >= rules.max_crashes {
        return Life { status: Status::RequiresReview, crashes, lease_until: None, ..next };
    }
    Life { crashes, ..next }
}

/// The letter as its holder sees it, if `fence` is still the one that counts.
fn held(life: &Life, fence: u64) -> Result<Life, Refused> {
    if life.fence != fence {
        return Err(Refused::Fence { held: fence, current: life.fence });
    }
    match life.status {
        Status::Replaying => Ok(*life),
        status => Err(Refused::Status(status)),
    }
}

fn settle(life: Life, answer: Answer, draw: f64, now: WallTime, rules: &Rules) -> Life {
    let over = Life { lease_until: None, ..life };
    let tried = Life { attempts: life.attempts.saturating_add(1), ..over };
    match answer {
        Answer::Done => Life { status: Status::Resolved, ..tried },
        Answer::Never => Life { status: Status::RequiresReview, ..tried },
        Answer::NotReached => again(over, tried.attempts, None, draw, now, rules),
        Answer::Again { .. } if tried.attempts >= rules.max_attempts => {
            Life { status: Status::RequiresReview, ..tried }
        }
        Answer::Again { retry_after } => {
            again(tried, tried.attempts, retry_after, draw, now, rules)
        }
    }
}

fn again(
    life: Life,
    tries: u32,
    retry_after: Option<Duration>,
    draw: f64,
    now: WallTime,
    rules: &Rules,
) -> Life {
    match rules.wait(tries, draw, retry_after) {
        Some(wait) => Life { status: Status::Pending, not_before: now + wait, ..life },
        None => Life { status: Status::RequiresReview, ..life },
    }
}

fn requeue(life: &Life, now: WallTime) -> Result<Life, Refused> {
    let pending = operator(life, &[Status::RequiresReview], Status::Pending)?;
    Ok(Life { attempts: 0, crashes: 0, not_before: now, ..pending })
}

/// A letter that is due already stays in its place.
fn hasten(life: &Life, now: WallTime) -> Result<Life, Refused> {
    let pending = operator(life, &[Status::Pending], Status::Pending)?;
    Ok(Life { not_before: life.not_before.min(now), ..pending })
}

/// An operator's move raises the fence, so that whoever held the letter is late.
fn operator(life: &Life, from: &[Status], to: Status) -> Result<Life, Refused> {
    if !from.contains(&life.status) {
        return Err(Refused::Status(life.status));
    }
    Ok(Life { status: to, fence: life.fence + 1, ..*life })
}

fn expire(life: &Life, now: WallTime) -> Option<Life> {
    let expired = life.status == Status::Pending && life.expires_at.is_some_and(|at| at <= now);
    expired.then_some(Life { status: Status::Expired, ..*life })
}
