//! A place in the tokens of a text.

use super::ParseError;
use super::lexer::{Lexer, Token, TokenKind};

/// Reads tokens, and looks one ahead.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    lexer: Lexer<'a>,
    ahead: Token<'a>,
}

impl<'a> Cursor<'a> {
    /// Reads all of `text` as one thing.
    pub(crate) fn read_all<T>(
        text: &'a str,
        parse: impl FnOnce(&mut Cursor<'a>) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let mut lexer = Lexer::new(text);
        let ahead = lexer.next();
        let mut cursor = Cursor { lexer, ahead };
        let value = parse(&mut cursor)?;
        cursor.expect(TokenKind::End, "the end")?;
        Ok(value)
    }

    pub(crate) fn peek(&self) -> Token<'a> {
        self.ahead
    }

    pub(crate) fn next(&mut self) -> Token<'a> {
        let next = self.lexer.next();
        std::mem::replace(&mut self.ahead, next)
    }

    /// Reads a token if it is of this kind.
    pub(crate) fn take(&mut self, kind: TokenKind) -> bool {
        let there = self.ahead.kind == kind;
        if there {
            self.next();
        }
        there
    }

    /// Reads a token that has to be of this kind.
    pub(crate) fn expect(
        &mut self,
        kind: TokenKind,
        expected: &'static str,
    ) -> Result<Token<'a>, ParseError> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { Err(token.refuse(expected)) }
    }
}
