//! The section `[governance]`, and the error budgets of upstreams.

use std::time::Duration;

use fuseboard_core::text::parse_duration;
use fuseboard_services::governance::Slo;

use super::ConfigError;
use super::document::{Item, Section};

const KEYS: &[&str] = &["refresh", "patience", "slo"];
const SLO_KEYS: &[&str] = &["objective", "window", "burn_window", "min_calls"];
/// What an error budget looks like.
const SLO: &str =
    "an objective such as \"0.999 over 30d\" or { objective = 0.999, window = \"30d\" }";

/// How the gate that every replay passes learns what it goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GovernanceSettings {
    /// How old what is known of kill switch, emergency level and error budgets may be before it is read again, 1 ms to 1 h.
    /// Default 1 s.
    pub refresh: Duration,
    /// How long the store may take to answer before the last known values are used, 1 ms to 1 h. Default 1 s.
    pub patience: Duration,
    /// The objective of every upstream that has none of its own. Default: none, that is, no error budget.
    pub slo: Option<Slo>,
}

impl Default for GovernanceSettings {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        GovernanceSettings { refresh: second, patience: second, slo: None }
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<GovernanceSettings, ConfigError> {
    let mut governance = GovernanceSettings::default();
    let Some(item) = root.get("governance") else { return Ok(governance) };
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("refresh") {
        governance.refresh = up_to_an_hour(&item)?;
    }
    if let Some(item) = section.get("patience") {
        governance.patience = up_to_an_hour(&item)?;
    }
    governance.slo = section.get("slo").map(slo).transpose()?;
    Ok(governance)
}

fn up_to_an_hour(item: &Item<'_>) -> Result<Duration, ConfigError> {
    let duration = item.duration()?;
    let possible = Duration::from_millis(1)..=Duration::from_secs(3600);
    match possible.contains(&duration) {
        true => Ok(duration),
        false => Err(item.refuse("expected a duration from 1ms to 1h")),
    }
}

/// The error budget that `item` names: its objective and window in a text, or all of it in a table.
pub(super) fn slo(item: Item<'_>) -> Result<Slo, ConfigError> {
    if item.is_table() {
        return slo_table(item);
    }
    let slo: Slo = item.parsed(SLO, parse_slo)?;
    slo.validate().map_err(|invalid| item.refuse(&format!("expected {}", invalid.expected())))?;
    Ok(slo)
}

fn parse_slo(text: &str) -> Option<Slo> {
    let (objective, window) = text.split_once(" over ")?;
    let objective = objective.trim().parse().ok()?;
    let window = parse_duration(window.trim()).ok()?;
    Some(within(Slo { objective, window, ..Slo::default() }))
}

/// A window that is shorter than the usual burn window has a burn window as long as itself.
fn within(slo: Slo) -> Slo {
    Slo { burn_window: slo.burn_window.min(slo.window), ..slo }
}

fn slo_table(item: Item<'_>) -> Result<Slo, ConfigError> {
    let section = item.section(SLO_KEYS)?;
    let objective = section.need("objective", "a ratio from 0.000001 to 0.999999")?;
    let mut slo = Slo { objective: objective.positive(1.0)?, ..Slo::default() };
    if let Some(item) = section.get("window") {
        slo = within(Slo { window: item.duration()?, ..slo });
    }
    if let Some(item) = section.get("burn_window") {
        slo.burn_window = item.duration()?;
    }
    if let Some(item) = section.get("min_calls") {
        slo.min_calls = item.whole(1..=1_000_000_000)?;
    }
    slo.validate().map_err(|invalid| {
        let said = section.get(invalid.field());
        let item = said.unwrap_or_else(|| section.item().clone());
        item.refuse_value(invalid.value(), &format!("expected {}", invalid.expected()))
    })?;
    Ok(slo)
}
