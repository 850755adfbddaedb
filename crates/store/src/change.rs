//! What a call means for what is kept of a letter, alike for every backend.
//!
//! `step` decides; this turns its verdict into the history's words and the letter's last error.

use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Refused, Rules, Status, step};
use fuseboard_core::time::WallTime;

use crate::audit::{AuditEntry, By};
use crate::letters::{LetterId, Priority, Settlement};
use crate::settings::Setting;

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
    by: &By,
    now: WallTime,
    rules: &Rules,
) -> Result<Change, Refused> {
    let next = step(life, event, now, rules)?;
    let entries = match event {
        Event::Tick => time_passed(life, &next),
        _ => vec![by_hand(event, by)],
    };
    Ok(Change { life: next, entries, last_error: LastError::Keep })
}

/// A letter that comes from another store. Who held it there does not hold it here.
pub(crate) fn import(
    life: &Life,
    note: &str,
    now: WallTime,
    rules: &Rules,
) -> Result<Change, Refused> {
    let mut entries = vec![if note.is_empty() { "imported".to_owned() } else { cut(note) }];
    let mut next = *life;
    if life.status == Status::Replaying {
        next = step(life, Event::OwnerStarted, now, rules)?;
        entries.push("crashed: it was held where it came from".to_owned());
        if next.status == Status::RequiresReview {
            entries.push(review_after_crashes(&next));
        }
    }
    Ok(Change { life: next, entries, last_error: LastError::Keep })
}

/// The audit record of an operator's act on a letter; `None` for what is nobody's act.
pub(crate) fn audit_of_act(
    id: LetterId,
    event: Event,
    (before, after): (&Life, &Life),
    by: &By,
    now: WallTime,
) -> Option<AuditEntry> {
    let action = match event {
        Event::Requeue => "letter.requeue",
        Event::Hasten => "letter.hasten",
        Event::SetAside => "letter.set_aside",
        Event::Discard => "letter.discard",
        _ => return None,
    };
    Some(AuditEntry {
        actor: by.actor.clone(),
        action: action.to_owned(),
        subject: format!("letter/{id}"),
        reason: cut(&by.reason),
        before: Some(before.status.to_string()),
        after: Some(after.status.to_string()),
        at: now,
    })
}

/// The audit record of a setting's change.
pub(crate) fn audit_of_setting(before: Option<&Setting>, after: &Setting) -> AuditEntry {
    AuditEntry {
        actor: after.actor.clone(),
        action: "setting.change".to_owned(),
        subject: format!("setting/{}", after.name),
        reason: cut(&after.reason),
        before: before.map(|setting| setting.value.clone()),
        after: Some(after.value.clone()),
        at: after.at,
    }
}

/// What the history says of a letter that was raised because it is late.
pub(crate) fn raised(to: Priority) -> String {
    format!("raised to {to}: past its deadline")
}

fn time_passed(life: &Life, next: &Life) -> Vec<String> {
    let mut entries = Vec::new();
    if life.status == Status::Replaying {
        entries.push("crashed: the lease ran out".to_owned());
    }
    match next.status {
        Status::RequiresReview => entries.push(review_after_crashes(next)),
        Status::Expired => entries.push(next.status.to_string()),
        _ => {}
    }
    entries
}

fn by_hand(event: Event, By { actor, reason }: &By) -> String {
    match reason.is_empty() {
        true => cut(&format!("{} by {actor}", name(event))),
        false => cut(&format!("{} by {actor}: {reason}", name(event))),
    }
}

fn review_after_crashes(life: &Life) -> String {
    format!("requires_review after {} crashes", life.crashes)
}

/// The caller's words, cut to size, or the event's own name.
fn note(words: &str, event: Event) -> String {
    if words.is_empty() {
        return name(event).to_owned();
    }
    cut(words)
}

fn cut(words: &str) -> String {
    words[..words.floor_char_boundary(NOTE_KEPT)].to_owned()
}

fn name(event: Event) -> &'static str {
    match event {
        Event::Claim { .. } => "claimed",
        Event::Settled { .. } => "settled",
        Event::HandedBack { .. } => "handed back",
        Event::OwnerStarted => "freed",
        Event::Requeue => "requeued",
        Event::Hasten => "hastened",
        Event::SetAside => "set aside",
        Event::Discard => "discarded",
        Event::Tick => "expired",
    }
}
