//! Which calls a half-open circuit lets through, within its slots.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::rule::{self, Fault, Rule};
use super::{InvalidPolicy, fmt_custom, guarded};
use crate::text::{Arguments, Cursor, ParseError, format_duration, format_number};

const FIELD: &str = "permit";

/// Which calls a half-open circuit lets through. Its slots limit them further.
///
/// ```
/// use fuseboard_core::policy::Permit;
/// use std::time::Duration;
///
/// let permit: Permit = "ramp_up(0.1, 0.8, 60s)".parse()?;
/// // Half way up the ramp it admits 45 of 100 calls.
/// assert!(permit.permits(Duration::from_secs(30), 0.44));
/// assert!(!permit.permits(Duration::from_secs(30), 0.46));
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Permit {
    /// Every call.
    #[default]
    All,
    /// This share of the calls, above 0 and up to 1, each by chance.
    Random(f64),
    /// A share that grows evenly from `from` to `to` over `over`, and then stays.
    RampUp {
        /// The share at the moment the circuit became half-open, above 0.
        from: f64,
        /// The share at the end, at least `from` and at most 1.
        to: f64,
        /// How long it takes, above zero.
        over: Duration,
    },
    /// An implementation of your own.
    Custom(Arc<dyn PermitPolicy>),
}

/// A permit of your own. If it panics, the call is rejected. It must not call the breaker it belongs to.
pub trait PermitPolicy: Send + Sync + fmt::Debug {
    /// Whether to let a call through, `elapsed` after the circuit became half-open.
    ///
    /// `draw` is a random number from 0 up to, but not including, 1: a share `r` of the calls is admitted by `draw < r`.
    fn permits(&self, elapsed: Duration, draw: f64) -> bool;

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn PermitPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

impl Permit {
    /// Lets the share `ratio` of the calls through.
    pub fn random(ratio: f64) -> Self {
        Permit::Random(ratio)
    }

    /// Lets a share of the calls through that grows from `from` to `to` over `over`.
    pub fn ramp_up(from: f64, to: f64, over: Duration) -> Self {
        Permit::RampUp { from, to, over }
    }

    /// A permit of your own.
    pub fn custom(policy: impl PermitPolicy + 'static) -> Self {
        Permit::Custom(Arc::new(policy))
    }

    /// Whether to let a call through, `elapsed_in_half_open` after the circuit became half-open; `draw` is a random
    /// number from 0 up to, but not including, 1.
    pub fn permits(&self, elapsed_in_half_open: Duration, draw: f64) -> bool {
        match self {
            Permit::All => true,
            Permit::Random(ratio) => draw < *ratio,
            Permit::RampUp { from, to, over } => {
                draw < ramp(*from, *to, *over, elapsed_in_half_open)
            }
            Permit::Custom(policy) => guarded(false, || policy.permits(elapsed_in_half_open, draw)),
        }
    }

    /// Refuses a permit that would never admit a call, or more than all.
    ///
    /// # Errors
    ///
    /// A ratio that is not above 0 and at most 1, a ramp that goes down or takes no time.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.check().map_err(|fault| fault.in_field(FIELD, self))
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Permit::All | Permit::Custom(_) => Ok(()),
            Permit::Random(ratio) => rule::admitting_ratio("ratio", *ratio),
            Permit::RampUp { from, to, over } => {
                rule::admitting_ratio("from", *from)?;
                rule::admitting_ratio("to", *to)?;
                let start = format_number(*from);
                Rule::new(
                    format!("a ratio of at least {start}, where the ramp starts"),
                    format!("a ramp that starts at {start} ends there or above"),
                )
                .unless(from <= to, "to")?;
                rule::above_zero("over", *over)
            }
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let name = cursor.next();
        let (permit, arguments) = match name.text {
            "all" => return Ok(Permit::All),
            "random" => {
                let arguments = Arguments::parse(cursor, &["ratio"], &[])?;
                (Permit::Random(arguments.ratio("ratio")?), arguments)
            }
            "ramp_up" => {
                let arguments = Arguments::parse(cursor, &["from", "to", "over"], &[])?;
                let (from, to) = (arguments.ratio("from")?, arguments.ratio("to")?);
                (Permit::RampUp { from, to, over: arguments.duration("over")? }, arguments)
            }
            _ => {
                return Err(name.refuse("`all`, `random(0.5)`, `ramp_up(0.1, 1, 60s)` or the like"));
            }
        };
        permit.check().map_err(|fault| arguments.refuse(fault))?;
        Ok(permit)
    }
}

fn ramp(from: f64, to: f64, over: Duration, elapsed: Duration) -> f64 {
    if elapsed >= over {
        return to;
    }
    from + (to - from) * (elapsed.as_secs_f64() / over.as_secs_f64())
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permit::All => f.write_str("all"),
            Permit::Random(ratio) => write!(f, "random({})", format_number(*ratio)),
            Permit::RampUp { from, to, over } => {
                let (from, to) = (format_number(*from), format_number(*to));
                write!(f, "ramp_up({from}, {to}, {})", format_duration(*over))
            }
            Permit::Custom(policy) => fmt_custom(f, || policy.name()),
        }
    }
}

impl FromStr for Permit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Cursor::read_all(text, Permit::parse)
    }
}
