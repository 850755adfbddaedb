//! From a key to a circuit's name that is safe to log, to print and to use as a label, whatever the key's text is.

use std::fmt::{self, Display, Write};

/// A key's text may be so many bytes long. A key with more gets no circuit of its own, so that a number of keys is also
/// an amount of memory.
pub(super) const LONGEST_TEXT: usize = 1024;
/// A name has at most so many characters between its brackets.
pub(super) const LONGEST_SHOWN: usize = 64;
/// So many of them remain where the rest is a digest: `~` and sixteen hexadecimal digits.
const SHOWN_BEFORE_DIGEST: usize = LONGEST_SHOWN - 17;

/// `parent[key]`; `None` if the key's text is too long, or cannot be written.
///
/// Letters and digits of any script and `-_.:/+,=` stay; every other character is written as `%` and the two hexadecimal
/// digits of each of its bytes in UTF-8, as in URLs. So no two short keys have one name, no name looks like
/// [`overflow`]'s, and no key smuggles in a line break, a quote, a `@` or a letter that turns the text around. What is too
/// long to show ends in a digest that is the same in every process; it tells keys apart for people, and identifies nothing.
pub(super) fn of(parent: &str, key: &(impl Display + ?Sized)) -> Option<String> {
    let mut name = Name::after(parent);
    write!(name, "{key}").ok()?;
    Some(name.finish())
}

/// The name of the circuit that keys without one of their own share.
pub(super) fn overflow(parent: &str) -> String {
    format!("{parent}[*]")
}

/// A name as long as names of keys get.
pub(super) fn longest(parent: &str) -> String {
    format!("{parent}[{}]", "x".repeat(LONGEST_SHOWN))
}

struct Name {
    text: String,
    /// How many characters are shown so far, the ones that did not fit included.
    shown: usize,
    /// Where to cut, if a digest must go in.
    cut: usize,
    bytes: usize,
    digest: u64,
}

impl Name {
    fn after(parent: &str) -> Self {
        let text = format!("{parent}[");
        // FNV-1a's offset basis.
        Name { cut: text.len(), text, shown: 0, bytes: 0, digest: 0xcbf2_9ce4_8422_2325 }
    }

    fn digest(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn show(&mut self, character: char) {
        let mut buffer = [0; 4];
        let plain = character.is_alphanumeric() || "-_.:/+,=".contains(character);
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        self.shown += if plain { 1 } else { 3 * bytes.len() };
        if self.shown > LONGEST_SHOWN {
            return;
        }
        match plain {
            true => self.text.push(character),
            false => bytes.iter().for_each(|byte| self.text.push_str(&format!("%{byte:02X}"))),
        }
        if self.shown <= SHOWN_BEFORE_DIGEST {
            self.cut = self.text.len();
        }
    }

    fn finish(mut self) -> String {
        if self.shown > LONGEST_SHOWN {
            self.text.truncate(self.cut);
            self.text.push_str(&format!("~{:016x}", self.digest));
        }
        self.text.push(']');
        self.text
    }
}

impl Write for Name {
    /// Fails as soon as the text is too long, so that a key of a megabyte costs no more than one of a kilobyte.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > LONGEST_TEXT {
            return Err(fmt::Error);
        }
        self.digest(text.as_bytes());
        text.chars().for_each(|character| self.show(character));
        Ok(())
    }
}
