//! The section `[letters]`.

use std::time::Duration;

use fuseboard_core::letter::Rules;
use fuseboard_core::policy::Retry;

use super::document::Section;
use super::{ConfigError, LetterSettings};

const KEYS: &[&str] =
    &["capacity", "max_bytes", "retention", "max_attempts", "max_crashes", "retry"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for LetterSettings {
    fn default() -> Self {
        LetterSettings {
            capacity: 1_000_000,
            max_bytes: None,
            retention: 7 * DAY,
            rules: Rules::default(),
        }
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<LetterSettings, ConfigError> {
    let mut letters = LetterSettings::default();
    let Some(item) = root.get("letters") else { return Ok(letters) };
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("capacity") {
        letters.capacity = item.whole(1..=1_000_000_000)?;
    }
    if let Some(item) = section.get("max_bytes") {
        // An empty database with its journal takes about this much.
        letters.max_bytes = Some(item.size(1 << 20..=1 << 50)?);
    }
    if let Some(item) = section.get("retention") {
        letters.retention = item.duration()?;
    }
    letters.rules = rules(&section)?;
    Ok(letters)
}

fn rules(section: &Section<'_>) -> Result<Rules, ConfigError> {
    let mut rules = Rules::default();
    if let Some(item) = section.get("max_attempts") {
        rules.max_attempts = item.whole(1..=1_000_000)? as u32;
    }
    if let Some(item) = section.get("max_crashes") {
        rules.max_crashes = item.whole(1..=1_000_000)? as u32;
    }
    if let Some(item) = section.get("retry") {
        let retry: Retry = item.policy("a retry such as backoff(1s, max=5m, jitter=0.2)")?;
        retry
            .validate()
            .map_err(|invalid| item.refuse_value(invalid.value(), invalid.expected()))?;
        rules.retry = retry;
    }
    Ok(rules)
}
