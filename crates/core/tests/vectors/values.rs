//! From the texts of the files to the values of the engine, and back to what can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::machine::Pinnable;
use fuseboard_core::policy::{Kind, Seen};
use fuseboard_core::text::parse_duration;
use fuseboard_core::{Rules, Totals, metrics};

use crate::schema::{self, Verb};

/// The letters of `2SF`, each as often as the number before it says.
pub(crate) fn spelled_out(outcomes: &str) -> Result<Vec<char>, String> {
    let (mut letters, mut times) = (Vec::new(), String::new());
    for letter in outcomes.chars() {
        if letter.is_ascii_digit() {
            times.push(letter);
            continue;
        }
        let count = if times.is_empty() { 1 } else { times.parse().map_err(said)? };
        letters.extend(std::iter::repeat_n(letter, count));
        times.clear();
    }
    Ok(letters)
}

pub(crate) fn what(seen: &str) -> Result<Seen<'static>, String> {
    Ok(match seen {
        "value" => Seen::value(&()),
        "error" => Seen::error(&()),
        "rejection" => Seen::rejection(&()),
        "connect" => Seen::kind(Kind::Connect),
        "timeout" => Seen::kind(Kind::Timeout),
        "reset" => Seen::kind(Kind::Reset),
        status => {
            Seen::status(status.parse().map_err(|_| format!("`{status}` is nothing to see"))?)
        }
    })
}

pub(crate) fn pinnable(verb: Verb) -> Pinnable {
    match verb {
        Verb::ForceOpen => Pinnable::ForcedOpen,
        Verb::ForceClosed => Pinnable::ForcedClosed,
        Verb::MetricsOnly => Pinnable::MetricsOnly,
        _ => Pinnable::Disabled,
    }
}

pub(crate) fn rules(texts: &schema::Rules) -> Result<Rules, String> {
    let mut rules = Rules::builder();
    if let Some(text) = &texts.window {
        rules = rules.window(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.failure {
        rules = rules.tracker(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.ignore {
        rules = rules.ignoring(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.trip {
        rules = rules.tripper(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.retry {
        rules = rules.retry(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.permit {
        rules = rules.permit(text.parse().map_err(said)?);
    }
    if let Some(slots) = texts.slots {
        rules = rules.slots(slots);
    }
    if let Some(text) = &texts.recovery {
        rules = rules.recovery(text.parse().map_err(said)?);
    }
    if let Some(text) = &texts.probe_timeout {
        rules = rules.probe_timeout(duration(text)?);
    }
    if let Some(text) = &texts.cancelled_after {
        rules = rules.cancelled_after(duration(text)?);
    }
    rules.build().map_err(said)
}

pub(crate) fn said(error: impl ToString) -> String {
    error.to_string()
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| format!("`{text}`: {error}"))
}

pub(crate) fn read(text: &Option<String>) -> Result<Option<Duration>, String> {
    text.as_deref().map(duration).transpose()
}

pub(crate) fn nested(text: &Option<Option<String>>) -> Result<Option<Option<Duration>>, String> {
    text.as_ref().map(read).transpose()
}

/// What is measured, in numbers that can be compared.
#[derive(Debug, PartialEq)]
pub(crate) struct Measured {
    total: u64,
    failures: u64,
    streak: u64,
    duration: Duration,
    slow: BTreeMap<Duration, u64>,
    hanging: BTreeMap<Duration, u64>,
}

impl Measured {
    pub(crate) fn found(held: &metrics::Metrics) -> Self {
        let above_zero =
            |tally: &metrics::Tally| tally.iter().filter(|(_, count)| *count > 0).collect();
        Measured {
            total: held.total,
            failures: held.failures,
            streak: held.streak,
            duration: held.total_duration,
            slow: above_zero(&held.slow),
            hanging: above_zero(&held.hanging),
        }
    }

    pub(crate) fn expected(metrics: &schema::Metrics) -> Result<Self, String> {
        let read = |counts: &BTreeMap<String, u64>| {
            let counts = counts.iter().map(|(text, count)| Ok((duration(text)?, *count)));
            counts.collect::<Result<_, String>>()
        };
        let schema::Metrics { total, failures, streak, duration: text, slow, hanging } = metrics;
        Ok(Measured {
            total: *total,
            failures: *failures,
            streak: *streak,
            duration: if text.is_empty() { Duration::ZERO } else { duration(text)? },
            slow: read(slow)?,
            hanging: read(hanging)?,
        })
    }
}

pub(crate) fn counted(totals: &Totals) -> schema::Totals {
    let Totals { success, failure, ignored, cancelled, rejected, stale } = *totals;
    schema::Totals { success, failure, ignored, cancelled, rejected, stale }
}
