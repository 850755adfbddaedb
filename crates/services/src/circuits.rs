//! The operator's and the application's view of all circuits: one service with names in and answers out.
//!
//! [`CircuitBreakerService`] protects, pins, reads and tunes circuits by name. It decides nothing: every state changes in
//! `fuseboard_core`'s breaker, and what this module adds is what surrounds it.
//!
//! - Admission without tickets: [`CircuitBreakerService::should_allow`] keeps the ticket of a call, and
//!   [`CircuitBreakerService::record_success`] or [`record_failure`](CircuitBreakerService::record_failure) settles it.
//! - Pins with actor, reason and expiry ([`ManualControl`]), and thresholds that change for a while ([`ThresholdOverride`]).
//! - What others lend to it: a [`CircuitRepository`], a [`ResponseCache`], a [`RequestCapture`], a [`ReplayTrigger`] and an
//!   [`AuditSink`]. A panic in one of them never breaks a call.
//! - [`Cells`]: shards of a circuit's users on a [`CellRing`], each with a circuit of its own.
//! - [`Runtime`]: where the program's service is found, and how a test swaps it.
//!
//! The method names are those of the service that people may know from Python; types and rules are ours.
//!
//! ```
//! use fuseboard_services::circuits::{CircuitBreakerService, ErrorContext, ManualControl};
//!
//! let service = CircuitBreakerService::default();
//! if service.should_allow("external_api")? {
//!     match "42".parse::<u32>() {
//!         Ok(_) => service.record_success("external_api", None)?,
//!         Err(error) => service.record_failure("external_api", Some(ErrorContext::of(&error)), None)?,
//!     };
//! }
//!
//! let result = service.force_open("external_api", ManualControl::by("ops").because("maintenance"))?;
//! assert!(result.success && !service.should_allow("external_api")?);
//! # Ok::<(), fuseboard_services::circuits::ServiceError>(())
//! ```

mod admission;
mod audit;
mod builder;
mod cells;
mod checkers;
mod config;
mod contain;
mod error;
mod error_context;
mod fallback;
mod fallback_result;
mod manual;
mod open_calls;
mod overrides;
mod reading;
mod reconcile;
mod recovery;
mod replay_trigger;
mod repository;
mod ring;
mod runtime;
mod service;
mod siphash;
mod state_data;
mod thresholds;

pub use admission::{CircuitBreakerDecision, Recorded, RefusedBy};
pub use audit::{AuditAction, AuditRecord, AuditSink, LoggedAudit};
pub use builder::CircuitBreakerServiceBuilder;
pub use cells::Cells;
pub use config::{CircuitBreakerConfig, FallbackStrategy};
pub use error::{Invalid, ServiceError, Trouble};
pub use error_context::ErrorContext;
pub use fallback::{Payload, RequestCapture, RequestData, ResponseCache};
pub use fallback_result::{CircuitBreakerFallbackResult, FallbackType};
pub use manual::{CircuitBreakerResult, ManualAction, ManualControl};
pub use reading::AggregateCalls;
pub use reconcile::{CellReconciliation, NotArchived};
pub use recovery::RecoveryCheck;
pub use replay_trigger::{ReplayOrder, ReplayTrigger};
pub use repository::{BoardRepository, CircuitRepository};
pub use ring::CellRing;
pub use runtime::{Runtime, RuntimeGuard, get_circuit_breaker_service};
pub use service::CircuitBreakerService;
pub use state_data::{CircuitBreakerStateData, TripSnapshot};
pub use thresholds::{Lasting, ThresholdOverride};
