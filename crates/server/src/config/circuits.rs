//! The policies of a circuit: those of `[defaults]`, with what an upstream says otherwise.

use std::time::Duration;

use fuseboard_core::policy::InvalidPolicy;
use fuseboard_core::{Rules, RulesBuilder};

use super::ConfigError;
use super::document::{Item, Section};

/// The keys of a circuit, in `[defaults]` and in each upstream.
pub(super) const KEYS: [&str; 8] =
    ["window", "trip", "retry", "permit", "slots", "recovery", "probe_timeout", "cancelled_after"];

/// Policies that are not all said yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    builder: RulesBuilder,
    /// After which time a cancelled call is a failure: not said, never, or this.
    cancelled_after: Option<Option<Duration>>,
}

impl Draft {
    /// The policies of `[defaults]`, which must be possible by themselves.
    pub(super) fn defaults(root: &Section<'_>) -> Result<Self, ConfigError> {
        let Some(item) = root.get("defaults") else { return Ok(Draft::default()) };
        let section = item.section(&KEYS)?;
        let draft = Draft::default().with(&section)?;
        draft.clone().build(&section, None)?;
        Ok(draft)
    }

    /// The same with what `section` says.
    pub(super) fn with(self, section: &Section<'_>) -> Result<Self, ConfigError> {
        let Draft { mut builder, mut cancelled_after } = self;
        if let Some(item) = section.get("window") {
            builder = builder.window(item.policy("a window such as count(100) or time(60s)")?);
        }
        if let Some(item) = section.get("trip") {
            builder = builder.tripper(item.policy("a tripper such as failure_streak(5)")?);
        }
        if let Some(item) = section.get("retry") {
            builder = builder.retry(item.policy("a retry such as backoff(10s, max=5m)")?);
        }
        if let Some(item) = section.get("permit") {
            builder = builder.permit(item.policy("a permit such as all or random(0.5)")?);
        }
        if let Some(item) = section.get("slots") {
            builder = builder.slots(item.whole(1..=10_000)? as u32);
        }
        if let Some(item) = section.get("recovery") {
            builder = builder.recovery(item.policy("a recovery such as successes(3)")?);
        }
        if let Some(item) = section.get("probe_timeout") {
            builder = builder.probe_timeout(item.duration()?);
        }
        if let Some(item) = section.get("cancelled_after") {
            cancelled_after = Some(limit(&item)?);
        }
        Ok(Draft { builder, cancelled_after })
    }

    /// The rules. `section` is where an error is reported; `cancelled_after` counts where nothing else was said.
    pub(super) fn build(
        self,
        section: &Section<'_>,
        cancelled_after: Option<Duration>,
    ) -> Result<Rules, ConfigError> {
        let built = self.rules(cancelled_after);
        built.map_err(|invalid| refuse(section, &invalid))
    }

    fn rules(self, cancelled_after: Option<Duration>) -> Result<Rules, InvalidPolicy> {
        let builder = match self.cancelled_after.unwrap_or(cancelled_after) {
            Some(duration) => self.builder.cancelled_after(duration),
            None => self.builder,
        };
        builder.build()
    }
}

fn limit(item: &Item<'_>) -> Result<Option<Duration>, ConfigError> {
    match item.text("a duration such as 5s, or never")? {
        "never" => Ok(None),
        _ => item.duration().map(Some),
    }
}

/// Policies that do not go together are reported at the one that `section` says; what it does not say was all right.
fn refuse(section: &Section<'_>, invalid: &InvalidPolicy) -> ConfigError {
    let (field, value, right) = (invalid.field(), invalid.value(), invalid.expected());
    if let Some(item) = section.get(field) {
        return item.refuse_value(value, right);
    }
    let said = KEYS.iter().find_map(|key| section.get(key));
    let item = said.unwrap_or_else(|| section.item().clone());
    item.refuse(&format!("with {field} `{value}`, {right}"))
}

/// The rules of an upstream of which nothing was said.
pub(super) fn default_rules(cancelled_after: Duration) -> Rules {
    Draft::default()
        .rules(Some(cancelled_after))
        .expect("the defaults pass the checks, as a test shows")
}
