//! Which errors and results are failures, and which are ignored.

use std::any::{Any, type_name};
use std::fmt;
use std::ops::{BitAnd, BitOr, Not};
use std::str::FromStr;
use std::sync::Arc;

use super::rule::{Fault, Rule};
use super::{InvalidPolicy, fmt_custom, guarded};
use crate::outcome::Outcome;
use crate::text::{Cursor, Expression, Node, ParseError, Token, expression};

mod seen;
mod typed;

pub use seen::{Kind, Seen};
use typed::{ErrorTest, ValueTest};

const FIELD: &str = "failure";

/// What to look for in that which a call came to.
///
/// In text: `errors`, `rejections`, `nothing`, `connect`, `timeout`, `reset`, `503`, `5xx`, joined by `&` and `|`, negated by `!`;
/// `!` binds tightest, then `&`. For Rust's own types there are constructors.
///
/// ```
/// use fuseboard_core::policy::{Kind, Seen, Tracker};
///
/// let tracker: Tracker = "5xx & !501 | timeout".parse()?;
/// assert!(tracker.matches(&Seen::status(503)));
/// assert!(!tracker.matches(&Seen::status(501)));
/// assert!(tracker.matches(&Seen::kind(Kind::Timeout)));
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Tracker {
    /// Every error: [`Seen::error`] and [`Seen::kind`], but no value, no status, and no rejection by an inner breaker.
    Errors,
    /// A rejection by an inner breaker.
    Rejections,
    /// Nothing at all.
    Nothing,
    /// A class of failures that networks and protocols know.
    Class(FailureClass),
    /// What both match.
    And(Box<Tracker>, Box<Tracker>),
    /// What one of them matches, or both.
    Or(Box<Tracker>, Box<Tracker>),
    /// What it does not match.
    Not(Box<Tracker>),
    /// An implementation of your own.
    Custom(Arc<dyn TrackPolicy>),
}

/// A class of failures that networks and protocols know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// No connection came about.
    Connect,
    /// It took too long.
    Timeout,
    /// The connection broke.
    Reset,
    /// This HTTP status, 100 to 599.
    Status(u16),
    /// The HTTP statuses of this hundred, 1 to 5: `StatusHundreds(5)` is `5xx`.
    StatusHundreds(u8),
}

/// A tracker of your own. If it panics, the call is a failure. It must not call the breaker it belongs to.
pub trait TrackPolicy: Send + Sync + fmt::Debug {
    /// Whether `seen` is what it looks for.
    fn matches(&self, seen: &Seen<'_>) -> bool;

    /// A name to print; empty for none.
    fn name(&self) -> &str {
        ""
    }
}

impl PartialEq for dyn TrackPolicy {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// A tracker of the user panicked.
#[derive(Clone, Copy, Debug)]
struct Panicked;

impl BitAnd for Tracker {
    type Output = Tracker;

    fn bitand(self, other: Tracker) -> Tracker {
        Tracker::And(Box::new(self), Box::new(other))
    }
}

impl BitOr for Tracker {
    type Output = Tracker;

    fn bitor(self, other: Tracker) -> Tracker {
        Tracker::Or(Box::new(self), Box::new(other))
    }
}

impl Not for Tracker {
    type Output = Tracker;

    fn not(self) -> Tracker {
        Tracker::Not(Box::new(self))
    }
}

impl Tracker {
    /// The HTTP status `code`.
    pub fn status(code: u16) -> Self {
        Tracker::Class(FailureClass::Status(code))
    }

    /// The HTTP statuses of a hundred: `5` for `5xx`.
    pub fn status_hundreds(hundreds: u8) -> Self {
        Tracker::Class(FailureClass::StatusHundreds(hundreds))
    }

    /// Errors of type `E` for which `test` is true; `name` is for printing.
    ///
    /// ```
    /// use fuseboard_core::policy::{Seen, Tracker};
    /// use std::io::{Error, ErrorKind};
    ///
    /// let refused = Tracker::error("refused", |e: &Error| e.kind() == ErrorKind::ConnectionRefused);
    /// assert!(refused.matches(&Seen::error(&Error::from(ErrorKind::ConnectionRefused))));
    /// assert!(!refused.matches(&Seen::error(&Error::from(ErrorKind::NotFound))));
    /// assert_eq!(refused.to_string(), "custom(refused)");
    /// ```
    pub fn error<E: Any>(
        name: impl Into<String>,
        test: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        Tracker::custom(ErrorTest::new(name.into(), test))
    }

