//! Numbers: digits, and for ratios and factors one decimal point.

use std::fmt;

/// A number of digits only; `None` also if it does not fit.
pub(super) fn whole(text: &str) -> Option<u64> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// Digits, with or without a point between them; no sign, no exponent, no infinity.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let plain = match text.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(text),
    };
    if plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `number` with the fewest digits that read back as the same; a negative zero as zero.
pub(crate) fn format_number(number: f64) -> impl fmt::Display + Copy {
    number + 0.0
}
