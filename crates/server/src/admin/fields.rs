//! The fields of an order's body: each is read once, and what cannot be is named with its value and what would be right.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use fuseboard_core::text::{ParseError, parse_duration};
use fuseboard_services::circuits::Lasting;
use serde_json::{Map, Value};

use super::Problem;
use crate::config::nearest;

/// How long a reason may be, in bytes; histories keep as much, with who gave it.
const LONGEST_REASON: usize = 500;
/// How much of a value a problem quotes, in characters.
const QUOTED: usize = 60;

/// A body as it came. Other types than JSON are refused: those a browser sends from any page, without asking first.
pub(super) type Body = Result<Json<Value>, JsonRejection>;

/// The fields of a body, all of which are known.
pub(super) struct Fields {
    fields: Map<String, Value>,
}

impl Fields {
    /// The body's fields, which are `known` and no others.
    pub(super) fn of(body: Body, known: &[&str]) -> Result<Self, Problem> {
        let Json(body) =
            body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        let Value::Object(fields) = body else {
            let detail = format!("the body: expected an object with {}", known.join(", "));
            return Err(Problem::bad(detail));
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Fields { fields }),
            Some(name) => {
                let meant = nearest(name, known.iter().copied());
                let hint = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
                let detail = format!("{name}: no such field: {hint}expected {}", known.join(", "));
                Err(Problem::bad(detail))
            }
        }
    }

    /// Why: one line of text, which stands in histories and logs.
    pub(super) fn reason(&self) -> Result<&str, Problem> {
        let reason = self.get("reason").and_then(Value::as_str).unwrap_or_default().trim();
        let possible = !reason.is_empty()
            && reason.len() <= LONGEST_REASON
            && !reason.chars().any(char::is_control);
        possible.then_some(reason).ok_or_else(|| {
            let detail =
                format!("reason: expected one line of text, of 1 to {LONGEST_REASON} bytes");
            Problem::bad(detail)
        })
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str, expected: &str) -> Result<Option<&str>, Problem> {
        self.read(name, expected, |value| value.as_str().filter(|text| !text.is_empty()))
    }

    /// What [`FromStr`] makes of a text.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        self.read(name, expected, |value| value.as_str()?.parse().ok())
    }

    /// A policy; the problem says where its text goes wrong.
    pub(super) fn policy<T: FromStr<Err = ParseError>>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name, expected)? else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|error: ParseError| {
            let (column, found) = (error.column(), error.found());
            let right = error.expected();
            let detail = format!(
                "{name}: `{text}` is not possible: expected {right}, found {found} at column {column}"
            );
            Problem::bad(detail)
        })
    }

    /// `true` or `false`; `None` if it is not there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Problem> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &expected, |value| value.as_u64().filter(|number| range.contains(number)))
    }

    /// A number above zero, up to `most`.
    pub(super) fn positive(&self, name: &str, most: f64) -> Result<Option<f64>, Problem> {
        let expected = format!("a number above 0, up to {most}");
        let possible = |number: &f64| *number > 0.0 && *number <= most;
        self.read(name, &expected, |value| value.as_f64().filter(possible))
    }

    /// For how long: a duration from 1 ms, or `never`; the usual if it is not there.
    pub(super) fn lasting(&self, name: &str) -> Result<Lasting, Problem> {
        const EXPECTED: &str = "a duration from 1ms such as 30m or 2h, or never";
        let read = |value: &Value| match value.as_str()? {
            "never" => Some(Lasting::Forever),
            text => {
                let time = parse_duration(text).ok()?;
                (time >= Duration::from_millis(1)).then_some(Lasting::For(time))
            }
        };
        Ok(self.read(name, EXPECTED, read)?.unwrap_or_default())
    }

    /// The fields of an object that is not empty.
    pub(super) fn object(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<&Map<String, Value>>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_object() {
            Some(object) if !object.is_empty() => Ok(Some(object)),
            // Its values may be secrets.
            _ => Err(Problem::bad(format!("{name}: expected {expected}"))),
        }
    }

    /// The elements of a list that is not empty. They are taken out.
    pub(super) fn list(&mut self, name: &str, expected: &str) -> Result<Vec<Value>, Problem> {
        match self.fields.remove(name) {
            Some(Value::Array(elements)) if !elements.is_empty() => Ok(elements),
            Some(other) => Err(impossible(name, &quoted(&other), expected)),
            None => Err(Problem::bad(format!("{name}: expected {expected}"))),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(impossible(name, &quoted(value), expected)),
        }
    }
}

/// A value that cannot be, and what would be right.
pub(super) fn impossible(name: &str, value: &str, expected: &str) -> Problem {
    Problem::bad(format!("{name}: `{value}` is not possible: expected {expected}"))
}

fn quoted(value: &Value) -> String {
    let whole = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    match whole.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}
