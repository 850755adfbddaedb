//! The section `[circuits]`: what operators order for a while.

use std::time::Duration;

use super::ConfigError;
use super::document::Section;

const KEYS: &[&str] = &["pin_for", "override_for"];

/// How long something holds that an operator orders without saying for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// A pin. Default 90 minutes.
    pub pin_for: Duration,
    /// Other policies than the configured ones. Default 90 minutes.
    pub override_for: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        let usual = Duration::from_secs(90 * 60);
        CircuitSettings { pin_for: usual, override_for: usual }
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<CircuitSettings, ConfigError> {
    let mut settings = CircuitSettings::default();
    let Some(item) = root.get("circuits") else { return Ok(settings) };
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("pin_for") {
        settings.pin_for = item.duration()?;
    }
    if let Some(item) = section.get("override_for") {
        settings.override_for = item.duration()?;
    }
    Ok(settings)
}
