//! The ranges of arguments, stated once for both those who parse a policy and those who build one.

use std::borrow::Cow;
use std::time::Duration;

use super::InvalidPolicy;

/// What an argument has to be.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// As a parser says it, after "expected".
    pub(crate) expected: Cow<'static, str>,
    /// As a builder says it, after "is not possible:".
    pub(crate) because: Cow<'static, str>,
}

/// An argument that breaks a rule.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The argument's name in the term's signature.
    pub(crate) argument: &'static str,
    pub(crate) rule: Rule,
}

impl Fault {
    pub(crate) fn in_field(
        self,
        field: &'static str,
        value: impl std::fmt::Display,
    ) -> InvalidPolicy {
        InvalidPolicy::new(field, value, self.rule.because)
    }
}

impl Rule {
    pub(crate) fn new(
        expected: impl Into<Cow<'static, str>>,
        because: impl Into<Cow<'static, str>>,
    ) -> Self {
        Rule { expected: expected.into(), because: because.into() }
    }

    fn fixed(expected: &'static str, because: &'static str) -> Self {
        Rule { expected: Cow::Borrowed(expected), because: Cow::Borrowed(because) }
    }

    /// A fault of `argument`, unless the rule is kept.
    pub(crate) fn unless(self, kept: bool, argument: &'static str) -> Result<(), Fault> {
        if kept { Ok(()) } else { Err(Fault { argument, rule: self }) }
    }
}

/// A ratio from 0 to 1, both included; NaN is none.
pub(crate) fn ratio(argument: &'static str, value: f64) -> Result<(), Fault> {
    Rule::fixed("a ratio from 0 to 1", "a ratio goes from 0 to 1")
        .unless((0.0..=1.0).contains(&value), argument)
}

/// A ratio above 0, up to 1.
pub(crate) fn admitting_ratio(argument: &'static str, value: f64) -> Result<(), Fault> {
    Rule::fixed(
        "a ratio above 0, up to 1 (0 would never admit a call)",
        "a ratio goes up to 1, and 0 would never admit a call",
    )
    .unless(value > 0.0 && value <= 1.0, argument)
}

/// A share of a wait, from 0 up to but not including 1.
pub(crate) fn jitter(argument: &'static str, value: f64) -> Result<(), Fault> {
    Rule::fixed(
        "a jitter from 0 up to, but not including, 1",
        "a jitter goes from 0 up to, but not including, 1",
    )
    .unless((0.0..1.0).contains(&value), argument)
}

/// A number of at least 1.
pub(crate) fn at_least_one(argument: &'static str, value: u64) -> Result<(), Fault> {
    Rule::fixed("a whole number of at least 1", "the number is at least 1")
        .unless(value >= 1, argument)
}

/// A duration above zero.
pub(crate) fn above_zero(argument: &'static str, value: Duration) -> Result<(), Fault> {
    Rule::fixed("a duration above 0s", "the duration is above 0s")
        .unless(!value.is_zero(), argument)
}
