//! How a rule's tests are written: rows of path, text, and the lines where the rule objects.

use super::Violation;
use super::source::Source;

pub(crate) type Row<'a> = (&'a str, &'a str, &'a [usize]);

/// Asserts that the rule objects to exactly the lines that each row names.
pub(crate) fn assert_rows(rule: fn(&Source) -> Vec<Violation>, rows: &[Row<'_>]) {
    for (path, text, expected) in rows {
        let mut found = rule(&Source::new((*path).to_owned(), (*text).to_owned()));
        found.sort();
        let lines: Vec<usize> = found.iter().map(|violation| violation.line).collect();
        assert_eq!(lines, *expected, "{path}\n{text}\n{found:?}");
        assert!(found.iter().all(|violation| violation.path == *path));
    }
}
