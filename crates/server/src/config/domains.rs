//! The tables `[domains.x]`: how urgent the letters of a domain are, and how long they may take.

use std::time::Duration;

use fuseboard_services::domains::{Domain, Domains};
use fuseboard_store::Priority;

use super::ConfigError;
use super::document::{Item, Section};

const KEYS: &[&str] = &["priority", "sla", "max_retries"];

/// The domains; `sla` is for those that do not say.
pub(super) fn read(root: &Section<'_>, sla: Duration) -> Result<Domains, ConfigError> {
    let mut domains = Domains::new(sla);
    let Some(item) = root.get("domains") else { return Ok(domains) };
    for (name, item) in item.open_section()?.entries() {
        if domains.all().contains_key(&name.to_lowercase()) {
            let right = "expected a name that differs from the others in more than its case";
            return Err(item.refuse_value(name, right));
        }
        domains = domains.domain(name, domain(item)?);
    }
    Ok(domains)
}

fn domain(item: Item<'_>) -> Result<Domain, ConfigError> {
    let mut domain = Domain::default();
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
