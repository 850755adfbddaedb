//! Where Fuseboard remembers: letters, kept so that an acknowledged one is never lost.
//!
//! [`Letters`] is the contract, with [`Audit`], [`Settings`] and [`Leases`] for what must be written together with
//! letters; [`Sqlite`] keeps it on disk, `Postgres` (with the feature `postgres`) on a server for any number of processes,
//! [`Memory`] for as long as the process lives; [`Sealed`] encrypts what another store keeps. A store selects letters and
//! swaps what is known of them. What may happen to a letter is decided by [`fuseboard_core::letter::step`] alone, inside
//! the store's transaction.
//!
//! What every store promises:
//!
//! - **Acknowledged is kept.** [`Letters::insert`] resolves only when the letter is as safe as the store can make it:
//!   for [`Sqlite`] and `Postgres`, after `fsync` returned. Killing the process at any moment after that loses nothing.
//! - **One holder.** A claim has a fence. Who settles with an older one is refused with [`StoreError::Fenced`] and
//!   changes nothing.
//! - **Done is done.** A letter that is resolved, discarded or expired never leaves that status but by being purged.
//! - **One letter per key.** The same circuit, method, URI, idempotency key and scope are the same letter, until it is
//!   discarded or expired; with another body they are refused with [`StoreError::KeyReused`].
//! - **In order.** Letters of one circuit with one order key go in the order in which they were captured.
//! - **Whose hand it was.** What an operator does to a letter or a setting is in the audit log, or was not done.
//! - **Nothing goes missing.** For each circuit, letters captured = letters in all statuses + letters purged.
//! - **Bytes are bytes.** Bodies and header values come back exactly as they went in.
//!
//! The functions behind the feature `conformance` check all of this on any implementation.
//!
//! # Cancel safety
//!
//! A future that is dropped before it resolved may or may not have happened, as with any network call: the request may
//! already be with the thread that writes. It never half happens. A dropped claim that did happen ends with its lease.
//!
//! # Example
//!
//! ```
//! use fuseboard_core::letter::{Answer, Event, Life, Status};
//! use fuseboard_core::time::WallTime;
//! use fuseboard_store::{Draft, Inserted, Letters, Priority, Settlement, Sqlite, SqliteOptions, Token};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fuseboard_store::StoreError> {
//! # let folder = tempfile::tempdir().unwrap();
//! let letters = Sqlite::open(SqliteOptions::new(folder.path()))?;
//! let now = WallTime::from_unix_millis(1_000);
//! let draft = Draft {
//!     token: Token::random(),
//!     circuit: "payments".to_owned(),
//!     domain: "orders".to_owned(),
//!     failure: "rejected".to_owned(),
//!     method: "POST".to_owned(),
//!     uri: "/charge?order=7".to_owned(),
//!     headers: vec![("accept".to_owned(), b"*/*".to_vec())],
//!     content_type: Some("application/json".to_owned()),
//!     body: b"{}".to_vec(),
//!     key: "order-7".to_owned(),
//!     scope: b"a digest of host and credentials".to_vec(),
//!     order_key: None,
//!     priority: Priority::Normal,
//!     sla_deadline: None,
//!     sealed_by: None,
//!     fingerprint: None,
//!     life: Life::captured(now),
//!     captured_at: now,
//! };
//! assert!(matches!(letters.insert(draft).await?, Inserted::New(..)));
//!
//! let claimed = letters.claim("payments", 10, Duration::from_secs(15), now).await?;
//! let letter = &claimed[0];
//! let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
//! let settlement = Settlement { event, answer: None, note: "answered 201".to_owned() };
//! assert_eq!(letters.settle(letter.id, settlement, now).await?.status, Status::Resolved);
//! letters.close().await?;
//! # Ok(())
//! # }
//! ```

mod audit;
mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod leases;
mod letters;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod random;
mod sealed;
mod settings;
mod sqlite;

pub use audit::{Audit, AuditEntry, AuditId, AuditQuery, AuditRecord, By};
pub use error::{Cause, FullReason, StoreError, Unopened};
pub use leases::{Acquired, Lease, Leases};
pub use letters::{
    Answering, Blocker, CircuitCounts, ClaimFilter, ClaimOrder, Counts, Draft, HistoryEntry,
    Inserted, Late, Letter, LetterId, LetterSummary, Letters, ParseLetterIdError, ParseTokenError,
    Priority, Query, Settlement, StoredAnswer, Token, UnknownPriority,
};
pub use memory::{Memory, MemoryOptions};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresOptions};
pub use sealed::{KeyError, Keyring, Sealed, SealingKey};
pub use settings::{Setting, Settings};
pub use sqlite::{Sqlite, SqliteOptions};
