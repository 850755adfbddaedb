//! When a half-open circuit closes, or opens again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::rule::{self, Fault};
use super::{InvalidPolicy, fmt_custom, guarded};
use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::text::{Arguments, Cursor, ParseError};

const FIELD: &str = "recovery";

/// When a half-open circuit closes, or opens again.
///
/// ```
/// use fuseboard_core::policy::Recovery;
///
/// assert_eq!("successes(3)".parse(), Ok(Recovery::successes(3)));
/// assert_eq!("tripper".parse(), Ok(Recovery::Tripper));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Recovery {
    /// Closes after so many successes in one episode, opens on the first failure.
    Successes(u32),
    /// Closes when a success leaves the tripper false, opens when a failure makes it true.
    Tripper,
    /// An implementation of your own.
    Custom(Arc<dyn RecoveryPolicy>),
}

/// A recovery of your own. If it panics, the circuit stays half-open. It must not call the breaker it belongs to.
pub trait RecoveryPolicy: Send + Sync + fmt::Debug {
    /// What to do after an outcome in half-open.
    fn decide(&self, context: &RecoveryContext<'_>) -> Decision;

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn RecoveryPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// What is known when a half-open circuit has had an outcome.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryContext<'a> {
    /// Successes since the circuit became half-open, with the last one.
    pub successes: u32,
    /// Failures since the circuit became half-open, with the last one.
    pub failures: u32,
    /// The outcome that was just counted.
    pub last: Outcome,
    /// What the window holds, with the last outcome.
    pub metrics: &'a Metrics,
    /// Whether the tripper holds now.
    pub trips: bool,
}

/// What becomes of a half-open circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It stays half-open.
    Stay,
    /// It closes.
    Close,
    /// It opens again.
    Open,
}

impl Recovery {
    /// Closes after `n` successes, opens on the first failure.
    pub fn successes(n: u32) -> Self {
        Recovery::Successes(n)
    }

    /// A recovery of your own.
    pub fn custom(policy: impl RecoveryPolicy + 'static) -> Self {
        Recovery::Custom(Arc::new(policy))
    }

    /// What to do after an outcome in half-open. Ignored outcomes change nothing, unless your own policy says so.
    pub fn decide(&self, context: &RecoveryContext<'_>) -> Decision {
        match (self, context.last) {
            (Recovery::Custom(policy), _) => guarded(Decision::Stay, || policy.decide(context)),
            (Recovery::Successes(_), Outcome::Failure) => Decision::Open,
            (Recovery::Successes(n), Outcome::Success) if context.successes >= *n => {
                Decision::Close
            }
            (Recovery::Tripper, Outcome::Success) if !context.trips => Decision::Close,
            (Recovery::Tripper, Outcome::Failure) if context.trips => Decision::Open,
            _ => Decision::Stay,
        }
    }

    /// Refuses a recovery after no success.
    ///
    /// # Errors
    ///
    /// `successes(0)`.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.check().map_err(|fault| fault.in_field(FIELD, self))
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Recovery::Successes(n) => rule::at_least_one("n", u64::from(*n)),
            Recovery::Tripper | Recovery::Custom(_) => Ok(()),
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let name = cursor.next();
        match name.text {
            "tripper" => Ok(Recovery::Tripper),
            "successes" => {
                let arguments = Arguments::parse(cursor, &["n"], &[])?;
                let recovery = Recovery::Successes(arguments.whole_u32("n")?);
                recovery.check().map_err(|fault| arguments.refuse(fault))?;
                Ok(recovery)
            }
            _ => Err(name.refuse("`successes(3)` or the like, or `tripper`")),
        }
    }
}

impl Default for Recovery {
    /// `successes(3)`.
    fn default() -> Self {
        Recovery::Successes(3)
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recovery::Successes(n) => write!(f, "successes({n})"),
            Recovery::Tripper => f.write_str("tripper"),
            Recovery::Custom(policy) => fmt_custom(f, || policy.name()),
        }
    }
}

impl FromStr for Recovery {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Cursor::read_all(text, Recovery::parse)
    }
}
