//! Words joined by `|`: a set of things, each of which is named by one word.

use super::lexer::TokenKind;
use super::{Cursor, ParseError};

/// Reads words joined by `|`, and what `read` makes of each of them. `expected` says which words there are.
///
/// ```
/// use fuseboard_core::text::parse_alternatives;
///
/// let digit = |word: &str| ["zero", "one"].iter().position(|digit| *digit == word);
/// assert_eq!(parse_alternatives("one | zero", "`zero` or `one`", digit), Ok(vec![1, 0]));
///
/// let error = parse_alternatives("one | two", "`zero` or `one`", digit).unwrap_err();
/// assert_eq!(error.to_string(), "column 7: expected `zero` or `one`, found `two`");
/// ```
///
/// # Errors
///
/// A word of which `read` makes nothing, no word at all, and what is neither a word nor `|`.
pub fn parse_alternatives<T>(
    text: &str,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ParseError> {
    Cursor::read_all(text, |cursor| {
        let mut words = Vec::new();
        loop {
            let token = cursor.next();
            words.push(read(token.text).ok_or_else(|| token.refuse(expected))?);
            if !cursor.take(TokenKind::Or) {
                break;
            }
        }
        match cursor.peek() {
            token if token.kind == TokenKind::End => Ok(words),
            token => Err(token.refuse("`|` or the end")),
        }
    })
}
