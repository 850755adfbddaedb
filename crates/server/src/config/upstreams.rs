//! The tables `[upstreams.x]`.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::CircuitBreaker;

use super::circuits::{self, Draft};
use super::document::{Item, Section};
use super::values::{ENDPOINT, parse_endpoint};
use super::{ConfigError, Endpoint, ReplaySettings, Upstream};

const KEYS: [&str; 4] = ["endpoints", "timeout", "connect_timeout", "replay"];
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn read(root: &Section<'_>) -> Result<BTreeMap<String, Upstream>, ConfigError> {
    const EXPECTED: &str = "at least one table such as [upstreams.payments]";
    let defaults = Draft::defaults(root)?;
    let section = root.need("upstreams", EXPECTED)?.open_section()?;
    let mut upstreams = BTreeMap::new();
    for (name, item) in section.entries() {
        upstreams.insert(name.to_owned(), upstream(name, item, &defaults)?);
    }
    match upstreams.is_empty() {
        true => Err(section.item().refuse(&format!("expected {EXPECTED}"))),
        false => Ok(upstreams),
    }
}

fn upstream(name: &str, item: Item<'_>, defaults: &Draft) -> Result<Upstream, ConfigError> {
    if let Err(error) = CircuitBreaker::builder(name).build() {
        let message = error.to_string();
        let right = message.split_once("is not possible: ").map_or(&*message, |(_, right)| right);
        return Err(item.refuse_value(name, right));
    }
    let keys = [KEYS.as_slice(), circuits::KEYS.as_slice()].concat();
    let section = item.section(&keys)?;
    let endpoints = endpoints(&section)?;
    let timeout = section.get("timeout").map_or(Ok(TIMEOUT), |item| item.duration())?;
    let connect_timeout = connect_timeout(&section, timeout)?;
    let rules = defaults.clone().with(&section)?.build(&section, Some(timeout))?;
    let replay = replay(&section)?;
    let name = name.to_owned();
    Ok(Upstream { name, endpoints, timeout, connect_timeout, rules, replay })
}

fn endpoints(section: &Section<'_>) -> Result<Vec<Endpoint>, ConfigError> {
    let expected = format!("a list such as [\"{ENDPOINT}\"]");
    let items = section.need("endpoints", &expected)?.list(&expected)?;
    let endpoint = |item: Item<'_>| {
        let text = item.text(ENDPOINT)?;
        parse_endpoint(text).map_err(|right| item.refuse(&right))
    };
    items.into_iter().map(endpoint).collect()
}

fn connect_timeout(section: &Section<'_>, timeout: Duration) -> Result<Duration, ConfigError> {
    let Some(item) = section.get("connect_timeout") else {
        return Ok(CONNECT_TIMEOUT.min(timeout));
    };
    let connect_timeout = item.duration()?;
    if connect_timeout > timeout {
        let timeout = fuseboard_core::text::format_duration(timeout);
        return Err(item.refuse(&format!("expected at most timeout, which is {timeout}")));
    }
    Ok(connect_timeout)
}

fn replay(section: &Section<'_>) -> Result<ReplaySettings, ConfigError> {
    let mut replay = ReplaySettings::default();
    let Some(item) = section.get("replay") else { return Ok(replay) };
    let section = item.section(&["concurrency", "rate"])?;
    if let Some(item) = section.get("concurrency") {
        replay.concurrency = item.whole(1..=1_000)? as usize;
    }
    if let Some(item) = section.get("rate") {
        replay.rate = item.positive(1_000_000.0)?;
    }
    Ok(replay)
}
