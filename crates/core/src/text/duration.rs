//! Durations in text: `250ms`, `10s`, `1m30s`.

use std::fmt;
use std::time::Duration;

use super::number::is_digits;
use super::{Cursor, ParseError};

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// The units, largest first, with their nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400 * NANOS_PER_SEC),
    ("h", 3_600 * NANOS_PER_SEC),
    ("m", 60 * NANOS_PER_SEC),
    ("s", NANOS_PER_SEC),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const TOO_LONG: &str = "a duration that is not too long";

/// Reads a duration: numbers with the units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, largest unit first, each at most once.
/// A number may have decimals if the nanoseconds come out even.
///
/// ```
/// use fuseboard_core::text::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(parse_duration("10").is_err());
/// ```
///
/// # Errors
///
/// Anything else, and more than a [`Duration`] holds (584 billion years).
pub fn parse_duration(text: &str) -> Result<Duration, ParseError> {
    Cursor::read_all(text, |cursor| {
        let token = cursor.next();
        read(token.text).map_err(|expected| token.refuse(expected))
    })
}

/// The duration that `text` is, or else what was expected.
pub(super) fn read(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a duration such as `10s`";
    let (mut rest, mut nanos, mut larger) = (text, 0u128, UNITS.as_slice());
    if text.is_empty() {
        return Err(EXPECTED);
    }
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_where(after, |c| !c.is_ascii_alphabetic());
        let at = larger.iter().position(|(name, _)| *name == unit);
        let at = at.ok_or_else(|| match UNITS.iter().any(|(name, _)| *name == unit) {
            true => "a duration with its largest unit first, such as `1m30s`",
            false => EXPECTED,
        })?;
        let part = scaled(number, larger[at].1).ok_or(EXPECTED)??;
        nanos = nanos.checked_add(part).ok_or(TOO_LONG)?;
        (rest, larger) = (after, &larger[at + 1..]);
    }
    let secs = u64::try_from(nanos / NANOS_PER_SEC).map_err(|_| TOO_LONG)?;
    // A remainder of 1e9 always fits.
    Ok(Duration::new(secs, (nanos % NANOS_PER_SEC) as u32))
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// `number` times `unit`, in nanoseconds. `None` if it is no number, an error if it is not even or too large.
fn scaled(number: &str, unit: u128) -> Option<Result<u128, &'static str>> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    if !is_digits(whole) {
        return None;
    }
    let Some(nanos) = whole.parse().ok().and_then(|whole: u128| whole.checked_mul(unit)) else {
        return Some(Err(TOO_LONG));
    };
    let part =
        fraction_of(fraction.trim_end_matches('0'), unit).ok_or("a duration in whole nanoseconds");
    Some(part.and_then(|part| nanos.checked_add(part).ok_or(TOO_LONG)))
}

/// The nanoseconds of `0.{fraction}` units, if they come out even.
fn fraction_of(fraction: &str, unit: u128) -> Option<u128> {
    // The units are at most 2^16 * 5^11 * 27, so that more than 16 decimals cannot come out even.
    if fraction.is_empty() {
        return Some(0);
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let product = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    (product % scale == 0).then_some(product / scale)
}

/// `duration` in its shortest natural form, which [`parse_duration`] reads back the same.
///
/// ```
/// use fuseboard_core::text::format_duration;
/// use std::time::Duration;
///
/// assert_eq!(format_duration(Duration::from_secs(90)).to_string(), "1m30s");
/// assert_eq!(format_duration(Duration::from_millis(250)).to_string(), "250ms");
/// assert_eq!(format_duration(Duration::from_millis(1500)).to_string(), "1.5s");
/// ```
pub fn format_duration(duration: Duration) -> impl fmt::Display + Copy {
    DurationText(duration)
}

#[derive(Clone, Copy, Debug)]
struct DurationText(Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        let (large, small) = UNITS.split_at(3);
        for (name, unit) in large {
            if nanos >= *unit {
                write!(f, "{}{name}", nanos / unit)?;
                nanos %= unit;
            }
        }
        match small.iter().find(|(_, unit)| nanos >= *unit) {
            Some((name, unit)) => write_decimal(f, nanos, *unit).and_then(|()| f.write_str(name)),
            None => Ok(()),
        }
    }
}

/// `nanos` as a decimal number of `unit`s, which are a power of ten.
fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u128, unit: u128) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let rest = nanos % unit;
    if rest == 0 {
        return Ok(());
    }
    let width = unit.ilog10() as usize;
    f.write_str(".")?;
    f.write_str(format!("{rest:0width$}").trim_end_matches('0'))
}
