//! Randomness from the operating system: the only file that draws it.

use crate::letters::Token;

impl Token {
    /// A token that nobody can guess: 128 bits from the operating system.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give, which no supported system does after it has booted. A token
    /// that can be guessed would open other people's letters, so there is nothing to fall back on.
    pub fn random() -> Self {
        Token::from_bytes(bytes())
    }
}

/// Bytes that nobody can guess and that do not repeat. Panics as [`Token::random`] does.
pub(crate) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("a booted operating system gives random bytes");
    bytes
}
