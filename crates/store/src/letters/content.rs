//! What is kept of a letter.

use std::fmt;

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;

use super::identity::{LetterId, Token};
use super::line::Blocker;
use super::priority::Priority;

/// What a capture hands over.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// The address of the letter's page.
    pub token: Token,
    /// The circuit that it was for.
    pub circuit: String,
    /// The domain that its priority comes from.
    pub domain: String,
    /// Why it was captured: `rejected`, `connect`, `timeout`, `reset` or `failure`.
    pub failure: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The headers, in order, repeated ones included; values are bytes as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's media type.
    pub content_type: Option<String>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The idempotency key, the same on every replay.
    pub key: String,
    /// Whose key it is, in opaque bytes: letters with the same key are the same letter only within one scope. For HTTP,
    /// a digest of host and credentials; whoever must not see another's letter has another scope.
    pub scope: Vec<u8>,
    /// Letters of one circuit with one order key go strictly in the order in which they were captured.
    pub order_key: Option<String>,
    /// How urgent it is: what its domain says.
    pub priority: Priority,
    /// When it should be done by. Nothing happens then but that it counts as late: see
    /// [`Letters::late`](crate::Letters::late).
    pub sla_deadline: Option<WallTime>,
    /// The name of the key that sealed headers and body, if they are encrypted. The store keeps it and nothing else.
    pub sealed_by: Option<String>,
    /// What stands for the body where two are compared, because a body that is sealed twice differs. Whoever seals makes
    /// it, keyed, so that it tells nothing of the body.
    pub fingerprint: Option<Vec<u8>>,
    /// Its life so far: [`Life::captured`], with an expiry where its owner set one.
    pub life: Life,
    /// When it was captured.
    pub captured_at: WallTime,
}

impl Draft {
    /// How many bytes of it are kept, more or less.
    pub(crate) fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 8);
        let texts = self.uri.len() + self.key.len() + self.scope.len();
        let fingerprint = self.fingerprint.as_ref().map_or(0, Vec::len);
        self.body.len() + headers.sum::<usize>() + texts + fingerprint
    }
}

/// What became of [`Letters::insert`](crate::Letters::insert).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// A new letter, under the draft's token.
    New(LetterId, Token),
    /// The letter that has been here under this key with this body, its own token, and what has become of it.
    Same(LetterId, Token, Status),
}

impl Inserted {
    /// The letter's number, new or not.
    pub const fn id(self) -> LetterId {
        match self {
            Inserted::New(id, _) | Inserted::Same(id, ..) => id,
        }
    }

    /// The address of the letter's page, new or not.
    pub const fn token(self) -> Token {
        match self {
            Inserted::New(_, token) | Inserted::Same(_, token, _) => token,
        }
    }

    /// The letter's status now: a new one is pending.
    pub const fn status(self) -> Status {
        match self {
            Inserted::New(..) => Status::Pending,
            Inserted::Same(_, _, status) => status,
        }
    }
}

/// A letter with all that is kept of it but its history.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number in the store.
    pub id: LetterId,
    /// The address of its page.
    pub token: Token,
    /// The circuit that it was for.
    pub circuit: String,
    /// The domain that its priority comes from.
    pub domain: String,
    /// Why it was captured.
    pub failure: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The headers, in order, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's media type.
    pub content_type: Option<String>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The idempotency key.
    pub key: String,
    /// Whose key it is: see [`Draft::scope`].
    pub scope: Vec<u8>,
    /// Letters of one circuit with one order key go in order.
    pub order_key: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// When it should be done by.
    pub sla_deadline: Option<WallTime>,
    /// The name of the key that sealed headers and body, if they are not in clear here. [`Sealed`](crate::Sealed) opens
    /// what it sealed, and then this is `None`.
    pub sealed_by: Option<String>,
    /// What stands for the body where two are compared.
    pub fingerprint: Option<Vec<u8>>,
    /// Where it is in its life.
    pub life: Life,
    /// The letter with its order key that goes first, unless this one may go.
    pub blocked_by: Option<Blocker>,
    /// When it was captured.
    pub captured_at: WallTime,
    /// The last answer of the other side.
    pub answer: Option<StoredAnswer>,
    /// Why it is not done yet, if it was tried.
    pub last_error: Option<String>,
    /// When something last happened to it.
    pub updated_at: WallTime,
}

/// What the other side answered to a replay.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, in order, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// When it came.
    pub at: WallTime,
    /// Whether the body was longer than what is kept.
    pub truncated: bool,
    /// The name of the key that sealed headers and body, if they are encrypted.
    pub sealed_by: Option<String>,
}

/// A letter as lists show it: without headers and bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterSummary {
    /// Its number in the store.
    pub id: LetterId,
    /// The address of its page.
    pub token: Token,
    /// The circuit that it was for.
    pub circuit: String,
    /// The domain that its priority comes from.
    pub domain: String,
    /// Why it was captured.
    pub failure: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The body's media type.
    pub content_type: Option<String>,
    /// The body's length in bytes.
    pub body_length: u64,
    /// The idempotency key.
    pub key: String,
    /// Letters of one circuit with one order key go in order.
    pub order_key: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// When it should be done by.
    pub sla_deadline: Option<WallTime>,
    /// The name of the key that sealed headers and body.
    pub sealed_by: Option<String>,
    /// Where it is in its life.
    pub life: Life,
    /// The letter with its order key that goes first, unless this one may go.
    pub blocked_by: Option<Blocker>,
    /// When it was captured.
    pub captured_at: WallTime,
    /// The HTTP status of the other side's last answer.
    pub answer_status: Option<u16>,
    /// Why it is not done yet, if it was tried.
    pub last_error: Option<String>,
    /// When something last happened to it.
    pub updated_at: WallTime,
}

/// One thing that happened to a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: WallTime,
    /// What: `captured`, `claimed`, `crashed: the lease ran out`, or the note of whoever did it.
    pub what: String,
    /// The letter's fence after it.
    pub fence: u64,
}

/// Headers and bodies hold secrets and can be large, so `Debug` tells only how much there is of them.
fn size(headers: &[(String, Vec<u8>)], body: &[u8]) -> String {
    format!("{} headers, {} bytes", headers.len(), body.len())
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("token", &self.token)
            .field("circuit", &self.circuit)
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("content", &size(&self.headers, &self.body))
            .field("key", &self.key)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("token", &self.token)
            .field("circuit", &self.circuit)
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("content", &size(&self.headers, &self.body))
            .field("key", &self.key)
            .field("life", &self.life)
            .field("answer", &self.answer)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredAnswer")
            .field("status", &self.status)
            .field("content", &size(&self.headers, &self.body))
            .field("at", &self.at)
            .field("truncated", &self.truncated)
            .finish()
    }
}
