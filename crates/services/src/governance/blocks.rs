//! The audit records of the gate itself: blocks and overrides.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fuseboard_core::time::{Moment, WallTime};
use fuseboard_store::AuditEntry;

use super::check::{BlockedBy, GateRequest};

/// What happens by itself asks again and again: of blocks that are alike, one in this time is recorded.
const ALIKE_FOR: Duration = Duration::from_secs(60);
/// So many kinds of blocks are told apart at most; beyond that each block is recorded.
const KINDS: usize = 1000;

/// Action, subject, and what blocked it.
type Kind = (&'static str, String, &'static str);

/// When a block of a kind was recorded last, and how many like it were not recorded since.
struct Recorded {
    at: Moment,
    unrecorded: u64,
}

/// Which blocks have been recorded lately.
#[derive(Default)]
pub(super) struct Blocks {
    lately: Mutex<BTreeMap<Kind, Recorded>>,
}

impl Blocks {
    /// The record of a block; `None` if `system` was blocked like that a moment ago.
    pub(super) fn record(
        &self,
        request: &GateRequest,
        by: &BlockedBy,
        now: Moment,
        wall: WallTime,
    ) -> Option<AuditEntry> {
        let mut entry = entry("governance.blocked", request, by, wall);
        if request.actor == "system" {
            let kind = (request.action, entry.subject.clone(), by.as_str());
            let unrecorded = self.unrecorded(kind, now)?;
            if unrecorded > 0 {
                entry.reason += &format!(" (and {unrecorded} more times since the last record)");
            }
        }
        Some(entry)
    }

    /// How many blocks of that kind were not recorded since the last that was; `None` if this is one more of them.
    fn unrecorded(&self, kind: Kind, now: Moment) -> Option<u64> {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorded) = lately.get_mut(&kind) {
            if now.since(recorded.at) < ALIKE_FOR {
                recorded.unrecorded += 1;
                return None;
            }
            recorded.at = now;
            return Some(std::mem::take(&mut recorded.unrecorded));
        }
        if lately.len() >= KINDS {
            lately.retain(|_, recorded| now.since(recorded.at) < ALIKE_FOR);
        }
        if lately.len() < KINDS {
            lately.insert(kind, Recorded { at: now, unrecorded: 0 });
        }
        Some(0)
    }
}

/// The record of somebody going on although the gate is closed.
pub(super) fn overridden(request: &GateRequest, by: &BlockedBy, wall: WallTime) -> AuditEntry {
    entry("governance.overridden", request, by, wall)
}

fn entry(action: &str, request: &GateRequest, by: &BlockedBy, at: WallTime) -> AuditEntry {
    let subject = match (&request.circuit, &request.domain) {
        (Some(circuit), _) => format!("circuit/{circuit}"),
        (None, Some(domain)) => format!("domain/{domain}"),
        (None, None) => "replay".to_owned(),
    };
    AuditEntry {
        actor: if request.actor.is_empty() { "unknown" } else { &request.actor }.to_owned(),
        action: action.to_owned(),
        subject,
        reason: request.reason.clone(),
        before: None,
        after: Some(format!("{}: {by}", request.action)),
        at,
    }
}
