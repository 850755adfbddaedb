//! Governance: the one gate that every replay passes, and the log of who changed or passed it.
//!
//! | gate | closed while | who changes it |
//! |---|---|---|
//! | kill switch | it is on | [`Governance::set_kill_switch`] |
//! | emergency level | it is 2 or 3 | [`Governance::set_emergency_level`] |
//! | error budget | the circuit has failed more often than its [`Slo`] allows | its calls; [`Governance::reset_error_budget`] |
//!
//! - **It stops replay, nothing else.** Circuits trip and recover, calls go through, letters are captured whatever it says.
//! - **All agree.** The settings `kill_switch`, `emergency_level` and `error_budget/CIRCUIT` are in the store of letters, and
//!   are changed only by who has seen the latest; each change has its audit record in the same transaction. A check costs no
//!   round trip: it goes by what was read at most a second ago.
//! - **Unreadable means as before.** If the store does not answer, the last known values hold; only before the first
//!   answer the gate is closed ([`BlockedBy::Unread`]), since nobody knows whether the kill switch is on.
//! - **A block is an answer**, and an audit record; each block of a person, and of what `system` is refused over and
//!   over one record a minute, which says how many it stands for.
//! - **An override** needs an actor and a reason, and happens only once its audit record is safe.
//! - **Budgets** are counted from what this process's breakers counted, and begin anew with the process. That one is spent is
//!   a setting: the other processes stop, too, and so does this one after a restart, until the failures would have left
//!   the window.
//!
//! ```
//! use fuseboard_core::time::SystemClock;
//! use fuseboard_services::governance::{
//!     AuditLog, Change, Gate, GateRequest, Governance, Switch,
//! };
//! use fuseboard_store::{AuditQuery, Memory};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(Memory::default());
//! let (audit, writer) = AuditLog::new(store.clone());
//! tokio::spawn(writer.run());
//! let clock = Arc::new(SystemClock::new());
//! let governance = Governance::builder(store, clock, audit.clone()).build()?;
//!
//! governance.set_kill_switch(Switch::On, Change::by("ops", "the provider is down")).await?;
//! let request = GateRequest::new("replay_batch", "kim", "clearing the backlog");
//! let result = governance.check(&request).await;
//! assert!(!result.allowed);
//! assert_eq!(result.message, "the kill switch is on");
//!
//! let insisting = request.override_gate(true);
//! assert!(governance.check(&insisting).await.overridden);
//!
//! audit.flush().await;
//! let actions = audit.page(AuditQuery::default()).await?.records;
//! let mut actions: Vec<_> = actions.iter().map(|record| record.entry.action.as_str()).collect();
//! actions.sort();
//! assert_eq!(actions, ["governance.blocked", "governance.overridden", "setting.change"]);
//! # Ok(())
//! # }
//! ```

mod audit;
mod blocks;
mod budget;
mod budgets;
mod builder;
mod by_hand;
mod change;
mod check;
mod circuit_records;
mod known;
mod level;
mod mark;
pub mod retention;
mod ring;
mod service;
mod sharing;

pub use audit::{AuditCounts, AuditLog, AuditPage, AuditWriter, NotTaken};
pub use budget::{BudgetStatus, Slo};
pub use builder::GovernanceBuilder;
pub use change::{Change, Changed, GovernanceError};
pub use check::{BlockedBy, Checking, Gate, GateRequest, GovernanceCheckResult, Open};
pub use known::{Control, Switch};
pub use level::EmergencyLevel;
pub use service::{Governance, GovernanceStatus};
