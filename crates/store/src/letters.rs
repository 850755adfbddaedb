//! The contract of a store of letters.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Status};
use fuseboard_core::time::WallTime;

use crate::error::StoreError;

mod content;
mod counts;
mod identity;

pub use content::{Draft, HistoryEntry, Inserted, Letter, LetterSummary, StoredAnswer};
pub use counts::{CircuitCounts, Counts};
pub use identity::{LetterId, ParseLetterIdError, ParseTokenError, Token};

/// The entries of one letter's history that are kept: the newest this many.
pub(crate) const HISTORY_KEPT: usize = 256;

/// What a store's calls return: a future that can be sent to other threads.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// How a replay went, as its holder tells the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// [`Event::Settled`] or [`Event::HandedBack`], with the fence that the claim gave.
    pub event: Event,
    /// What the other side answered, to be kept with the letter. It replaces an earlier answer; `None` keeps that.
    pub answer: Option<StoredAnswer>,
    /// What the history says of it, such as `answered 503`. If the letter was tried and is not done, also its last
    /// error. Cut to 1,000 bytes; if empty, the event's own name is used.
    pub note: String,
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
    /// Only letters after this one: the last of the page before.
    pub after: Option<LetterId>,
    /// At most this many. Default 100.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Query { circuit: None, status: None, domain: None, after: None, limit: 100 }
    }
}

/// A store of letters. See [the crate](crate) for what each one promises.
///
/// Every call may fail with [`StoreError::Unavailable`] when the store cannot be reached or was closed; a call that
/// writes, also with [`StoreError::Full`]. No call is cancel safe in the sense that dropping it undoes it: a dropped
/// call happens entirely or not at all.
pub trait Letters: Send + Sync + fmt::Debug {
    /// Keeps a letter, and resolves when it is safe.
    ///
    /// If a letter with the same circuit, method, URI, key, scope and body is here, that one is the answer. A letter that
    /// was discarded or has expired does not answer for its key any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyReused`] if its body is another; [`StoreError::TokenTaken`]; [`StoreError::Full`].
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted>;

    /// Claims up to `limit` letters of `circuit` that are due at `now` or whose lease has run out, for as long as
    /// `lease`: the earliest due first, then the lowest id.
    ///
    /// Letters that turn out to be past their expiry, or to have crashed too often, are moved on and not returned. A
    /// store may stop after having moved 256 of them, so that an empty answer does not mean that nothing is due:
    /// [`Letters::next_due`] does.
    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>>;

    /// Ends a claim, and returns the letter's life after it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] if the claim is not the letter's latest; [`StoreError::Refused`] if the letter is not
    /// claimed; [`StoreError::NotFound`]. Nothing changed then, and the answer is not kept.
    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life>;

    /// Does what an operator wants ([`Event::Requeue`], [`Event::SetAside`], [`Event::Discard`]), or lets a letter
    /// expire ([`Event::Tick`]), and returns the letter's life after it. `note` is for the history, such as
    /// `requeued by ops: fixed the address`; it is cut to 1,000 bytes, and if empty the event's own name is used.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if the letter's status does not allow it; [`StoreError::NotFound`].
    fn act(&self, id: LetterId, event: Event, note: String, now: WallTime) -> Answering<'_, Life>;

    /// A letter with all that is kept of it.
    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>>;

    /// A letter by the address of its page.
    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>>;

    /// What happened to a letter, oldest first: the newest 256 entries. Empty for a letter that is not here.
    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>>;

    /// Letters without their headers and bodies, lowest id first.
    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>>;

    /// How many letters there are and were. Does not grow slower with the number of letters.
    fn counts(&self) -> Answering<'_, Counts>;

    /// When [`Letters::claim`] will next have something to look at: the earliest time at which a pending letter is due
    /// or a lease ends. `None` if there is neither.
    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>>;

    /// The circuits that have letters which are pending or replaying, in order.
    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>>;

    /// Removes up to `limit` letters that are resolved, discarded or expired and have been so since before
    /// `finished_before`, the longest finished first; returns how many.
    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64>;

    /// Writes everything out and lets go of the store, after the calls that came before. Calls that come later fail
    /// with [`StoreError::Unavailable`]; closing again does nothing.
    fn close(&self) -> Answering<'_, ()>;
}
