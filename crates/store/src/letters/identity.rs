//! What a letter is called: a number inside, a token outside.

use std::fmt;
use std::str::FromStr;

/// A letter's number in its store. Numbers grow and are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(pub i64);

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no [`LetterId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a letter's number: expected decimal digits")]
pub struct ParseLetterIdError(String);

impl FromStr for LetterId {
    type Err = ParseLetterIdError;

    fn from_str(text: &str) -> Result<Self, ParseLetterIdError> {
        text.parse().map(LetterId).map_err(|_| ParseLetterIdError(text.to_owned()))
    }
}

/// The address of a letter's page: 128 random bits, because whoever knows it may read the letter's answer.
///
/// Its text form is 32 lower-case hexadecimal digits. `Debug` shows only the first four, since logs are read by many.
///
/// ```
/// use fuseboard_store::Token;
///
/// let token = Token::random();
/// assert_eq!(token.to_string().parse(), Ok(token));
/// assert!("DEADBEEF".parse::<Token>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 16]);

impl Token {
    /// The token with these bytes. [`Token::random`] makes new ones.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Token(bytes)
    }

    /// The token's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// A text that is no [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a letter's token: expected 32 lower-case hexadecimal digits")]
pub struct ParseTokenError;

impl FromStr for Token {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        if text.len() != 32 {
            return Err(ParseTokenError);
        }
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        }
        Ok(Token(bytes))
    }
}

fn digit(ascii: u8) -> Result<u8, ParseTokenError> {
    match ascii {
        b'0'..=b'9' => Ok(ascii - b'0'),
        b'a'..=b'f' => Ok(ascii - b'a' + 10),
        _ => Err(ParseTokenError),
    }
}
