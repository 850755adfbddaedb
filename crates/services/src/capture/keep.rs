//! Making a letter: its draft, its first wait, and the store, which is not waited for without end.

use std::fmt;
use std::time::Duration;

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::policy::{Deadline, Retry};
use fuseboard_core::time::{Moment, WallTime};
use fuseboard_store::{Draft, Inserted, LetterId, Letters, Priority, Token};
use tokio::time::timeout;

use super::kind::{Kind, Undone};
use super::refusal::NotQueued;

/// The largest payload that is kept unless a door says otherwise: 1 MiB.
pub const DEFAULT_LIMIT: u64 = 1 << 20;
/// How long a store is waited for unless a door says otherwise. A healthy one answers within milliseconds.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

/// The acknowledgement of a letter: it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The letter's number.
    pub id: LetterId,
    /// The address of its page.
    pub token: Token,
    /// Why it was captured.
    pub kind: Kind,
    /// Its status now: one that was here before may be in any.
    pub status: Status,
    /// Whether it is new. If not, the same call was captured before under its key.
    pub is_new: bool,
}

impl Queued {
    fn new(kind: Kind, inserted: Inserted) -> Self {
        let is_new = matches!(inserted, Inserted::New(..));
        let (id, token, status) = (inserted.id(), inserted.token(), inserted.status());
        Queued { id, token, kind, status, is_new }
    }
}

/// What a letter says of its call, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Work {
    /// The circuit that it was for.
    pub circuit: String,
    /// The domain that its priority comes from.
    pub domain: String,
    /// How urgent it is.
    pub priority: Priority,
    /// How it is made: an HTTP method, or [`Capture::METHOD`](super::Capture::METHOD).
    pub method: String,
    /// Where it goes: a URI, or the name of its handler.
    pub uri: String,
    /// Its headers, in order, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's media type.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
    /// Its idempotency key, which its first try had already.
    pub key: String,
    /// Whose key that is: see [`scope_of`](super::scope_of).
    pub scope: Vec<u8>,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What callers send stays out of logs.
        let Work { circuit, method, uri, body, .. } = self;
        write!(f, "Work({method} {uri} for {circuit}, {} bytes)", body.len())
    }
}

impl Work {
    /// The letter's draft: captured `now` because of `kind`, due after `wait`.
    pub fn draft(self, kind: Kind, now: WallTime, wait: Duration) -> Draft {
        Draft {
            token: Token::random(),
            circuit: self.circuit,
            domain: self.domain,
            failure: kind.as_str().to_owned(),
            method: self.method,
            uri: self.uri,
            headers: self.headers,
            content_type: self.content_type,
            body: self.body,
            key: self.key,
            scope: self.scope,
            order_key: None,
            priority: self.priority,
            sla_deadline: None,
            sealed_by: None,
            fingerprint: None,
            life: Life::captured(now + wait),
            captured_at: now,
        }
    }
}

/// How long a letter waits for its first replay under `retry`: what has just failed is not tried again at once, and not before
/// `retry_after`, if the other side said that.
pub fn first_wait(undone: Undone, retry: &Retry, retry_after: Option<Duration>) -> Duration {
    if undone == Undone::Rejected {
        return Duration::ZERO;
    }
    let wait = |retry: &Retry| match retry.deadline(Moment::ZERO, 0, 0.5, retry_after) {
        Deadline::At(due) | Deadline::Ask { not_before: due } => Some(due.since(Moment::ZERO)),
        Deadline::Never => None,
    };
    // Also where there are to be no retries, there is one replay.
    wait(retry).or_else(|| wait(&Retry::Always)).unwrap_or_default()
}

/// Keeps a letter because of `kind`, and returns when it is safe. Needs a tokio runtime with its time enabled.
///
/// # Errors
///
/// [`NotQueued::Store`], and [`NotQueued::NoAnswer`] once `patience` is over.
///
/// # Cancel safety
///
/// Dropped, the letter is kept entirely or not at all.
pub async fn keep(
    letters: &dyn Letters,
    kind: Kind,
    draft: Draft,
    patience: Duration,
) -> Result<Queued, NotQueued> {
    match timeout(patience, letters.insert(draft)).await {
        Ok(Ok(inserted)) => Ok(Queued::new(kind, inserted)),
        Ok(Err(error)) => Err(NotQueued::Store(error)),
        Err(_) => Err(NotQueued::NoAnswer(patience)),
    }
}
