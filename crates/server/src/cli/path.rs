//! Paths of the admin API, with what people typed in them.

use std::fmt::{Display, Write};

/// A path that grows by parts of a query.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: String,
    has_query: bool,
}

impl Path {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Path { text: text.into(), has_query: false }
    }

    /// Adds `name=value`, if there is a value.
    #[must_use]
    pub(super) fn with<T: Display>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            let separator = if self.has_query { '&' } else { '?' };
            let value = segment(&value.to_string());
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{separator}{name}={value}");
            self.has_query = true;
        }
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Text as a segment of a path, or a value in a query.
pub(super) fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}
