//! The keys that letters are sealed with: one for new letters, and older ones that still open.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::material::{self, Bytes, KeyError, LENGTH};

/// A key by name. Its material is never shown, and is overwritten when it is dropped.
///
/// What is given is used for nothing but to derive three keys, by HMAC-SHA-256: one that seals, one for fingerprints, one
/// to know the key again by.
#[derive(Clone)]
pub struct SealingKey {
    id: String,
    pub(super) seals: Bytes,
    prints: Bytes,
    is_known_by: Bytes,
}

impl SealingKey {
    /// The key `id` with these bytes, which must be random: a key that was made from a password can be guessed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] unless `id` has 1 to 64 ASCII letters, digits, `.`, `_` and `-`.
    ///
    /// ```
    /// use fuseboard_store::SealingKey;
    ///
    /// let key = SealingKey::new("2026-11", [7; 32])?;
    /// assert_eq!(format!("{key:?}"), "SealingKey(2026-11)");
    /// # Ok::<(), fuseboard_store::KeyError>(())
    /// ```
    pub fn new(id: &str, material: [u8; 32]) -> Result<Self, KeyError> {
        SealingKey::of(id, &Zeroizing::new(material))
    }

    /// The key `id`, from a file that holds 32 bytes as 64 hexadecimal digits or in base64; space around them is ignored.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the file and what would be right, never what was in it.
    pub fn from_file(id: &str, path: impl AsRef<Path>) -> Result<Self, KeyError> {
        SealingKey::of(id, &material::from_file(path.as_ref())?)
    }

    /// The key `id`, from an environment variable that holds it as [`SealingKey::from_file`] says.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the variable and what would be right, never what was in it.
    pub fn from_variable(id: &str, variable: &str) -> Result<Self, KeyError> {
        SealingKey::of(id, &material::from_variable(variable)?)
    }

    fn of(id: &str, material: &Bytes) -> Result<Self, KeyError> {
        if !SealingKey::may_be_called(id) {
            return Err(KeyError::Name(id.to_owned()));
        }
        let derive = |what: &[u8]| code(material, [&b"fuseboard letters, version 1, "[..], what]);
        Ok(SealingKey {
            id: id.to_owned(),
            seals: derive(b"sealing"),
            prints: derive(b"fingerprints"),
            is_known_by: derive(b"recognition"),
        })
    }

    /// Whether a key can have this name: 1 to 64 ASCII letters, digits, `.`, `_` and `-`.
    pub fn may_be_called(id: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=64).contains(&id.len()) && id.bytes().all(plain)
    }

    /// Its name, which stands beside all that it sealed.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What stands for these parts where two are compared: tells nothing of them to who does not have the key.
    pub(super) fn fingerprint(&self, parts: &[&[u8]]) -> Vec<u8> {
        let lengths: Vec<_> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let parts = lengths.iter().zip(parts).flat_map(|(length, part)| [&length[..], *part]);
        code(&self.prints, parts).to_vec()
    }

    /// By what the key is known again, in hexadecimal digits. It says nothing of the key.
    pub(super) fn mark(&self) -> String {
        self.is_known_by[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

fn code<'a>(key: &Bytes, parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut code = <Hmac<Sha256> as KeyInit>::new_from_slice(&key[..])
        .expect("HMAC takes a key of any length");
    parts.into_iter().for_each(|part| code.update(part));
    let mut bytes = [0; LENGTH];
    bytes.copy_from_slice(&code.finalize().into_bytes());
    Zeroizing::new(bytes)
}

/// The keys of a store: one that seals new letters, if any, and older ones that open what they sealed.
///
/// To change keys, make the new one current and keep the old one among the older ones until no letter of it is left.
///
/// ```
/// use fuseboard_store::{Keyring, SealingKey};
///
/// let keys = Keyring::new(SealingKey::new("2026-11", [7; 32])?)
///     .with_older(SealingKey::new("2026-10", [6; 32])?)?;
/// assert_eq!(keys.current().map(SealingKey::id), Some("2026-11"));
/// # Ok::<(), fuseboard_store::KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    current: Option<SealingKey>,
    older: Vec<SealingKey>,
}

impl Keyring {
    /// New letters are sealed with `current`.
    pub fn new(current: SealingKey) -> Self {
        Keyring { current: Some(current), older: Vec::new() }
    }

    /// New letters are kept in clear. Without older keys, sealed ones cannot be opened, but are still told from those in
    /// clear, so that nobody takes them for what they are not.
    pub fn none() -> Self {
        Keyring::default()
    }

    /// The same with one more key that opens.
    ///
    /// # Errors
    ///
    /// [`KeyError::Twice`] if a key of that name is here.
    pub fn with_older(mut self, key: SealingKey) -> Result<Self, KeyError> {
        if self.find(key.id()).is_some() {
            return Err(KeyError::Twice(key.id));
        }
        self.older.push(key);
        Ok(self)
    }

    /// The key that new letters are sealed with.
    pub fn current(&self) -> Option<&SealingKey> {
        self.current.as_ref()
    }

    /// All keys, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        self.current.iter().chain(&self.older)
    }

    pub(super) fn find(&self, id: &str) -> Option<&SealingKey> {
        self.keys().find(|key| key.id == id)
    }
}
