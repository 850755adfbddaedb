//! A TOML document in which everything knows where it stands and what it is called.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use fuseboard_core::text::{ParseError, parse_duration};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::values::{nearest, parse_size};

/// How much of a value an error quotes, in characters.
const QUOTED: usize = 60;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Source { file, text }
    }

    pub(super) fn read(&self) -> Result<Spanned<DeValue<'a>>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.error(offset, format!("not TOML: {}", error.message()))
        })?;
        Ok(Spanned::new(table.span(), DeValue::Table(table.into_inner())))
    }

    fn error(&self, offset: usize, problem: String) -> ConfigError {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Invalid {
            file: self.file.to_owned(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            problem,
        }
    }
}

/// A value with its place and its name.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    source: &'a Source<'a>,
    path: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

/// A table whose keys are all known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    item: Item<'a>,
    table: &'a DeTable<'a>,
}

impl<'a> Item<'a> {
    /// The document itself.
    pub(super) fn root(source: &'a Source<'a>, document: &'a Spanned<DeValue<'a>>) -> Self {
        Item { source, path: String::new(), span: 0..0, value: document.get_ref() }
    }

    fn child(&self, path: String, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { source: self.source, path, span: value.span(), value: value.get_ref() }
    }

    /// The line it stands on, from 1.
    pub(super) fn line(&self) -> usize {
        1 + self.source.text[..self.source.text.floor_char_boundary(self.span.start)]
            .matches('\n')
            .count()
    }

    /// An error here: the value is not possible, because of what `right` says would be right.
    pub(super) fn refuse(&self, right: &str) -> ConfigError {
        self.refuse_value(&self.quoted(), right)
    }

    /// As [`Item::refuse`], of a value that is not the whole of it.
    pub(super) fn refuse_value(&self, value: &str, right: &str) -> ConfigError {
        let path = &self.path;
        let problem = format!("{path}: `{value}` is not possible: {right}");
        self.source.error(self.span.start, problem)
    }

    /// An error here, about a value that nobody may read.
    pub(super) fn refuse_secret(&self, right: &str) -> ConfigError {
        self.source.error(self.span.start, format!("{}: not possible: {right}", self.path))
    }

    fn quoted(&self) -> String {
        let whole = match self.value {
            DeValue::String(text) => text,
            _ => self.source.text.get(self.span.clone()).unwrap_or_default(),
        };
        let line: String = whole.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match line.char_indices().nth(QUOTED) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// The text that it is.
    pub(super) fn text(&self, expected: &str) -> Result<&'a str, ConfigError> {
        let value = self.value;
        value.as_str().ok_or_else(|| self.refuse(&format!("expected {expected}")))
    }

    /// What `read` makes of its text.
    pub(super) fn parsed<T>(
        &self,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = read(self.text(expected)?);
        value.ok_or_else(|| self.refuse(&format!("expected {expected}")))
    }

    /// A policy; an error points into the text.
    pub(super) fn policy<T: FromStr<Err = ParseError>>(
        &self,
        expected: &str,
    ) -> Result<T, ConfigError> {
        let text = self.text(expected)?;
        text.parse().map_err(|error: ParseError| {
            let (expected, found) = (error.expected(), error.found());
            let value = self.quoted();
            let problem = format!(
                "{}: `{value}` is not possible: expected {expected}, found {found}",
                self.path
            );
            self.source.error(self.offset_in(text, error.column()), problem)
        })
    }

    /// Where the character number `column` of this string stands in the file. With escapes in it, the string's start.
    fn offset_in(&self, text: &str, column: usize) -> usize {
        let raw = self.source.text.get(self.span.clone()).unwrap_or_default();
        let Some(start) = raw.find(text) else { return self.span.start };
        let within = text.char_indices().nth(column - 1).map_or(text.len(), |(at, _)| at);
        self.span.start + start + within
    }

    /// A duration above zero.
    pub(super) fn duration(&self) -> Result<Duration, ConfigError> {
        const EXPECTED: &str = "a duration such as 250ms, 10s, 5m or 1h";
        let duration = self.parsed(EXPECTED, |text| parse_duration(text).ok())?;
        match duration.is_zero() {
            true => Err(self.refuse("expected a duration above zero")),
            false => Ok(duration),
        }
    }

