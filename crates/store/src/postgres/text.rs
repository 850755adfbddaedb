//! Any string as PostgreSQL text, which has no NUL: one character is written as two.

use std::borrow::Cow;

/// Starts an escape: itself, or NUL, follows as a digit. Chosen so that the order of strings stays what it was.
const ESCAPE: char = '\u{1}';

pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => escaped.push_str("\u{1}0"),
            ESCAPE => escaped.push_str("\u{1}1"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

pub(crate) fn unescape(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_string_survives_without_nul_and_in_order(
            a in "[\u{0}-\u{3}01x]{0,6}",
            b in "[\u{0}-\u{3}01x]{0,6}",
        ) {
            let (stored_a, stored_b) = (escape(&a).into_owned(), escape(&b).into_owned());
            prop_assert!(!stored_a.contains('\0'));
            prop_assert_eq!(stored_a.cmp(&stored_b), a.cmp(&b));
            prop_assert_eq!(unescape(stored_a), a);
        }
    }
}
