//! Durations in text, read while the program is compiled, by the grammar that the engine reads at run time.

use std::time::Duration;

/// What is said of a text that is none.
pub(crate) const EXPECTED: &str =
    "a duration in quotes, such as `\"10s\"`, `\"1m30s\"` or `\"250ms\"`";

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// The duration that `text` is: numbers with units, the largest unit first, each unit at most once.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let (mut total, mut smallest) = (0u128, u128::MAX);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_after(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_after(after, |c| c.is_ascii_alphabetic());
        let unit = nanos_of(unit).filter(|unit| *unit < smallest)?;
        total = total.checked_add(times(number, unit)?)?;
        (rest, smallest) = (after, unit);
    }
    let secs = u64::try_from(total / NANOS_PER_SEC).ok()?;
    let nanos = u32::try_from(total % NANOS_PER_SEC).ok()?;
    Some(Duration::new(secs, nanos))
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SEC,
        "m" => 60 * NANOS_PER_SEC,
        "h" => 3_600 * NANOS_PER_SEC,
        "d" => 86_400 * NANOS_PER_SEC,
        _ => return None,
    })
}

/// `number`, which may have decimals, times `unit`, if that comes out even.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let decimals_are_digits = !decimals.is_empty() && decimals.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !decimals_are_digits {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() {
        return Some(whole);
    }
    let scale = 10u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let part = decimals.parse::<u128>().ok()?.checked_mul(unit)?;
    (part % scale == 0).then(|| whole.checked_add(part / scale))?
}

/// The longest beginning of `text` whose characters belong, and the rest.
fn split_after(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use fuseboard::text::{format_duration, parse_duration};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_reads_as_the_engine_reads_it() {
        let texts = [
            "250ms",
            "10s",
            "5m",
            "1h",
            "1d",
            "1m30s",
            "1.5s",
            "0s",
            "0.25h",
            " 10s ",
            "\u{a0}1s",
            "1d2h3m4s5ms6us7ns",
            "1.s",
            ".5s",
            "1..5s",
            "s",
            "10",
            "10 s",
            "1s1s",
            "1s1m",
            "-1s",
            "1e3s",
            "",
            "0.1ns",
            "1.10ns",
            "1.0ns",
            "18446744073709551615s",
            "18446744073709551616s",
            "99999999999999999999999999999999999999999d",
            "1µs",
            "1S",
            "0.00000000000000000000000000000000000000000000000001s",
            "213503982334601d",
            "213503982334602d",
        ];
        for text in texts {
            assert_eq!(read(text), parse_duration(text).ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_the_engine_prints_is_read_back(secs in any::<u64>(), nanos in 0u32..1_000_000_000) {
            let duration = Duration::new(secs, nanos);
            prop_assert_eq!(read(&format_duration(duration).to_string()), Some(duration));
        }

        #[test]
        fn any_text_reads_as_the_engine_reads_it(text in "([0-9]{0,3}(\\.[0-9]{0,3})?(ns|us|ms|s|m|h|d|x|)| ){0,4}") {
            prop_assert_eq!(read(&text), parse_duration(&text).ok());
        }
    }
}
