//! The tables `[upstreams.x]`.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_core::CircuitBreaker;
use fuseboard_services::capture::Undone;
use fuseboard_services::domains::Domains;

use super::circuits::{self, Draft};
use super::document::{Item, Section};
use super::governance::slo;
use super::values::{ENDPOINT, nearest, parse_endpoint};
use super::{ConfigError, Endpoint, ReplaySettings, Upstream};

const KEYS: [&str; 6] = ["endpoints", "timeout", "connect_timeout", "replay", "domain", "slo"];
/// Why a call becomes a letter, as letters name it.
const FAILURES: [Undone; 5] =
    [Undone::Rejected, Undone::Connect, Undone::Timeout, Undone::Reset, Undone::Failure];
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn read(
    root: &Section<'_>,
    domains: &Domains,
) -> Result<BTreeMap<String, Upstream>, ConfigError> {
    const EXPECTED: &str = "at least one table such as [upstreams.payments]";
    let defaults = Draft::defaults(root)?;
    let section = root.need("upstreams", EXPECTED)?.open_section()?;
    let mut upstreams = BTreeMap::new();
    for (name, item) in section.entries() {
        upstreams.insert(name.to_owned(), upstream(name, item, &defaults, domains)?);
    }
    match upstreams.is_empty() {
        true => Err(section.item().refuse(&format!("expected {EXPECTED}"))),
        false => Ok(upstreams),
    }
}

fn upstream(
    name: &str,
    item: Item<'_>,
    defaults: &Draft,
    domains: &Domains,
) -> Result<Upstream, ConfigError> {
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
    let (replay, on_close) = replay(&section)?;
    let domain = match section.get("domain") {
        Some(item) => domain(&item, domains)?,
        None => name.to_owned(),
    };
    let slo = section.get("slo").map(slo).transpose()?;
    let name = name.to_owned();
    Ok(Upstream { name, endpoints, timeout, connect_timeout, rules, replay, on_close, domain, slo })
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

/// How letters are replayed, and which are when the circuit closes.
fn replay(section: &Section<'_>) -> Result<(ReplaySettings, Vec<String>), ConfigError> {
    let (mut replay, mut on_close) = (ReplaySettings::default(), Vec::new());
    let Some(item) = section.get("replay") else { return Ok((replay, on_close)) };
    let section = item.section(&["concurrency", "rate", "canary", "beside_live", "on_close"])?;
    if let Some(item) = section.get("concurrency") {
        replay.concurrency = item.whole(1..=1_000)? as usize;
    }
    if let Some(item) = section.get("rate") {
        replay.rate = item.positive(1_000_000.0)?;
    }
    if let Some(item) = section.get("canary") {
        replay.caution.canary = item.whole(0..=1_000)? as u32;
    }
    if let Some(item) = section.get("beside_live") {
        replay.caution.beside_live = item.whole(0..=1_000)? as usize;
    }
    if let Some(item) = section.get("on_close") {
        let items =
            item.list("a list such as [\"rejected\", \"timeout\"], or no on_close for all")?;
        on_close = items.iter().map(failure).collect::<Result<_, _>>()?;
    }
    Ok((replay, on_close))
}

fn failure(item: &Item<'_>) -> Result<String, ConfigError> {
    let names = FAILURES.map(Undone::as_str);
    let expected = format!("one of {}", names.join(", "));
    item.parsed(&expected, |text| names.contains(&text).then(|| text.to_owned()))
}

fn domain(item: &Item<'_>, domains: &Domains) -> Result<String, ConfigError> {
    let name = item.text("the name of a domain")?;
    if domains.all().contains_key(&name.to_lowercase()) {
        return Ok(name.to_owned());
    }
    let meant = nearest(name, domains.all().keys().map(String::as_str));
    let hint = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
    let names: Vec<&str> = domains.all().keys().map(String::as_str).collect();
    Err(item.refuse(&match names.is_empty() {
        true => format!("expected a table [domains.{name}], which may be empty"),
        false => format!("{hint}expected one of the domains: {}", names.join(", ")),
    }))
}
