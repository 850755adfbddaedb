//! The contract of a store of letters.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use fuseboard_core::letter::{Event, Life};
use fuseboard_core::time::WallTime;

use crate::audit::{Audit, By};
use crate::error::StoreError;
use crate::leases::Leases;
use crate::settings::Settings;

mod content;
mod counts;
mod filter;
mod identity;
mod import;
mod line;
mod priority;

pub use content::{Draft, HistoryEntry, Inserted, Letter, LetterSummary, StoredAnswer};
pub use counts::{CircuitCounts, Counts};
pub use filter::{ClaimFilter, ClaimOrder, Query};
pub use identity::{LetterId, ParseLetterIdError, ParseTokenError, Token};
pub(crate) use import::Import;
pub use line::{Blocker, Late};
pub use priority::{Priority, UnknownPriority};

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

/// A store of letters. See [the crate](crate) for what each one promises.
///
/// Every call may fail with [`StoreError::Unavailable`] when the store cannot be reached or was closed; a call that
/// writes, also with [`StoreError::Full`]. No call is cancel safe in the sense that dropping it undoes it: a dropped
/// call happens entirely or not at all.
///
/// # Order keys
///
/// Of the letters of one circuit with one order key, only the oldest that is pending, replaying or in review may be
/// claimed: the others wait behind it ([`Letter::blocked_by`]), in whatever status it is, and are neither claimed nor
/// counted in [`Letters::next_due`]. When it is resolved, discarded or expired, the next one is free in the same
/// transaction; a claim that lets the first of a key expire does not return the next one. How many wait makes no
/// difference to a claim.
///
/// ```
/// # use fuseboard_core::time::WallTime;
/// # use fuseboard_store::{Draft, Letters, Memory, conformance};
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fuseboard_store::StoreError> {
/// # let (letters, now) = (Memory::default(), WallTime::from_unix_millis(1_000));
/// # let of_customer_7 = |key: &str| {
/// #     let order_key = Some("customer-7".to_owned());
/// #     Draft { order_key, ..conformance::draft("payments", key, now) }
/// # };
/// let first = letters.insert(of_customer_7("order-1")).await?.id();
/// let second = letters.insert(of_customer_7("order-2")).await?.id();
/// let claimed = letters.claim("payments", 10, Duration::from_secs(15), now).await?;
/// assert_eq!(claimed.iter().map(|letter| letter.id).collect::<Vec<_>>(), [first]);
/// let waiting = letters.get(second).await?.expect("it was just inserted");
/// assert_eq!(waiting.blocked_by.map(|blocker| blocker.id), Some(first));
/// # Ok(())
/// # }
/// ```
pub trait Letters: Audit + Settings + Leases + Send + Sync + fmt::Debug {
    /// Keeps a letter, and resolves when it is safe.
    ///
    /// If a letter with the same circuit, method, URI, key, scope and body is here, that one is the answer. Where both have
    /// a fingerprint, the fingerprints are compared in place of the bodies. A letter that was discarded or has expired does
    /// not answer for its key any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyReused`] if its body is another; [`StoreError::TokenTaken`]; [`StoreError::Full`].
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted>;

    /// Keeps a letter that comes from another store, under a number of its own, and resolves when it is safe. Its number,
    /// its blocker and its lease are not taken over: whoever held it there does not hold it here, which counts as a crash.
    /// Its history begins with `note`, such as `imported from eu-1`; if that is empty, with `imported`.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyTaken`] if another letter answers for its key; [`StoreError::TokenTaken`]; [`StoreError::Full`].
    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId>;

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

    /// Claims letters as [`Letters::claim`] does, but those that `filter` wants, of several circuits if it names none.
    fn claim_by(
        &self,
        filter: ClaimFilter,
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

    /// Does what an operator wants ([`Event::Requeue`], [`Event::Hasten`], [`Event::SetAside`], [`Event::Discard`]), and
    /// writes the audit record of it in the same transaction; or lets time pass for a letter ([`Event::Tick`]), which is nobody's act.
    /// Returns the letter's life after it. The history says `requeued by ACTOR: REASON`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if the letter's status does not allow it; [`StoreError::NotFound`].
    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life>;

    /// A letter with all that is kept of it.
    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>>;

    /// A letter by the address of its page.
    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>>;

    /// What happened to a letter, oldest first: the newest 256 entries. Empty for a letter that is not here.
    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>>;

    /// Letters without their headers and bodies, lowest id first.
    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>>;

    /// Letters with all that is kept of them, lowest id first: a page of an export. Bodies can be large, so ask for few.
    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>>;

    /// How many letters there are and were. Does not grow slower with the number of letters.
    fn counts(&self) -> Answering<'_, Counts>;

    /// How many letters are past their SLA deadline at `now` and neither resolved, discarded nor expired, by circuit and
    /// domain, in that order. Circuits and domains without any are left out.
    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>>;

    /// Gives up to `limit` late letters that are less urgent than `to` that priority; returns how many.
    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64>;

    /// When [`Letters::claim`] will next have something to look at: the earliest time at which a pending letter that does
    /// not wait behind another is due, or a lease ends. `None` if there is neither.
    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>>;

    /// The letter that a request with this order key would have to wait for; `None` if it may go at once.
    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>>;

    /// The circuits that have letters which are pending or replaying, in order.
    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>>;

    /// Removes up to `limit` letters that are resolved, discarded or expired and have been so since before
    /// `finished_before`, the longest finished first; returns how many.
    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64>;

    /// Writes everything out and lets go of the store, after the calls that came before. Calls that come later fail
    /// with [`StoreError::Unavailable`]; closing again does nothing.
    fn close(&self) -> Answering<'_, ()>;
}
