//! What processes tell each other of an error budget, through a setting.

use std::fmt;
use std::str::FromStr;

use fuseboard_core::time::WallTime;

use crate::circuits::Invalid;

/// What a setting says of a circuit's budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// A process saw more failures than the objective allows: this share of the budget. It would be restored at that time if
    /// no more calls came.
    Spent { share: f64, until: WallTime },
    /// The process that saw it sees it no more.
    Recovered,
    /// Somebody has it begin anew.
    Reset,
}

impl Mark {
    /// The share that is spent, if that still holds.
    pub(super) fn spent_at(self, now: WallTime) -> Option<f64> {
        match self {
            Mark::Spent { share, until } if until > now => Some(share),
            _ => None,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Spent { share, until } => {
                write!(f, "spent {share:.2} until {}", until.as_unix_millis())
            }
            Mark::Recovered => f.write_str("recovered"),
            Mark::Reset => f.write_str("reset"),
        }
    }
}

impl FromStr for Mark {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("error_budget", text, "spent, recovered or reset");
        match text.split(' ').collect::<Vec<_>>()[..] {
            ["recovered"] => Ok(Mark::Recovered),
            ["reset"] => Ok(Mark::Reset),
            ["spent", share, "until", until] => {
                let share = share.parse().map_err(|_| invalid())?;
                let until = until.parse().map_err(|_| invalid())?;
                Ok(Mark::Spent { share, until: WallTime::from_unix_millis(until) })
            }
            _ => Err(invalid()),
        }
    }
}
