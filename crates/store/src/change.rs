//! What a call means for what is kept of a letter, alike for every backend.
//!
//! `step` decides; this turns its verdict into the history's words and the letter's last error.

use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Refused, Rules, Status, step};
use fuseboard_core::time::WallTime;

use crate::letters::Settlement;

/// The longest note that is kept, in bytes.
const NOTE_KEPT: usize = 1_000;

/// What to write about a letter.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) life: Life,
    /// New entries of its history, in order.
    pub(crate) entries: Vec<String>,
    pub(crate) last_error: LastError,
}

/// What becomes of a letter's last error.
#[derive(Debug)]
pub(crate) enum LastError {
    Keep,
    Clear,
    Set(String),
}

pub(crate) fn claim(
    life: &Life,
    lease: Duration,
    now: WallTime,
    rules: &Rules,
) -> Result<Change, Refused> {
    let next = step(life, Event::Claim { lease }, now, rules)?;
    let mut entries = Vec::new();
    if life.status == Status::Replaying {
        entries.push("crashed: the lease ran out".to_owned());
    }
    entries.push(match next.status {
        Status::Replaying => "claimed".to_owned(),
        Status::RequiresReview => review_after_crashes(&next),
        other => other.to_string(),
    });
    Ok(Change { life: next, entries, last_error: LastError::Keep })
}

pub(crate) fn owner_started(life: &Life, now: WallTime, rules: &Rules) -> Result<Change, Refused> {
    let next = step(life, Event::OwnerStarted, now, rules)?;
    let mut entries = vec!["crashed: the owner of the store was restarted".to_owned()];
    if next.status == Status::RequiresReview {
        entries.push(review_after_crashes(&next));
    }
    Ok(Change { life: next, entries, last_error: LastError::Keep })
}

pub(crate) fn settle(
    life: &Life,
    settlement: &Settlement,
    now: WallTime,
    rules: &Rules,
) -> Result<Change, Refused> {
    let next = step(life, settlement.event, now, rules)?;
    let note = note(&settlement.note, settlement.event);
    let tried = matches!(settlement.event, Event::Settled { .. });
    let last_error = match next.status {
        _ if !tried => LastError::Keep,
        Status::Resolved => LastError::Clear,
        _ => LastError::Set(note.clone()),
    };
    let mut entries = vec![note];
    if next.status == Status::RequiresReview {
        entries.push(format!("requires_review after {} attempts", next.attempts));
    }
    Ok(Change { life: next, entries, last_error })
}

pub(crate) fn act(
    life: &Life,
    event: Event,
    words: &str,
    now: WallTime,
    rules: &Rules,
) -> Result<Change, Refused> {
    let next = step(life, event, now, rules)?;
    let entries = vec![note(words, event)];
    Ok(Change { life: next, entries, last_error: LastError::Keep })
}

fn review_after_crashes(life: &Life) -> String {
    format!("requires_review after {} crashes", life.crashes)
}

/// The caller's words, cut to size, or the event's own name.
fn note(words: &str, event: Event) -> String {
    if words.is_empty() {
        return name(event).to_owned();
    }
    words[..words.floor_char_boundary(NOTE_KEPT)].to_owned()
}

fn name(event: Event) -> &'static str {
    match event {
        Event::Claim { .. } => "claimed",
        Event::Settled { .. } => "settled",
        Event::HandedBack { .. } => "handed back",
        Event::OwnerStarted => "freed",
        Event::Requeue => "requeued",
        Event::SetAside => "set aside",
        Event::Discard => "discarded",
        Event::Tick => "expired",
    }
}
