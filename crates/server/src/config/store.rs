//! The section `[store]`: where the letters are, if not in the folder `server.data`.

use std::fmt;

use super::ConfigError;
use super::document::{Item, Section};

const KEYS: &[&str] = &["letters", "letters_env"];
pub(crate) const URL: &str = "a URL such as postgres://user:password@host:5432/database";

/// Where the letters are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LetterStore {
    /// In an SQLite database of this server's own, in the folder `server.data`.
    #[default]
    Embedded,
    /// In PostgreSQL, where any number of servers share them.
    Postgres(DatabaseUrl),
    /// The same, at the URL that an environment variable holds. It is read when the server starts.
    Variable(String),
}

impl LetterStore {
    /// Whether any number of servers share the letters.
    pub fn is_shared(&self) -> bool {
        *self != LetterStore::Embedded
    }

    /// The key that says so.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            LetterStore::Embedded => "server.data",
            LetterStore::Postgres(_) => "store.letters",
            LetterStore::Variable(_) => "store.letters_env",
        }
    }
}

/// The URL of a database. What is shown of it has neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// `text`, if it may be the URL of a PostgreSQL database; whether it is one says the server's start.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let rest =
            text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        // A password with a `?` in it would end where the options begin, and its first part be taken for a host.
        let password_ends = rest.split_once('?').is_none_or(|(_, options)| !options.contains('@'));
        let url = DatabaseUrl(text.to_owned());
        (password_ends && !url.place().is_empty()).then_some(url)
    }

    /// All of it.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// Hosts and database. Options may have a password, too.
    fn place(&self) -> &str {
        let base = self.0.split('?').next().unwrap_or_default();
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        rest.rsplit('@').next().unwrap_or_default()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", self.place())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<LetterStore, ConfigError> {
    let Some(item) = root.get("store") else { return Ok(LetterStore::default()) };
    let section = item.section(KEYS)?;
    match (section.get("letters"), section.get("letters_env")) {
        (Some(_), Some(variable)) => {
            Err(variable.refuse("expected letters or letters_env, not both"))
        }
        (Some(item), None) => letters(&item),
        (None, Some(variable)) => Ok(LetterStore::Variable(variable.variable()?)),
        (None, None) => Ok(LetterStore::default()),
    }
}

fn letters(item: &Item<'_>) -> Result<LetterStore, ConfigError> {
    let text = item.text("sqlite, or a URL").ok();
    if text == Some("sqlite") {
        return Ok(LetterStore::Embedded);
    }
    // Whatever else it is, a password may be in it.
    let url = text.and_then(DatabaseUrl::new).map(LetterStore::Postgres);
    url.ok_or_else(|| item.refuse_secret(&format!("expected sqlite, or {URL}")))
}
