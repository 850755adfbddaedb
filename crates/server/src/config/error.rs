//! What is wrong with a configuration, and where.

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// Something in the file is wrong.
    #[error("{file}:{line}:{column}: {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, in characters, from 1.
        column: usize,
        /// The key, its value, and what would be right.
        problem: String,
    },
    /// An option of the command line is wrong.
    #[error("{option}: `{value}` is not possible: {expected}")]
    Option {
        /// The option, such as `--admin`.
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: String,
    },
}

impl ConfigError {
    pub(super) fn unreadable(file: &str, reason: String) -> Self {
        ConfigError::Unreadable { file: file.to_owned(), reason }
    }
}