    /// All errors of type `E`.
    pub fn error_type<E: Any>() -> Self {
        Tracker::error(type_name::<E>(), |_: &E| true)
    }

    /// Results of type `T` for which `test` is true; `name` is for printing.
    pub fn value<T: Any>(
        name: impl Into<String>,
        test: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Self {
        Tracker::custom(ValueTest::new(name.into(), test))
    }

    /// A tracker of your own.
    pub fn custom(policy: impl TrackPolicy + 'static) -> Self {
        Tracker::Custom(Arc::new(policy))
    }

    /// Whether `seen` is what it looks for. True if an implementation of your own panicked on the way, even under a `!`.
    pub fn matches(&self, seen: &Seen<'_>) -> bool {
        self.evaluate(seen).unwrap_or(true)
    }

    fn evaluate(&self, seen: &Seen<'_>) -> Result<bool, Panicked> {
        Ok(match self {
            Tracker::Errors => seen.is_error() && !seen.is_rejection(),
            Tracker::Rejections => seen.is_rejection(),
            Tracker::Nothing => false,
            Tracker::Class(class) => class.matches(seen),
            Tracker::And(left, right) => left.evaluate(seen)? && right.evaluate(seen)?,
            Tracker::Or(left, right) => left.evaluate(seen)? || right.evaluate(seen)?,
            Tracker::Not(inner) => !inner.evaluate(seen)?,
            Tracker::Custom(policy) => {
                return guarded(Err(Panicked), || Ok(policy.matches(seen)));
            }
        })
    }

    /// Refuses statuses that HTTP does not have.
    ///
    /// # Errors
    ///
    /// A status outside 100 to 599, a hundred outside 1 to 5, more terms than text may have.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.validate_as(FIELD)
    }

    fn validate_as(&self, field: &'static str) -> Result<(), InvalidPolicy> {
        expression::check_limits(self, field)?;
        expression::try_each_term(self, &mut |term| match term {
            Tracker::Class(class) => {
                class.check().map_err(|fault| fault.in_field(field, expression::display(term)))
            }
            _ => Ok(()),
        })
    }
}

impl FailureClass {
    fn matches(self, seen: &Seen<'_>) -> bool {
        match self {
            FailureClass::Connect => seen.error_kind() == Some(Kind::Connect),
            FailureClass::Timeout => seen.error_kind() == Some(Kind::Timeout),
            FailureClass::Reset => seen.error_kind() == Some(Kind::Reset),
            FailureClass::Status(code) => seen.status_code() == Some(code),
            FailureClass::StatusHundreds(hundreds) => {
                seen.status_code().is_some_and(|code| code / 100 == u16::from(hundreds))
            }
        }
    }

    fn check(self) -> Result<(), Fault> {
        let possible = match self {
            FailureClass::Status(code) => (100..=599).contains(&code),
            FailureClass::StatusHundreds(hundreds) => (1..=5).contains(&hundreds),
            FailureClass::Connect | FailureClass::Timeout | FailureClass::Reset => true,
        };
        let rule = "a status goes from 100 to 599, a hundred from 1xx to 5xx";
        Rule::new(TERMS, rule).unless(possible, "status")
    }

