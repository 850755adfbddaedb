//! How urgent a letter is.

use std::fmt;
use std::str::FromStr;

/// How urgent a letter is: it has its domain's priority, until somebody raises it. The most urgent is the smallest.
///
/// ```
/// use fuseboard_store::Priority;
///
/// assert!(Priority::Critical < Priority::Low);
/// assert_eq!("normal".parse(), Ok(Priority::Normal));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    Critical,
    /// Neither. The default.
    #[default]
    Normal,
    /// After all others.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::Critical, Priority::Normal, Priority::Low];

    /// The word for it in APIs, files and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Priority::Critical => "critical",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// Its place in [`Priority::ALL`], which is how databases keep it, because they can sort by it.
    pub const fn rank(self) -> u8 {
        match self {
            Priority::Critical => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        }
    }

    /// The priority with this rank.
    pub fn from_rank(rank: u8) -> Option<Self> {
        Priority::ALL.get(usize::from(rank)).copied()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`Priority`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a priority: expected critical, normal or low")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(text: &str) -> Result<Self, UnknownPriority> {
        let found = Priority::ALL.into_iter().find(|priority| priority.as_str() == text);
        found.ok_or_else(|| UnknownPriority(text.to_owned()))
    }
}
