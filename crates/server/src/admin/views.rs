//! Times, durations and bytes, as JSON has them.

use std::fmt::Write;
use std::time::Duration;

use fuseboard_core::time::WallTime;
use serde::Serialize;

/// Headers whose values let their reader act as somebody else.
const CREDENTIALS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// RFC 3339, in UTC. A time outside the years that it knows is the nearest that it does.
pub(super) fn time(at: WallTime) -> String {
    let millis = at.as_unix_millis();
    let (least, most) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let nearest = if millis < 0 { least } else { most };
    jiff::Timestamp::from_millisecond(millis).unwrap_or(nearest).to_string()
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that are text, or not.
#[derive(Serialize)]
pub(super) enum Body {
    #[serde(rename = "body_text")]
    Text(String),
    #[serde(rename = "body_hex")]
    Hex(String),
}

impl Body {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Body::Text(text),
            Err(error) => Body::Hex(hex(error.as_bytes())),
        }
    }
}

/// A header's name and value.
#[derive(Serialize)]
pub(super) struct Header {
    name: String,
    #[serde(flatten)]
    value: HeaderText,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum HeaderText {
    Text(String),
    Hex(String),
    /// How many bytes are not shown.
    Hidden(usize),
}

pub(super) fn headers(headers: Vec<(String, Vec<u8>)>) -> Vec<Header> {
    let view = |(name, value): (String, Vec<u8>)| {
        let value = match String::from_utf8(value) {
            Ok(text) if is_credential(&name) => HeaderText::Hidden(text.len()),
            Err(error) if is_credential(&name) => HeaderText::Hidden(error.as_bytes().len()),
            Ok(text) => HeaderText::Text(text),
            Err(error) => HeaderText::Hex(hex(error.as_bytes())),
        };
        Header { name, value }
    };
    headers.into_iter().map(view).collect()
}

fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
