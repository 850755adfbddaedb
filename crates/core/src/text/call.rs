//! The arguments of a term: `(10s, max=5m, jitter=0.2)`.

use std::time::Duration;

use super::lexer::TokenKind;
use super::{Cursor, ParseError, Token, duration, number};
use crate::policy::rule::Fault;

const NUMBER: &str = "a whole number";

/// The arguments that were given to a term, by their names in its signature.
#[derive(Clone, Debug)]
pub(crate) struct Arguments<'a> {
    given: Vec<(&'static str, Token<'a>)>,
    /// The closing parenthesis: where an argument is missed.
    close: Token<'a>,
}

impl<'a> Arguments<'a> {
    /// Reads `(…)`: the `positional` ones in their order, the `keyed` ones as `name=value`, in any order or not at all.
    pub(crate) fn parse(
        cursor: &mut Cursor<'a>,
        positional: &[&'static str],
        keyed: &[&'static str],
    ) -> Result<Self, ParseError> {
        let open = cursor.expect(TokenKind::Open, "`(`")?;
        let mut arguments = Arguments { given: Vec::new(), close: open };
        if cursor.peek().kind == TokenKind::Close {
            arguments.close = cursor.next();
            return Ok(arguments);
        }
        let mut positional = positional.iter();
        loop {
            let token = cursor.expect(TokenKind::Word, "an argument")?;
            if cursor.take(TokenKind::Equals) {
                let name = arguments.free_key(token, keyed)?;
                let value = cursor.expect(TokenKind::Word, "a value")?;
                arguments.given.push((name, value));
            } else {
                let name = positional.next().ok_or_else(|| token.refuse(keys(keyed, "`)`")))?;
                arguments.given.push((name, token));
            }
            let separator = cursor.next();
            match separator.kind {
                TokenKind::Comma => {}
                TokenKind::Close => {
                    arguments.close = separator;
                    return Ok(arguments);
                }
                _ => return Err(separator.refuse("`,` or `)`")),
            }
        }
    }

    fn free_key(
        &self,
        token: Token<'_>,
        keyed: &[&'static str],
    ) -> Result<&'static str, ParseError> {
        let known = keyed.iter().find(|key| **key == token.text);
        let name = known.ok_or_else(|| token.refuse(keys(keyed, "a value without a name")))?;
        if self.find(name).is_some() {
            return Err(token.refuse(format!("`{name}` only once")));
        }
        Ok(name)
    }

    fn find(&self, name: &str) -> Option<Token<'a>> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, token)| *token)
    }

    /// The argument, or the place where it is missed, which reads as no value at all.
    fn token(&self, name: &str) -> Token<'a> {
        self.find(name).unwrap_or(self.close)
    }

    pub(crate) fn whole(&self, name: &str) -> Result<u64, ParseError> {
        let token = self.token(name);
        number::whole(token.text).ok_or_else(|| match number::is_digits(token.text) {
            true => token.refuse(format!("a whole number up to {}", u64::MAX)),
            false => token.refuse(NUMBER),
        })
    }

    pub(crate) fn whole_u32(&self, name: &str) -> Result<u32, ParseError> {
        let token = self.token(name);
        match number::whole(token.text).map(u32::try_from) {
            Some(Ok(number)) => Ok(number),
            None if !number::is_digits(token.text) => Err(token.refuse(NUMBER)),
            _ => Err(token.refuse(format!("a whole number up to {}", u32::MAX))),
        }
    }

    pub(crate) fn ratio(&self, name: &str) -> Result<f64, ParseError> {
        let token = self.token(name);
        number::decimal(token.text).ok_or_else(|| token.refuse("a ratio from 0 to 1"))
    }

    pub(crate) fn number_or(&self, name: &str, default: f64) -> Result<f64, ParseError> {
        let Some(token) = self.find(name) else { return Ok(default) };
        number::decimal(token.text).ok_or_else(|| token.refuse("a number such as `0.2`"))
    }

    pub(crate) fn duration(&self, name: &str) -> Result<Duration, ParseError> {
        let token = self.token(name);
        duration::read(token.text).map_err(|expected| token.refuse(expected))
    }

    pub(crate) fn duration_or(
        &self,
        name: &str,
        default: Duration,
    ) -> Result<Duration, ParseError> {
        if self.find(name).is_some() { self.duration(name) } else { Ok(default) }
    }

    /// The error that an argument breaks a rule; a default that does is the fault of the first argument.
    pub(crate) fn refuse(&self, fault: Fault) -> ParseError {
        let first = self.given.first().map_or(self.close, |(_, token)| *token);
        self.find(fault.argument).unwrap_or(first).refuse(fault.rule.expected)
    }
}

/// "`max=`, `multiplier=` or `jitter=`", or `otherwise` where there are no keys.
fn keys(keyed: &[&str], otherwise: &str) -> String {
    match keyed {
        [] => otherwise.to_owned(),
        [only] => format!("`{only}=`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|key| format!("`{key}=`")).collect();
            format!("{} or `{last}=`", first.join(", "))
        }
    }
}