    fn parse(token: Token<'_>) -> Result<Self, ParseError> {
        let class = match token.text {
            "connect" => FailureClass::Connect,
            "timeout" => FailureClass::Timeout,
            "reset" => FailureClass::Reset,
            text => match (text.strip_suffix("xx"), digits(text)) {
                (Some(hundreds), _) if hundreds.len() == 1 => match digits(hundreds) {
                    Some(hundreds) => FailureClass::StatusHundreds(hundreds as u8),
                    None => return Err(token.refuse(TERMS)),
                },
                (_, Some(code)) => FailureClass::Status(code),
                _ => return Err(token.refuse(TERMS)),
            },
        };
        class.check().map_err(|fault| token.refuse(fault.rule.expected))?;
        Ok(class)
    }
}

const TERMS: &str = "`errors`, `rejections`, `nothing`, `connect`, `timeout`, `reset`, \
                     a status from 100 to 599, `1xx` to `5xx`, `!` or `(`";

/// The number that at most three digits are.
fn digits(text: &str) -> Option<u16> {
    let plain = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl Expression for Tracker {
    const NOT: Option<fn(Self) -> Self> = Some(<Self as Not>::not);

    fn node(&self) -> Node<'_, Self> {
        match self {
            Tracker::And(left, right) => Node::And(left, right),
            Tracker::Or(left, right) => Node::Or(left, right),
            Tracker::Not(inner) => Node::Not(inner),
            term => Node::Term(term),
        }
    }

    fn parse_term(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let token = cursor.next();
        match token.text {
            "errors" => Ok(Tracker::Errors),
            "rejections" => Ok(Tracker::Rejections),
            "nothing" => Ok(Tracker::Nothing),
            _ => FailureClass::parse(token).map(Tracker::Class),
        }
    }

    fn fmt_term(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tracker::Errors => f.write_str("errors"),
            Tracker::Rejections => f.write_str("rejections"),
            Tracker::Nothing => f.write_str("nothing"),
            Tracker::Class(class) => fmt::Display::fmt(class, f),
            Tracker::Custom(policy) => fmt_custom(f, || policy.name()),
            // Not terms: `node` never hands them over as such.
            Tracker::And(..) | Tracker::Or(..) | Tracker::Not(_) => fmt::Display::fmt(self, f),
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailureClass::Connect => f.write_str("connect"),
            FailureClass::Timeout => f.write_str("timeout"),
            FailureClass::Reset => f.write_str("reset"),
            FailureClass::Status(code) => write!(f, "{code}"),
            FailureClass::StatusHundreds(hundreds) => write!(f, "{hundreds}xx"),
        }
    }
}

impl fmt::Display for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expression::fmt(self, f)
    }
}

impl FromStr for Tracker {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Cursor::read_all(text, expression::parse)
    }
}

/// What a call came to, judged by two trackers.
///
/// ```
/// use fuseboard_core::Outcome;
/// use fuseboard_core::policy::{Classifier, Kind, Seen};
///
/// let classifier = Classifier { failures: "5xx | connect".parse()?, ..Classifier::default() };
/// assert_eq!(classifier.classify(&Seen::status(503)), Outcome::Failure);
/// assert_eq!(classifier.classify(&Seen::status(404)), Outcome::Success);
/// assert_eq!(classifier.classify(&Seen::kind(Kind::Timeout)), Outcome::Ignored);
/// # Ok::<(), fuseboard_core::text::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// What is a failure.
    pub failures: Tracker,
    /// What does not count at all; it goes before `failures`.
    pub ignored: Tracker,
}

impl Classifier {
    /// Whether any result is a success, so that none needs to be looked at.
    #[inline]
    pub fn takes_values_for_successes(&self) -> bool {
        matches!((&self.failures, &self.ignored), (Tracker::Errors, Tracker::Nothing))
    }

    /// What an error counts as where [`takes_values_for_successes`](Self::takes_values_for_successes) says yes: what
    /// [`classify`](Self::classify) would say, without the way there.
    #[inline]
    pub(crate) fn plain_error(is_rejection: bool) -> Outcome {
        if is_rejection { Outcome::Ignored } else { Outcome::Failure }
    }

    /// Refuses statuses that HTTP does not have, in either tracker.
    ///
    /// # Errors
    ///
    /// As [`Tracker::validate`]; the field is `failure` or `ignore`.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        self.failures.validate_as(FIELD)?;
        self.ignored.validate_as("ignore")
    }

    /// What `seen` counts as. An error that is no failure is ignored, because it is no success either. A tracker that
    /// panics makes it a failure.
    pub fn classify(&self, seen: &Seen<'_>) -> Outcome {
        match self.ignored.evaluate(seen) {
            Ok(true) => Outcome::Ignored,
            Err(Panicked) => Outcome::Failure,
            Ok(false) if self.failures.matches(seen) => Outcome::Failure,
            Ok(false) if seen.is_error() => Outcome::Ignored,
            Ok(false) => Outcome::Success,
        }
    }
}

impl Default for Classifier {
    /// Every error is a failure, nothing is ignored.
    fn default() -> Self {
        Classifier { failures: Tracker::Errors, ignored: Tracker::Nothing }
    }
}
