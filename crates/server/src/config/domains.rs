//! The tables `[domains.x]`: how urgent the letters of a domain are, and how long they may take.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_store::Priority;

use super::ConfigError;
use super::document::{Item, Section};

const KEYS: &[&str] = &["priority", "sla", "max_retries"];

/// What holds for the letters of one domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainSettings {
    /// How urgent they are. Default normal.
    pub priority: Priority,
    /// How long after its capture a letter is late. Default: what `letters.sla` says.
    pub sla: Option<Duration>,
    /// After how many replays by hand that reached the other side a letter waits for a person. Default: what
    /// `letters.max_attempts` says.
    pub max_retries: Option<u32>,
}

pub(super) fn read(root: &Section<'_>) -> Result<BTreeMap<String, DomainSettings>, ConfigError> {
    let Some(item) = root.get("domains") else { return Ok(BTreeMap::new()) };
    let entries = item.open_section()?.entries();
    entries.into_iter().map(|(name, item)| Ok((name.to_owned(), domain(item)?))).collect()
}

fn domain(item: Item<'_>) -> Result<DomainSettings, ConfigError> {
    let mut domain = DomainSettings::default();
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("priority") {
        domain.priority = priority(&item)?;
    }
    if let Some(item) = section.get("sla") {
        domain.sla = Some(item.duration()?);
    }
    if let Some(item) = section.get("max_retries") {
        domain.max_retries = Some(item.whole(1..=1_000_000)? as u32);
    }
    Ok(domain)
}

/// The priority that `item` names.
pub(super) fn priority(item: &Item<'_>) -> Result<Priority, ConfigError> {
    item.parsed("critical, normal or low", |text| text.parse().ok())
}
