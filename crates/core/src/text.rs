//! The text forms: durations, and the small grammar that all policies share.
//!
//! A policy is a name with arguments, `backoff(10s, max=5m)`; trippers and trackers join such terms by `&`, `|` and `!`.
//! Durations are `250ms`, `10s`, `1m30s`; ratios are `0.5`. White space between tokens means nothing. Nesting and
//! length are bounded, so that no text, however hostile, exhausts the stack.

use std::borrow::Cow;

mod alternatives;
mod call;
mod cursor;
mod duration;
pub(crate) mod expression;
mod lexer;
mod number;

pub use alternatives::parse_alternatives;
pub(crate) use call::Arguments;
pub(crate) use cursor::Cursor;
pub use duration::{format_duration, parse_duration};
pub(crate) use expression::{Expression, Node};
pub(crate) use lexer::Token;
pub(crate) use number::format_number;

/// How much of a text an error quotes, in characters.
const QUOTED: usize = 40;

/// A text that is not what it should be: where, what was expected there, and what was found.
///
/// ```
/// use fuseboard_core::text::parse_duration;
///
/// let error = parse_duration("ten").unwrap_err();
/// assert_eq!((error.column(), error.found()), (1, "`ten`"));
/// assert_eq!(error.to_string(), "column 1: expected a duration such as `10s`, found `ten`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct ParseError {
    column: usize,
    expected: Cow<'static, str>,
    found: Cow<'static, str>,
}

impl ParseError {
    /// Where it is, in characters, counted from 1. At the end of the text it is one more than there are characters.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What would have been right there.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What is there: a word or sign in backquotes, or `the end`.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// `text` as a whole is not what was expected.
    pub(crate) fn whole(text: &str, expected: &str) -> Self {
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let found = Cow::Owned(quoted(text.trim()));
        ParseError { column: indent + 1, expected: Cow::Owned(expected.to_owned()), found }
    }
}

/// `text` in backquotes, shortened if it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
