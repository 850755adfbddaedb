//! The small values of a configuration, from text.

use std::net::Ipv6Addr;

use super::document::Item;
use super::{ConfigError, Endpoint};

/// What an endpoint looks like.
pub(super) const ENDPOINT: &str = "http://host:port";

/// Reads `http://host:port`; the port may be left out for 80.
///
/// # Errors
///
/// What would be right.
pub(super) fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http") => {}
        Some("https") => {
            return Err(format!("https upstreams are not supported yet: expected {ENDPOINT}"));
        }
        _ => return Err(format!("expected {ENDPOINT}")),
    }
    let rest = &text["http://".len()..];
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '@']) {
        return Err(format!("expected {ENDPOINT} without user, path, query or fragment"));
    }
    read_authority(authority).ok_or_else(|| format!("expected {ENDPOINT}"))
}

fn read_authority(text: &str) -> Option<Endpoint> {
    let (host, port, possible) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']')?;
            (host, port, host.parse::<Ipv6Addr>().is_ok())
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host, port, is_host(host))
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        None if port.is_empty() => 80,
        _ => return None,
    };
    (possible && port != 0).then(|| Endpoint { host: host.to_owned(), port })
}

/// Whether `text` can be a host's name or its IPv4 address.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(plain)
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// The host that `item` names, in lower case.
pub(super) fn host(item: &Item<'_>) -> Result<String, ConfigError> {
    const EXPECTED: &str = "a host without scheme and port, such as api.example.com";
    item.parsed(EXPECTED, |text| is_host(text).then(|| text.to_ascii_lowercase()))
}

/// Reads a number of bytes: `512B`, `64KiB`, `10MB`, or digits alone.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// The candidate that `word` was probably meant to be.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let rated = candidates.map(|candidate| (distance(word, candidate), candidate));
    rated.filter(|(distance, _)| *distance <= limit).min().map(|(_, candidate)| candidate)
}

/// How many characters must be added, removed or replaced to make `a` from `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
