//! The section `[letters]`.

use std::time::Duration;

use fuseboard_core::letter::Rules;
use fuseboard_core::policy::Retry;
use fuseboard_services::withhold::{HeaderRules, NotAHeader};
use fuseboard_store::Priority;

use super::document::{Item, Section};
use super::{ConfigError, Encryption, LetterSettings, LetterStore, encryption};

const KEYS: &[&str] = &[
    "capacity",
    "max_bytes",
    "retention",
    "audit_retention",
    "audit_queue",
    "sla",
    "raise_late",
    "max_attempts",
    "max_crashes",
    "retry",
    "encryption",
    "withhold_headers",
];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for LetterSettings {
    fn default() -> Self {
        LetterSettings {
            capacity: Some(1_000_000),
            max_bytes: None,
            retention: 7 * DAY,
            audit_retention: 90 * DAY,
            audit_queue: 1024,
            sla: DAY,
            raise_late: None,
            rules: Rules::default(),
            encryption: Encryption::default(),
            withhold: HeaderRules::default(),
        }
    }
}

pub(super) fn read(root: &Section<'_>, store: &LetterStore) -> Result<LetterSettings, ConfigError> {
    let mut letters = LetterSettings::default();
    letters.capacity = letters.capacity.filter(|_| !store.is_shared());
    let Some(item) = root.get("letters") else { return Ok(letters) };
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("capacity") {
        letters.capacity = Some(item.whole(1..=1_000_000_000)?);
    }
    if let Some(item) = section.get("max_bytes") {
        // An empty database with its journal takes about this much.
        letters.max_bytes = Some(item.size(1 << 20..=1 << 50)?);
        if store.is_shared() {
            return Err(
                item.refuse("expected none for letters in PostgreSQL, which limits its own size")
            );
        }
    }
    if let Some(item) = section.get("retention") {
        letters.retention = item.duration()?;
    }
    if let Some(item) = section.get("audit_retention") {
        letters.audit_retention = item.duration()?;
    }
    if let Some(item) = section.get("audit_queue") {
        letters.audit_queue = item.whole(1..=1_000_000)? as usize;
    }
    if let Some(item) = section.get("sla") {
        letters.sla = item.duration()?;
    }
    if let Some(item) = section.get("raise_late") {
        letters.raise_late = Some(raise_late(&item)?);
    }
    letters.rules = rules(&section)?;
    letters.encryption = encryption::read(&section)?;
    if let Some(item) = section.get("withhold_headers") {
        letters.withhold = headers(&item)?;
    }
    Ok(letters)
}

/// Nothing is less urgent than `low`, so that nothing could be raised to it.
fn raise_late(item: &Item<'_>) -> Result<Priority, ConfigError> {
    let raised = |text: &str| text.parse().ok().filter(|priority| *priority < Priority::Low);
    item.parsed("critical or normal, or no raise_late at all", raised)
}

fn headers(item: &Item<'_>) -> Result<HeaderRules, ConfigError> {
    let mut rules = HeaderRules::default();
    for item in item.list("a list such as [\"authorization\"]")? {
        let name = item.text("the name of a header")?;
        rules.add(name).map_err(|wrong| match wrong {
            NotAHeader::Name(_) => item.refuse("expected the name of a header"),
            NotAHeader::KeptAnyway(_) => item.refuse(
                "expected another header than content-type and idempotency-key, which every letter keeps",
            ),
        })?;
    }
    Ok(rules)
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
