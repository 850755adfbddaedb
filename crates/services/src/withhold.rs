//! Headers that no letter may keep: named by their owner, left out when a letter is captured, given by hand when it is replayed.
//!
//! A letter remembers the names of what was withheld, as one more header that no message of HTTP can have. It is not replayed
//! without those headers by itself: it waits for a person from the start, and whoever claims it all the same settles it with
//! a refusal. By hand it is replayed with [`Given`] values, which are kept nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use fuseboard_core::Outcome;
use fuseboard_core::letter::Answer;
use fuseboard_store::Letter;

use crate::replay::Delivery;

/// Under this a letter keeps the names of its withheld headers. No header of HTTP can be called so.
const MARK: &str = "(withheld)";

/// What a letter keeps beside its headers, so that withholding the header would withhold nothing.
const KEPT_ANYWAY: [&str; 2] = ["content-type", "idempotency-key"];

/// Headers as letters keep them.
type Headers = Vec<(String, Vec<u8>)>;

/// The names of headers that must not be kept. By default none: a letter that lacks its credentials cannot be replayed by
/// itself, and nobody should find that out by surprise. (The gateway never keeps or sends on `Proxy-Authorization`; of
/// `Authorization` and `Cookie` it keeps a digest even if they are withheld, which tells one caller's keys from another's.)
///
/// Its text form is the names in lower case, in order, with commas between them.
///
/// ```
/// use fuseboard_services::withhold::HeaderRules;
///
/// let rules: HeaderRules = "Cookie, authorization".parse()?;
/// assert_eq!(rules.to_string(), "authorization, cookie");
///
/// let mut headers = vec![("Authorization".to_owned(), b"Bearer abc".to_vec())];
/// assert_eq!(rules.withhold(&mut headers), ["authorization"]);
/// assert_eq!(headers, [("(withheld)".to_owned(), b"authorization".to_vec())]);
/// # Ok::<(), fuseboard_services::withhold::NotAHeader>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    names: BTreeSet<String>,
}

/// A name that no withheld header can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAHeader {
    /// It is no name of a header.
    #[error("`{0}` is no header: expected a name such as authorization")]
    Name(String),
    /// A letter has it in any case.
    #[error(
        "`{0}` is kept with every letter: expected another header than content-type and idempotency-key"
    )]
    KeptAnyway(String),
}

impl FromStr for HeaderRules {
    type Err = NotAHeader;

    fn from_str(text: &str) -> Result<Self, NotAHeader> {
        let mut rules = HeaderRules::default();
        for name in text.split(',').filter(|_| !text.trim().is_empty()) {
            rules.add(name.trim())?;
        }
        Ok(rules)
    }
}

impl fmt::Display for HeaderRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

impl HeaderRules {
    /// One more header that must not be kept, whatever its case.
    ///
    /// # Errors
    ///
    /// [`NotAHeader`], and the rules are as they were.
    pub fn add(&mut self, name: &str) -> Result<(), NotAHeader> {
        let lower = name.to_ascii_lowercase();
        if !is_token(&lower) {
            return Err(NotAHeader::Name(name.to_owned()));
        }
        if KEPT_ANYWAY.contains(&lower.as_str()) {
            return Err(NotAHeader::KeptAnyway(name.to_owned()));
        }
        self.names.insert(lower);
        Ok(())
    }

    /// Whether nothing is withheld.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Takes those headers away that must not be kept, and has the rest remember their names. Returns the names, in order;
    /// empty if there were none.
    pub fn withhold(&self, headers: &mut Headers) -> Vec<String> {
        let mut found = BTreeSet::new();
        headers.retain(|(name, _)| {
            let lower = name.to_ascii_lowercase();
            let keep = !self.names.contains(&lower);
            if !keep {
                found.insert(lower);
            }
            keep
        });
        let names: Vec<_> = found.into_iter().collect();
        if !names.is_empty() {
            headers.push((MARK.to_owned(), names.join(", ").into_bytes()));
        }
        names
    }
}

/// The characters of a header's name (RFC 9110, 5.6.2).
fn is_token(name: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(of_token)
}

/// The names of the headers that were withheld from a letter, in order.
pub fn withheld(letter: &Letter) -> Vec<String> {
    let marks = letter.headers.iter().filter(|(name, _)| name == MARK);
    let names = marks.flat_map(|(_, names)| names.split(|byte| *byte == b','));
    names.map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned()).collect()
}

/// Why a letter without these headers waits for a person.
pub fn reason(names: &[String]) -> String {
    format!("withheld: {}; it can be replayed by hand, with their values", names.join(", "))
}

/// What comes of delivering a letter from which headers were withheld: it waits for a person, and that says nothing about the
/// other side. `None` if nothing was withheld.
pub(crate) fn refusal(letter: &Letter) -> Option<Delivery> {
    let names = withheld(letter);
    (!names.is_empty()).then(|| Delivery {
        answer: Answer::Never,
        outcome: Outcome::Ignored,
        failure: None,
        stored: None,
        note: reason(&names),
    })
}

/// Values for withheld headers, given by whoever replays a letter by hand. They are kept nowhere, and `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Given {
    values: BTreeMap<String, Option<Vec<u8>>>,
}

impl Given {
    /// Nothing yet.
    pub fn new() -> Self {
        Given::default()
    }

    /// The same with this value for `name`, whatever its case.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.values.insert(name.to_ascii_lowercase(), Some(value.into()));
        self
    }

    /// The same, saying that the letter may go without `name`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.values.insert(name.to_ascii_lowercase(), None);
        self
    }

    /// What is wrong with these values for a letter that lacks `names`: each is to be given, or said to be left out, and
    /// nothing else, because a letter is replayed as it came.
    pub(crate) fn misfit(&self, names: &[String]) -> Option<String> {
        let lacking: Vec<_> =
            names.iter().filter(|name| !self.values.contains_key(*name)).cloned().collect();
        if !lacking.is_empty() {
            return Some(format!("no value for {}", lacking.join(", ")));
        }
        let beyond: Vec<_> =
            self.values.keys().filter(|name| !names.contains(name)).cloned().collect();
        (!beyond.is_empty()).then(|| format!("not withheld: {}", beyond.join(", ")))
    }

    /// Puts the values into a letter that lacks them.
    pub(crate) fn complete(&self, letter: &mut Letter) {
        letter.headers.retain(|(name, _)| name != MARK);
        let values = self.values.iter();
        let given = values.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        letter.headers.extend(given);
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