    /// A number of bytes within `range`.
    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        const EXPECTED: &str = "a size in bytes such as 65536, 64KiB, 1MiB or 10MB";
        let size = match self.value {
            DeValue::String(text) => parse_size(text),
            _ => self.integer(),
        };
        let size = size.ok_or_else(|| self.refuse(&format!("expected {EXPECTED}")))?;
        self.within(size, range, "a size in bytes")
    }

    /// A whole number within `range`.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("expected a whole number from {least} to {most}");
        let number = self.integer().ok_or_else(|| self.refuse(&expected))?;
        self.within(number, range, "a whole number")
    }

    fn integer(&self) -> Option<u64> {
        let integer = self.value.as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    fn within(
        &self,
        number: u64,
        range: RangeInclusive<u64>,
        what: &str,
    ) -> Result<u64, ConfigError> {
        if range.contains(&number) {
            return Ok(number);
        }
        let (least, most) = (range.start(), range.end());
        Err(self.refuse(&format!("expected {what} from {least} to {most}")))
    }

    /// A number above zero, with or without decimals, up to `most`.
    pub(super) fn positive(&self, most: f64) -> Result<f64, ConfigError> {
        let number = match self.value {
            DeValue::Integer(_) => self.integer().map(|number| number as f64),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        let possible = number.filter(|number| *number > 0.0 && *number <= most);
        possible.ok_or_else(|| self.refuse(&format!("expected a number above 0, up to {most}")))
    }

    /// The name of an environment variable that holds a secret.
    pub(super) fn variable(&self) -> Result<String, ConfigError> {
        const EXPECTED: &str = "the name of an environment variable";
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let possible = |text: &&str| (1..40).contains(&text.len()) && text.bytes().all(plain);
        let name = self.text(EXPECTED).ok().filter(possible);
        let right = format!("expected {EXPECTED}, of up to 39 letters, digits and `_`");
        // Whoever puts the secret itself here must not find it in a log.
        name.map(ToOwned::to_owned).ok_or_else(|| self.refuse_secret(&right))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.refuse("expected true or false"))
    }

    /// The elements of a list that is not empty.
    pub(super) fn list(&self, expected: &str) -> Result<Vec<Item<'a>>, ConfigError> {
        let elements = match self.value {
            DeValue::Array(elements) if !elements.is_empty() => elements,
            _ => return Err(self.refuse(&format!("expected {expected}"))),
        };
        let named = elements.iter().enumerate();
        Ok(named.map(|(at, value)| self.child(format!("{}[{at}]", self.path), value)).collect())
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The table that it is, with these keys and no others.
    pub(super) fn section(self, keys: &[&str]) -> Result<Section<'a>, ConfigError> {
        let section = self.open_section()?;
        let unknown = section.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(section),
            Some(key) => Err(section.unknown_key(key, keys)),
        }
    }

    /// The table that it is, with keys of the user's own.
    pub(super) fn open_section(self) -> Result<Section<'a>, ConfigError> {
        match self.value {
            DeValue::Table(table) => Ok(Section { item: self, table }),
            _ => Err(self.refuse(&format!("expected a table: [{}]", self.path))),
        }
    }
}

impl<'a> Section<'a> {
    /// The table as a value.
    pub(super) fn item(&self) -> &Item<'a> {
        &self.item
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(self.item.child(self.path_of(key), value))
    }

    /// The value of `key`, or an error that says what it should be.
    pub(super) fn need(&self, key: &str, expected: &str) -> Result<Item<'a>, ConfigError> {
        self.get(key).ok_or_else(|| {
            let problem = format!("{}: missing: expected {expected}", self.path_of(key));
            self.item.source.error(self.item.span.start, problem)
        })
    }

    /// Every key with its value, in the order of the file. Each value stands where its key does, for it is a table.
    pub(super) fn entries(&self) -> Vec<(&'a str, Item<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let named = entries.into_iter().map(|(key, value)| {
            let name = key.get_ref().as_ref();
            (name, Item { span: key.span(), ..self.item.child(self.path_of(name), value) })
        });
        named.collect()
    }

    fn path_of(&self, key: &str) -> String {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let plain = !key.is_empty() && key.chars().all(bare);
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        match self.item.path.as_str() {
            "" => key,
            path => format!("{path}.{key}"),
        }
    }

    fn unknown_key(&self, key: &Spanned<std::borrow::Cow<'_, str>>, keys: &[&str]) -> ConfigError {
        let name = key.get_ref();
        let meant = nearest(name, keys.iter().copied());
        let hint = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
        let problem = format!(
            "{}: there is no such key: {hint}expected {}",
            self.path_of(name),
            keys.join(", ")
        );
        self.item.source.error(key.span().start, problem)
    }
}
