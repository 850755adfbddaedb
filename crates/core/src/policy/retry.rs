//! When an open circuit may try again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::rule::{self, Fault, Rule};
use super::{InvalidPolicy, fmt_custom, guarded};
use crate::text::{Arguments, Cursor, ParseError, format_duration, format_number};
use crate::time::{Moment, saturating_nanos};

const FIELD: &str = "retry";
const DEFAULT_INITIAL: Duration = Duration::from_secs(10);
const DEFAULT_MAX: Duration = Duration::from_secs(5 * 60);
const DEFAULT_MULTIPLIER: f64 = 2.0;
/// The most that a service's own `retry_after` can ask for, where the policy has no max.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(60 * 60);

/// When an open circuit may try again.
///
/// ```
/// use fuseboard_core::policy::{Deadline, Retry};
/// use fuseboard_core::time::Moment;
/// use std::time::Duration;
///
/// let retry: Retry = "backoff(10s, max=5m)".parse()?;
/// let opened = Moment::ZERO;
/// // 10 s, then 20 s, then 40 s ...
/// let deadline = retry.deadline(opened, 2, 0.5, None);
/// assert_eq!(deadline, Deadline::At(opened + Duration::from_secs(40)));
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Retry {
    /// At once.
    Always,
    /// Not until an operator resets the circuit.
    Never,
    /// After the same wait each time.
    Cooldown {
        /// The wait, above zero.
        wait: Duration,
        /// The share of the wait by which chance may shorten or lengthen it, from 0 up to but not including 1.
        jitter: f64,
    },
    /// After a wait that grows each time the circuit opens again, and starts afresh once it has closed.
    Backoff {
        /// The first wait, above zero.
        initial: Duration,
        /// The longest wait, jitter included; at least `initial`.
        max: Duration,
        /// What the wait is multiplied by each time, above 1.
        multiplier: f64,
        /// The share of the wait by which chance may shorten or lengthen it, from 0 up to but not including 1.
        jitter: f64,
    },
    /// An implementation of your own.
    Custom(Arc<dyn RetryPolicy>),
}

/// A retry of your own. It must not call the breaker it belongs to.
///
/// If [`next`](RetryPolicy::next) panics, the circuit stays open for 10 s and then asks at each attempt; if
/// [`may_try`](RetryPolicy::may_try) panics, the answer is not yet.
pub trait RetryPolicy: Send + Sync + fmt::Debug {
    /// Called once for each opening: when to try again.
    fn next(&self, context: RetryContext) -> Next;

    /// Called at each attempt while the circuit is open, if [`next`](RetryPolicy::next) answered [`Next::Ask`].
    fn may_try(&self, _context: AskContext) -> bool {
        true
    }

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn RetryPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// What is known when a circuit opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryContext {
    /// When it opened.
    pub opened_at: Moment,
    /// How often it went from half-open back to open since it was last closed.
    pub reopens: u32,
}

/// What is known at an attempt on an open circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskContext {
    /// When it opened.
    pub opened_at: Moment,
    /// How often it went from half-open back to open since it was last closed.
    pub reopens: u32,
    /// The time of the attempt.
    pub now: Moment,
}

/// The answer of a [`RetryPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    At(Moment),
    /// Do not try again by yourself.
    Never,
    /// Ask again at each attempt.
    Ask,
}

/// Until when an open circuit rejects everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// The first attempt at or after this time is let on.
    At(Moment),
    /// No attempt is let on.
    Never,
    /// At each attempt from `not_before` on, [`Retry::may_try`] is asked.
    Ask {
        /// Before this time nobody is asked.
        not_before: Moment,
    },
}

impl Deadline {
    /// Before this no attempt is let on, whatever anybody answers; `None`: ever.
    pub(crate) fn not_before(self) -> Option<Moment> {
        match self {
            Deadline::At(moment) | Deadline::Ask { not_before: moment } => Some(moment),
            Deadline::Never => None,
        }
    }
}

