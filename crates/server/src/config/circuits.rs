//! The policies of a circuit: those of `[defaults]`, with what an upstream says otherwise.

use std::time::Duration;

use fuseboard_core::policy::InvalidPolicy;
use fuseboard_core::text::format_duration;
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
    probe_timeout: Option<Duration>,
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
        let Draft { mut builder, mut cancelled_after, mut probe_timeout } = self;
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
            probe_timeout = Some(item.duration()?);
        }
        if let Some(item) = section.get("cancelled_after") {
            cancelled_after = Some(limit(&item)?);
        }
        Ok(Draft { builder, cancelled_after, probe_timeout })
    }

    /// The rules of calls that may take as long as `timeout`, if that is known. `section` is where an error is reported.
    pub(super) fn build(
        self,
        section: &Section<'_>,
        timeout: Option<Duration>,
    ) -> Result<Rules, ConfigError> {
        let rules = self.rules(timeout).map_err(|invalid| refuse(section, &invalid))?;
        match timeout.filter(|timeout| rules.probe_timeout() <= *timeout) {
            Some(timeout) => Err(refuse_probe_timeout(section, rules.probe_timeout(), timeout)),
            None => Ok(rules),
        }
    }

    fn rules(self, timeout: Option<Duration>) -> Result<Rules, InvalidPolicy> {
        let Draft { mut builder, cancelled_after, probe_timeout } = self;
        // A caller who leaves after half of it has waited long enough to say that it hangs.
        if let Some(duration) = cancelled_after.unwrap_or(timeout.map(|timeout| timeout / 2)) {
            builder = builder.cancelled_after(duration);
        }
        if let Some(duration) = probe_timeout.or(timeout.map(default_probe_timeout)) {
            builder = builder.probe_timeout(duration);
        }
        builder.build()
    }
}

/// A probe's lease has to outlast the call, or no probe that takes its time would ever close the circuit.
fn default_probe_timeout(timeout: Duration) -> Duration {
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
    timeout.saturating_add(Duration::from_secs(10)).clamp(least, most)
}

/// A lease that is too short is reported where the upstream says it, or else at the timeout that makes it so.
fn refuse_probe_timeout(section: &Section<'_>, lease: Duration, timeout: Duration) -> ConfigError {
    if let Some(item) = section.get("probe_timeout") {
        let timeout = format_duration(timeout);
        return item.refuse(&format!("expected more than timeout, which is {timeout}"));
    }
    let (lease, timeout) = (format_duration(lease), format_duration(timeout));
    match section.get("timeout") {
        Some(item) => item.refuse(&format!("expected less than probe_timeout, which is {lease}")),
        None => section.item().refuse_value(
            &format!("probe_timeout = {lease}"),
            &format!("expected more than timeout, which is {timeout}"),
        ),
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
pub(super) fn default_rules(timeout: Duration) -> Rules {
    Draft::default().rules(Some(timeout)).expect("the defaults pass the checks, as a test shows")
}
