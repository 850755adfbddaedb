//! Key material as people keep it: 32 bytes as text, in a file or an environment variable.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::error::Cause;

/// The length of a key, in bytes.
pub(super) const LENGTH: usize = 32;

/// 32 bytes that are overwritten when they are dropped.
pub(super) type Bytes = Zeroizing<[u8; LENGTH]>;

/// Why there is no key. No variant has any of the key in it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A name that no key can have.
    #[error("`{0}` is no name for a key: expected 1 to 64 letters, digits, `.`, `_` and `-`")]
    Name(String),
    /// Two keys of one keyring have the same name.
    #[error("two keys are called `{0}`: expected another name for each key")]
    Twice(String),
    /// The file cannot be read.
    #[error("the key file `{}` cannot be read: {source}; expected a file with one key in it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// There is no such environment variable, or it is no text.
    #[error("the environment variable `{0}` is not set, or no text: expected a key in it")]
    Variable(String),
    /// What was found is no key.
    #[error(
        "{found_in}: not a key: expected 32 random bytes as 64 hexadecimal digits or in base64, found {found}"
    )]
    Text {
        /// Where it was found.
        found_in: String,
        /// What it is instead, in numbers only.
        found: String,
    },
}

/// The key in a file.
pub(super) fn from_file(path: &Path) -> Result<Bytes, KeyError> {
    let text = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let source = std::sync::Arc::new(error);
        KeyError::File { path: path.to_owned(), source }
    })?;
    from_text(&text, || format!("the key file `{}`", path.display()))
}

/// The key in an environment variable.
pub(super) fn from_variable(name: &str) -> Result<Bytes, KeyError> {
    // An `=` or NUL in a name is no variable, and `var` would say the same.
    let text = std::env::var(name).map(Zeroizing::new);
    let text = text.map_err(|_| KeyError::Variable(name.to_owned()))?;
    from_text(text.as_bytes(), || format!("the environment variable `{name}`"))
}

fn from_text(text: &[u8], found_in: impl FnOnce() -> String) -> Result<Bytes, KeyError> {
    let text = text.trim_ascii();
    if let Some(bytes) = hexadecimal(text) {
        return Ok(bytes);
    }
    let found = match base64(text) {
        _ if text.is_empty() => "nothing".to_owned(),
        None => format!("{} bytes that are neither", text.len()),
        Some(bytes) => match <[u8; LENGTH]>::try_from(bytes.as_slice()) {
            Ok(bytes) => return Ok(Zeroizing::new(bytes)),
            Err(_) => format!("base64 of {} bytes", bytes.len()),
        },
    };
    Err(KeyError::Text { found_in: found_in(), found })
}

/// 64 digits. Any other number of them may still be base64.
fn hexadecimal(text: &[u8]) -> Option<Bytes> {
    if text.len() != 2 * LENGTH {
        return None;
    }
    let digit = |ascii: u8| char::from(ascii).to_digit(16);
    let mut bytes = Bytes::default();
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()?;
    }
    Some(bytes)
}

fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let padding = DecodePaddingMode::Indifferent;
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    GeneralPurpose::new(&STANDARD, config).decode(text).ok().map(Zeroizing::new)
}
