//! The emergency level: how badly things stand, as people decided it.

use std::fmt;
use std::str::FromStr;

use crate::circuits::Invalid;

/// How badly things stand. From level 2 on nothing is replayed: what is left of the capacity belongs to live calls.
///
/// ```
/// use fuseboard_services::governance::EmergencyLevel;
///
/// assert_eq!("2".parse(), Ok(EmergencyLevel::Level2));
/// assert!(EmergencyLevel::Level2.blocks() && !EmergencyLevel::Level1.blocks());
/// let error = "4".parse::<EmergencyLevel>().unwrap_err();
/// assert_eq!(error.to_string(), "emergency_level: `4` is not possible: normal, 1, 2 or 3");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EmergencyLevel {
    /// No emergency.
    #[default]
    Normal,
    /// People are watching; nothing is blocked.
    Level1,
    /// Replay is blocked.
    Level2,
    /// Replay is blocked.
    Level3,
}

impl EmergencyLevel {
    /// The word for it in settings, records and metrics: `normal`, `1`, `2` or `3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            EmergencyLevel::Normal => "normal",
            EmergencyLevel::Level1 => "1",
            EmergencyLevel::Level2 => "2",
            EmergencyLevel::Level3 => "3",
        }
    }

    /// Whether replay is blocked on this level.
    pub const fn blocks(self) -> bool {
        matches!(self, EmergencyLevel::Level2 | EmergencyLevel::Level3)
    }
}

impl fmt::Display for EmergencyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EmergencyLevel {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "normal" => Ok(EmergencyLevel::Normal),
            "1" => Ok(EmergencyLevel::Level1),
            "2" => Ok(EmergencyLevel::Level2),
            "3" => Ok(EmergencyLevel::Level3),
            _ => Err(Invalid::new("emergency_level", text, "normal, 1, 2 or 3")),
        }
    }
}
