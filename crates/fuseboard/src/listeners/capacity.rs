//! A queue that could hold nothing, or more than it may, is refused.

use std::error::Error;
use std::fmt;

/// A capacity with which a listener cannot work: zero, or more than it can have.
///
/// ```
/// use fuseboard::Elsewhere;
///
/// let refused = Elsewhere::new(|_: &str, _: &fuseboard::Transition| {}, 0).unwrap_err();
/// assert_eq!(refused.to_string(), "capacity is 0; it must be at least 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCapacity {
    capacity: usize,
    most: usize,
}

impl InvalidCapacity {
    pub(super) fn check(capacity: usize, most: usize) -> Result<(), Self> {
        if (1..=most).contains(&capacity) {
            Ok(())
        } else {
            Err(InvalidCapacity { capacity, most })
        }
    }
}

impl fmt::Display for InvalidCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capacity is {}; it must be ", self.capacity)?;
        match self.most {
            usize::MAX => f.write_str("at least 1"),
            most => write!(f, "from 1 to {most}"),
        }
    }
}

impl Error for InvalidCapacity {}