impl Retry {
    /// Always waits for `wait`, without jitter.
    pub fn cooldown(wait: Duration) -> Self {
        Retry::Cooldown { wait, jitter: 0.0 }
    }

    /// Waits for `initial`, then twice that, and so on up to `max`, without jitter.
    pub fn backoff(initial: Duration, max: Duration) -> Self {
        Retry::Backoff { initial, max, multiplier: DEFAULT_MULTIPLIER, jitter: 0.0 }
    }

    /// A retry of your own.
    pub fn custom(policy: impl RetryPolicy + 'static) -> Self {
        Retry::Custom(Arc::new(policy))
    }

    /// The same with this jitter. Only cooldown and backoff have one; others stay as they are.
    #[must_use]
    pub fn with_jitter(mut self, share: f64) -> Self {
        if let Retry::Cooldown { jitter, .. } | Retry::Backoff { jitter, .. } = &mut self {
            *jitter = share;
        }
        self
    }

    /// The same with this multiplier. Only backoff has one; others stay as they are.
    #[must_use]
    pub fn with_multiplier(mut self, factor: f64) -> Self {
        if let Retry::Backoff { multiplier, .. } = &mut self {
            *multiplier = factor;
        }
        self
    }

    /// Until when the circuit stays open.
    ///
    /// `draw` is a random number from 0 up to, but not including, 1, for the jitter. `retry_after` is what the service
    /// itself asked for: the deadline is no earlier than that, capped by the backoff's max, or 1 h for all others.
    pub fn deadline(
        &self,
        opened_at: Moment,
        reopens: u32,
        draw: f64,
        retry_after: Option<Duration>,
    ) -> Deadline {
        let earliest = opened_at + retry_after.unwrap_or_default().min(self.retry_after_cap());
        let after = |wait: Duration| Deadline::At((opened_at + wait).max(earliest));
        match self {
            Retry::Always => Deadline::At(earliest),
            Retry::Never => Deadline::Never,
            Retry::Cooldown { wait, jitter } => after(jittered(*wait, *jitter, draw)),
            Retry::Backoff { initial, max, multiplier, jitter } => {
                let base = grown(*initial, *max, *multiplier, reopens);
                let wait = jittered(base, *jitter, draw);
                // Waits beyond max are mirrored, because a plain cap would send everyone back at the same time.
                let wait =
                    if wait > *max { max.saturating_mul(2).saturating_sub(wait) } else { wait };
                after(wait)
            }
            Retry::Custom(policy) => {
                let answer =
                    guarded(None, || Some(policy.next(RetryContext { opened_at, reopens })));
                match answer {
                    Some(Next::At(time)) => Deadline::At(time.max(earliest)),
                    Some(Next::Never) => Deadline::Never,
                    Some(Next::Ask) => Deadline::Ask { not_before: earliest },
                    None => Deadline::Ask { not_before: earliest.max(opened_at + DEFAULT_INITIAL) },
                }
            }
        }
    }

    /// Whether an attempt may go on, where the deadline is [`Deadline::Ask`].
    pub fn may_try(&self, context: AskContext) -> bool {
        match self {
            Retry::Always | Retry::Cooldown { .. } | Retry::Backoff { .. } => true,
            Retry::Never => false,
            Retry::Custom(policy) => guarded(false, || policy.may_try(context)),
        }
    }

    fn retry_after_cap(&self) -> Duration {
        match self {
            Retry::Backoff { max, .. } => *max,
            _ => RETRY_AFTER_CAP,
        }
    }

