//! The section `[replay]`: what holds for the replay of all upstreams. That of one by itself is in its own table.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::text::format_duration;
use fuseboard_services::domains::Domains;
use fuseboard_services::replay::Limits;
use fuseboard_services::replay_service::{AdaptiveRules, ReplayConfig};

use super::document::{Item, Section};
use super::{ConfigError, Upstream};

const KEYS: &[&str] = &[
    "concurrency",
    "rate",
    "max_items",
    "adaptive",
    "priority",
    "delivery_timeout",
    "jobs_kept",
    "on_close",
    "on_close_max_items",
];
const ADAPTIVE_KEYS: &[&str] = &["enabled", "initial", "min", "max", "failure_threshold"];
const MOST_ITEMS: u64 = 100_000;
/// Beyond its timeout, a delivery takes as long again at most, for the body of the answer, and this.
const TO_COLLECT: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

/// What all circuits' continuous replay may do together, and how letters are replayed when somebody asks for it, or a circuit
/// closes.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSettings {
    /// How many letters of all upstreams the continuous replay has on their way at once, and how many a second it begins.
    /// Default 64, and no limit.
    pub limits: Limits,
    /// How many letters a batch takes that does not say. Default 100.
    pub max_items: usize,
    /// Whether the letters of a circuit are replayed as a job when it closes, beside the continuous replay. Default `false`.
    pub on_close: bool,
    /// How many letters such a job takes. Default 50.
    pub on_close_max_items: usize,
    /// Adaptive sizes, priority, how long a delivery may take, how many jobs are remembered. Its maps hold what domains and
    /// upstreams say.
    pub service: ReplayConfig,
}

impl Default for BatchSettings {
    fn default() -> Self {
        let (max_items, on_close_max_items) = (100, 50);
        let (limits, service) = (Limits::default(), ReplayConfig::default());
        BatchSettings { limits, max_items, on_close: false, on_close_max_items, service }
    }
}

impl BatchSettings {
    /// The defaults, with what domains and upstreams say.
    pub(super) fn of(domains: &Domains, upstreams: &BTreeMap<String, Upstream>) -> Self {
        let mut settings = BatchSettings::default();
        let service = &mut settings.service;
        service.domains = domains.clone();
        let failures = upstreams.values().filter(|upstream| !upstream.on_close.is_empty());
        let failures = failures.map(|upstream| (upstream.name.clone(), upstream.on_close.clone()));
        service.service_failure_type_map = failures.collect();
        let slowest = upstreams.values().map(|upstream| upstream.timeout).max().unwrap_or_default();
        let enough = (slowest.saturating_mul(2)).saturating_add(TO_COLLECT).min(HOUR);
        service.delivery_timeout = service.delivery_timeout.max(enough);
        settings
    }
}

pub(super) fn read(
    root: &Section<'_>,
    domains: &Domains,
    upstreams: &BTreeMap<String, Upstream>,
) -> Result<BatchSettings, ConfigError> {
    let mut settings = BatchSettings::of(domains, upstreams);
    let Some(item) = root.get("replay") else { return Ok(settings) };
    let section = item.section(KEYS)?;
    settings.limits = limits(&section)?;
    if let Some(item) = section.get("max_items") {
        settings.max_items = item.whole(1..=MOST_ITEMS)? as usize;
    }
    if let Some(item) = section.get("on_close") {
        settings.on_close = item.boolean()?;
    }
    if let Some(item) = section.get("on_close_max_items") {
        settings.on_close_max_items = item.whole(1..=MOST_ITEMS)? as usize;
    }
    let service = &mut settings.service;
    if let Some(item) = section.get("adaptive") {
        (service.adaptive_enabled, service.adaptive) = adaptive(item)?;
    }
    if let Some(item) = section.get("priority") {
        service.priority_enabled = item.boolean()?;
    }
    if let Some(item) = section.get("delivery_timeout") {
        service.delivery_timeout = delivery_timeout(&item, upstreams)?;
    }
    if let Some(item) = section.get("jobs_kept") {
        service.jobs_kept = item.whole(1..=10_000)? as usize;
    }
    Ok(settings)
}

/// What the continuous replay of all upstreams may do together.
fn limits(section: &Section<'_>) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    if let Some(item) = section.get("concurrency") {
        limits.concurrency = item.whole(1..=10_000)? as usize;
    }
    limits.rate = section.get("rate").map(|item| item.positive(1_000_000.0)).transpose()?;
    Ok(limits)
}

/// `true`, `false`, or a table with the bounds of the batch size.
fn adaptive(item: Item<'_>) -> Result<(bool, AdaptiveRules), ConfigError> {
    let mut rules = AdaptiveRules::default();
    if !item.is_table() {
        return Ok((item.boolean()?, rules));
    }
    let section = item.section(ADAPTIVE_KEYS)?;
    let enabled = section.get("enabled").map_or(Ok(true), |item| item.boolean())?;
    let sizes = [("initial", &mut rules.initial), ("min", &mut rules.min), ("max", &mut rules.max)];
    for (key, size) in sizes {
        if let Some(item) = section.get(key) {
            *size = item.whole(1..=MOST_ITEMS)? as usize;
        }
    }
    if let Some(item) = section.get("failure_threshold") {
        rules.failure_threshold = item.positive(1.0)?;
    }
    let config = ReplayConfig { adaptive: rules, ..ReplayConfig::default() };
    config.validate().map_err(|invalid| {
        let key = invalid.field().strip_prefix("adaptive.").unwrap_or(invalid.field());
        let said = [key, "min", "max", "initial"].into_iter().find_map(|key| section.get(key));
        let item = said.unwrap_or_else(|| section.item().clone());
        let right = format!("expected {key} to be {}", invalid.expected());
        item.refuse(&right)
    })?;
    Ok((enabled, rules))
}

/// A delivery that is given up before its upstream had time to answer would be done twice.
fn delivery_timeout(
    item: &Item<'_>,
    upstreams: &BTreeMap<String, Upstream>,
) -> Result<Duration, ConfigError> {
    let timeout = item.duration()?;
    if !(Duration::from_secs(1)..=HOUR).contains(&timeout) {
        return Err(item.refuse("expected a duration from 1s to 1h"));
    }
    match upstreams.values().find(|upstream| upstream.timeout >= timeout) {
        None => Ok(timeout),
        Some(upstream) => {
            let (name, slow) = (&upstream.name, format_duration(upstream.timeout));
            Err(item
                .refuse(&format!("expected more than upstreams.{name}.timeout, which is {slow}")))
        }
    }
}
