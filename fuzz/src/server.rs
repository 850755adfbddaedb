//! The forms of the server: its configuration, and the names of letters.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use fuseboard_server::config::{Config, ConfigError, Endpoint, Overrides};
use fuseboard_store::{LetterId, Token};

/// Configuration is read only; its error names a place in the file.
pub(crate) fn config(text: &str) {
    match Config::parse(text, "fuseboard.toml") {
        Ok(_) => {}
        Err(ConfigError::Invalid { line, column, .. }) => {
            // What follows the last line break is a line, too, though an empty one.
            let there = text.split('\n').nth(line - 1);
            let length = there.map(|there| there.chars().count());
            assert!(
                length.is_some_and(|length| (1..=length + 1).contains(&column)),
                "{text:?}: {line}:{column}"
            );
        }
        Err(other) => panic!("{text:?}: {other}"),
    }
}

/// An upstream's address.
pub(crate) fn endpoint(text: &str) {
    let read = |text: &str| -> Option<Endpoint> {
        let config = Config::for_upstream(text, &Overrides::default()).ok()?;
        Some(config.upstreams["upstream"].endpoints[0].clone())
    };
    let Some(endpoint) = read(text) else { return };
    let printed = endpoint.to_string();
    assert_eq!(read(&printed), Some(endpoint), "{text:?} is printed as {printed:?}");
}

/// A letter's number and its token.
pub(crate) fn letter(text: &str) {
    reads_back::<LetterId>(text);
    if reads_back::<Token>(text) {
        assert_eq!(text.len(), 32, "{text:?}");
    }
}

fn reads_back<T: FromStr<Err: Debug> + Display + Debug + PartialEq>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    let printed = value.to_string();
    assert_eq!(
        printed.parse::<T>().as_ref().ok(),
        Some(&value),
        "{text:?} is printed as {printed:?}"
    );
    true
}
