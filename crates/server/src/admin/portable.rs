//! A letter as JSON that another server can take: all that is kept of it, byte for byte.

use std::fmt::{Display, Write};
use std::str::FromStr;

use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{Letter, LetterId, Priority, StoredAnswer, Token};
use serde::{Deserialize, Serialize};

use super::views::time;

/// A letter in transit. Its number is for people: where it arrives it gets another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Portable {
    id: i64,
    #[serde(with = "text")]
    token: Token,
    circuit: String,
    domain: String,
    failure: String,
    method: String,
    uri: String,
    headers: Vec<Header>,
    content_type: Option<String>,
    body: Bytes,
    key: String,
    scope: Hex,
    order_key: Option<String>,
    #[serde(with = "text")]
    priority: Priority,
    sla_deadline: Option<At>,
    sealed_by: Option<String>,
    fingerprint: Option<Hex>,
    life: PortableLife,
    captured_at: At,
    answer: Option<Answer>,
    last_error: Option<String>,
    updated_at: At,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableLife {
    #[serde(with = "text")]
    status: Status,
    attempts: u32,
    crashes: u32,
    not_before: At,
    expires_at: Option<At>,
    fence: u64,
    lease_until: Option<At>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    headers: Vec<Header>,
    body: Bytes,
    at: At,
    truncated: bool,
    sealed_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: Bytes,
}

/// Bytes that are text, or not.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Hex(Hex),
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text),
            Err(error) => Bytes::Hex(Hex(error.into_bytes())),
        }
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        match bytes {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Hex(Hex(bytes)) => bytes,
        }
    }
}

/// Bytes in hexadecimal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Hex(Vec<u8>);

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl TryFrom<String> for Hex {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let digits: Option<Vec<u32>> = text.bytes().map(digit).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        let digits = digits.ok_or("expected hexadecimal digits, two for each byte")?;
        // Two digits are a byte.
        Ok(Hex(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()))
    }
}

/// A time in RFC 3339.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct At(WallTime);

impl From<At> for String {
    fn from(At(at): At) -> Self {
        time(at)
    }
}

impl TryFrom<String> for At {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let at = text.parse::<jiff::Timestamp>();
        let at = at.map(|at| At(WallTime::from_unix_millis(at.as_millisecond())));
        at.map_err(|_| format!("`{text}` is no time: expected one such as 2026-01-31T03:00:00Z"))
    }
}

/// Values that have a text form of their own.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Display, FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

fn headers(headers: Vec<(String, Vec<u8>)>) -> Vec<Header> {
    headers.into_iter().map(|(name, value)| Header { name, value: value.into() }).collect()
}

fn stored(headers: Vec<Header>) -> Vec<(String, Vec<u8>)> {
    headers.into_iter().map(|Header { name, value }| (name, value.into())).collect()
}

impl From<Letter> for Portable {
    fn from(letter: Letter) -> Self {
        Portable {
            id: letter.id.0,
            token: letter.token,
            circuit: letter.circuit,
            domain: letter.domain,
            failure: letter.failure,
            method: letter.method,
            uri: letter.uri,
            headers: headers(letter.headers),
            content_type: letter.content_type,
            body: letter.body.into(),
            key: letter.key,
            scope: Hex(letter.scope),
            order_key: letter.order_key,
            priority: letter.priority,
            sla_deadline: letter.sla_deadline.map(At),
            sealed_by: letter.sealed_by,
            fingerprint: letter.fingerprint.map(Hex),
            life: letter.life.into(),
            captured_at: At(letter.captured_at),
            answer: letter.answer.map(Answer::from),
            last_error: letter.last_error,
            updated_at: At(letter.updated_at),
        }
    }
}

impl From<Portable> for Letter {
    fn from(letter: Portable) -> Self {
        Letter {
            id: LetterId(letter.id),
            token: letter.token,
            circuit: letter.circuit,
            domain: letter.domain,
            failure: letter.failure,
            method: letter.method,
            uri: letter.uri,
            headers: stored(letter.headers),
            content_type: letter.content_type,
            body: letter.body.into(),
            key: letter.key,
            scope: letter.scope.0,
            order_key: letter.order_key,
            priority: letter.priority,
            sla_deadline: letter.sla_deadline.map(|At(at)| at),
            sealed_by: letter.sealed_by,
            fingerprint: letter.fingerprint.map(|Hex(bytes)| bytes),
            life: letter.life.into(),
            blocked_by: None,
            captured_at: letter.captured_at.0,
            answer: letter.answer.map(StoredAnswer::from),
            last_error: letter.last_error,
            updated_at: letter.updated_at.0,
        }
    }
}

impl From<Life> for PortableLife {
    fn from(life: Life) -> Self {
        let Life { status, attempts, crashes, not_before, expires_at, fence, lease_until } = life;
        PortableLife {
            status,
            attempts,
            crashes,
            not_before: At(not_before),
            expires_at: expires_at.map(At),
            fence,
            lease_until: lease_until.map(At),
        }
    }
}

impl From<PortableLife> for Life {
    fn from(life: PortableLife) -> Self {
        Life {
            status: life.status,
            attempts: life.attempts,
            crashes: life.crashes,
            not_before: life.not_before.0,
            expires_at: life.expires_at.map(|At(at)| at),
            fence: life.fence,
            lease_until: life.lease_until.map(|At(at)| at),
        }
    }
}

impl From<StoredAnswer> for Answer {
    fn from(answer: StoredAnswer) -> Self {
        let StoredAnswer { status, at, truncated, sealed_by, .. } = answer;
        let (headers, body) = (headers(answer.headers), answer.body.into());
        Answer { status, headers, body, at: At(at), truncated, sealed_by }
    }
}

impl From<Answer> for StoredAnswer {
    fn from(answer: Answer) -> Self {
        let Answer { status, at: At(at), truncated, sealed_by, .. } = answer;
        let (headers, body) = (stored(answer.headers), answer.body.into());
        StoredAnswer { status, headers, body, at, truncated, sealed_by }
    }
}
