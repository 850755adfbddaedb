//! From text to tokens: words and signs, each with its column.

use std::borrow::Cow;
use std::str::Chars;

use super::{ParseError, quoted};

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    /// Empty at the end.
    pub(crate) text: &'a str,
    /// In characters, from 1.
    pub(crate) column: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name, number or duration: letters, digits, and the signs `_ . + -`.
    Word,
    Open,
    Close,
    Comma,
    Equals,
    And,
    Or,
    Not,
    /// A character that the grammar does not know.
    Unknown,
    End,
}

impl Token<'_> {
    /// The error that something else was expected here.
    pub(crate) fn refuse(&self, expected: impl Into<Cow<'static, str>>) -> ParseError {
        let found = match self.kind {
            TokenKind::End => Cow::Borrowed("the end"),
            _ => Cow::Owned(quoted(self.text)),
        };
        ParseError { column: self.column, expected: expected.into(), found }
    }
}

/// Reads tokens one by one.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: Chars<'a>,
    column: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { rest: text.chars(), column: 1 }
    }

    /// The next token; at the end, the end again and again.
    pub(super) fn next(&mut self) -> Token<'a> {
        self.skip(char::is_whitespace);
        let (text, column) = (self.rest.as_str(), self.column);
        let Some(first) = self.rest.clone().next() else {
            return Token { kind: TokenKind::End, text, column };
        };
        let kind = match first {
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '=' => TokenKind::Equals,
            '&' => TokenKind::And,
            '|' => TokenKind::Or,
            '!' => TokenKind::Not,
            c if in_word(c) => TokenKind::Word,
            _ => TokenKind::Unknown,
        };
        if kind == TokenKind::Word {
            self.skip(in_word);
        } else {
            self.rest.next();
            self.column += 1;
        }
        let text = &text[..text.len() - self.rest.as_str().len()];
        Token { kind, text, column }
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) {
        while self.rest.clone().next().is_some_and(&belongs) {
            self.rest.next();
            self.column += 1;
        }
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}