    /// Refuses waits of nothing, a max below the initial wait, a multiplier that does not grow, a jitter that is none.
    ///
    /// # Errors
    ///
    /// As said.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.check().map_err(|fault| fault.in_field(FIELD, self))
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Retry::Always | Retry::Never | Retry::Custom(_) => Ok(()),
            Retry::Cooldown { wait, jitter } => {
                rule::above_zero("wait", *wait)?;
                rule::jitter("jitter", *jitter)
            }
            Retry::Backoff { initial, max, multiplier, jitter } => {
                rule::above_zero("initial", *initial)?;
                let (low, high) = (format_duration(*initial), format_duration(*max));
                Rule::new(
                    format!("a max of at least the initial wait, {low}"),
                    format!("max, {high}, is below the initial wait, {low}"),
                )
                .unless(max >= initial, "max")?;
                Rule::new("a multiplier above 1", "a multiplier is a number above 1")
                    .unless(*multiplier > 1.0 && multiplier.is_finite(), "multiplier")?;
                rule::jitter("jitter", *jitter)
            }
        }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let name = cursor.next();
        let (retry, arguments) = match name.text {
            "always" => return Ok(Retry::Always),
            "never" => return Ok(Retry::Never),
            "cooldown" => {
                let arguments = Arguments::parse(cursor, &["wait"], &["jitter"])?;
                let wait = arguments.duration("wait")?;
                (Retry::Cooldown { wait, jitter: arguments.number_or("jitter", 0.0)? }, arguments)
            }
            "backoff" => {
                let arguments =
                    Arguments::parse(cursor, &["initial"], &["max", "multiplier", "jitter"])?;
                let backoff = Retry::Backoff {
                    initial: arguments.duration("initial")?,
                    max: arguments.duration_or("max", DEFAULT_MAX)?,
                    multiplier: arguments.number_or("multiplier", DEFAULT_MULTIPLIER)?,
                    jitter: arguments.number_or("jitter", 0.0)?,
                };
                (backoff, arguments)
            }
            _ => {
                return Err(name.refuse(
                    "`always`, `never`, `cooldown(10s)`, `backoff(10s, max=5m)` or the like",
                ));
            }
        };
        retry.check().map_err(|fault| arguments.refuse(fault))?;
        Ok(retry)
    }
}

/// `initial`, multiplied `reopens` times, at most `max`.
fn grown(initial: Duration, max: Duration, multiplier: f64, reopens: u32) -> Duration {
    let exponent = i32::try_from(reopens).unwrap_or(i32::MAX);
    let nanos = saturating_nanos(initial) as f64 * multiplier.powi(exponent);
    if nanos < saturating_nanos(max) as f64 { Duration::from_nanos(nanos as u64) } else { max }
}

/// `base`, shortened or lengthened by up to the share `jitter`, as `draw` says.
fn jittered(base: Duration, jitter: f64, draw: f64) -> Duration {
    let factor = 1.0 + jitter * (2.0 * draw - 1.0);
    if factor == 1.0 {
        return base;
    }
    // The cast saturates: what is too long becomes the longest, and what is no number becomes nothing.
    Duration::from_nanos((saturating_nanos(base) as f64 * factor) as u64)
}

impl Default for Retry {
    /// `backoff(10s, max=5m, jitter=0.2)`.
    fn default() -> Self {
        Retry::backoff(DEFAULT_INITIAL, DEFAULT_MAX).with_jitter(0.2)
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jitter = match self {
            Retry::Always => return f.write_str("always"),
            Retry::Never => return f.write_str("never"),
            Retry::Custom(policy) => return fmt_custom(f, || policy.name()),
            Retry::Cooldown { wait, jitter } => {
                write!(f, "cooldown({}", format_duration(*wait))?;
                jitter
            }
            Retry::Backoff { initial, max, multiplier, jitter } => {
                let (initial, max) = (format_duration(*initial), format_duration(*max));
                write!(f, "backoff({initial}, max={max}")?;
                if *multiplier != DEFAULT_MULTIPLIER {
                    write!(f, ", multiplier={}", format_number(*multiplier))?;
                }
                jitter
            }
        };
        if *jitter != 0.0 {
            write!(f, ", jitter={}", format_number(*jitter))?;
        }
        f.write_str(")")
    }
}

impl FromStr for Retry {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Cursor::read_all(text, Retry::parse)
    }
}
