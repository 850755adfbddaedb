//! The shape of a file of vectors. What it does not know, it refuses.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[expect(dead_code, reason = "for people")]
    about: String,
    pub(crate) vectors: Vec<Vector>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    /// The state and the event of the table that this is about, as in `open: attempt`.
    pub(crate) cell: Option<String>,
    #[serde(default)]
    pub(crate) rules: Rules,
    #[serde(default = "half")]
    pub(crate) draw: f64,
    /// What went before; nothing is expected of it but that its attempts are admitted.
    #[serde(default)]
    pub(crate) given: Vec<Step>,
    pub(crate) steps: Vec<Step>,
}

fn half() -> f64 {
    0.5
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    pub(crate) window: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) ignore: Option<String>,
    pub(crate) trip: Option<String>,
    pub(crate) retry: Option<String>,
    pub(crate) permit: Option<String>,
    pub(crate) slots: Option<u32>,
    pub(crate) recovery: Option<String>,
    pub(crate) probe_timeout: Option<String>,
    pub(crate) cancelled_after: Option<String>,
}

impl Rules {
    /// The texts of the policies.
    pub(crate) fn values(&self) -> Vec<String> {
        let Rules { window, failure, ignore, trip, retry, permit, recovery, .. } = self;
        let all = [window, failure, ignore, trip, retry, permit, recovery];
        all.into_iter().flatten().cloned().collect()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) at: Option<String>,
    pub(crate) draw: Option<f64>,
    #[serde(rename = "do")]
    pub(crate) verb: Verb,
    pub(crate) ticket: Option<String>,
    pub(crate) outcomes: Option<String>,
    pub(crate) seen: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) took: Option<String>,
    #[serde(rename = "for")]
    pub(crate) lasting: Option<String>,
    pub(crate) expect: Option<Expect>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    Attempt,
    Success,
    Failure,
    Ignored,
    Cancelled,
    Panic,
    Tick,
    ForceOpen,
    ForceClosed,
    MetricsOnly,
    Disable,
    Auto,
    Reset,
    Calls,
    Judged,
}

impl Verb {
    pub(crate) const ALL: [Verb; 15] = [
        Verb::Attempt,
        Verb::Success,
        Verb::Failure,
        Verb::Ignored,
        Verb::Cancelled,
        Verb::Panic,
        Verb::Tick,
        Verb::ForceOpen,
        Verb::ForceClosed,
        Verb::MetricsOnly,
        Verb::Disable,
        Verb::Auto,
        Verb::Reset,
        Verb::Calls,
        Verb::Judged,
    ];

    /// Whether it is one event, and not a shorthand for several.
    pub(crate) fn is_event(self) -> bool {
        !matches!(self, Verb::Calls | Verb::Judged)
    }

    pub(crate) fn ends_a_call(self) -> bool {
        matches!(
            self,
            Verb::Success | Verb::Failure | Verb::Ignored | Verb::Cancelled | Verb::Panic
        )
    }

    pub(crate) fn pins(self) -> bool {
        matches!(self, Verb::ForceOpen | Verb::ForceClosed | Verb::MetricsOnly | Verb::Disable)
    }
}

impl fmt::Display for Verb {
    /// The word for it in the files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}");
        for (index, letter) in name.char_indices() {
            if letter.is_uppercase() && index > 0 {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// What is to be seen after a step. Only `told` has a meaning if it is left out: nothing was told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) admitted: Option<bool>,
    pub(crate) rejected: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) reopens: Option<u32>,
    pub(crate) lasted: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) retry_after: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) pin_remaining: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) trip: Option<Option<Trip>>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) in_flight: Option<u64>,
    pub(crate) totals: Option<Totals>,
    #[serde(default)]
    pub(crate) told: Vec<Told>,
}

/// Tells `null` from a key that is not there.
fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trip {
    pub(crate) cause: String,
    pub(crate) at: String,
    pub(crate) metrics: Option<Metrics>,
}

/// All that is measured: what is left out is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    pub(crate) total: u64,
    pub(crate) failures: u64,
    pub(crate) streak: u64,
    pub(crate) duration: String,
    pub(crate) slow: BTreeMap<String, u64>,
    pub(crate) hanging: BTreeMap<String, u64>,
}

/// All that was counted since the beginning: what is left out is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Totals {
    pub(crate) success: u64,
    pub(crate) failure: u64,
    pub(crate) ignored: u64,
    pub(crate) cancelled: u64,
    pub(crate) rejected: u64,
    pub(crate) stale: u64,
}

/// What a listener is told: in short, or with more of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Told {
    Short(String),
    Long(Transition),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transition {
    /// As in short: `closed -> open: tripped`.
    pub(crate) transition: String,
    pub(crate) at: Option<String>,
    pub(crate) reopens: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) retry_after: Option<Option<String>>,
    pub(crate) metrics: Option<Metrics>,
}
