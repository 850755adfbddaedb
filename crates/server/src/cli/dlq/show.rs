//! Letters in words, for people.

use serde_json::Value;

use crate::cli::table::{heading, table};

/// What is shown of a letter by itself, in this order.
const FIELDS: [&str; 17] = [
    "id",
    "circuit",
    "status",
    "failure",
    "method",
    "uri",
    "key",
    "order_key",
    "attempts",
    "crashes",
    "captured_at",
    "updated_at",
    "due_at",
    "expires_at",
    "answer_status",
    "last_error",
    "location",
];

pub(super) fn list(page: &Value) -> String {
    let none = Vec::new();
    let letters = page["letters"].as_array().unwrap_or(&none);
    if letters.is_empty() {
        return "no letters\n".to_owned();
    }
    let titles = ["ID", "STATUS", "CIRCUIT", "METHOD", "URI", "ATTEMPTS", "CAPTURED", "LAST ERROR"];
    let fields =
        ["id", "status", "circuit", "method", "uri", "attempts", "captured_at", "last_error"];
    let row = |letter: &Value| fields.map(|field| plain(&letter[field])).to_vec();
    let mut rows = vec![heading(&titles)];
    rows.extend(letters.iter().map(row));
    let more = match page["next"].as_i64() {
        Some(after) => format!("\nthere are more: --after {after}\n"),
        None => String::new(),
    };
    table(&rows) + &more
}

pub(super) fn letter(letter: &Value) -> String {
    let said = FIELDS.iter().filter(|field| !letter[**field].is_null());
    let fields: Vec<_> =
        said.map(|field| vec![field.to_string(), plain(&letter[*field])]).collect();
    let mut text = table(&fields);
    text += &section("history", &letter["history"], &["at", "what"]);
    text += &section("headers", &letter["headers"], &["name", "text"]);
    text += &body("body", letter);
    text + &body("answer", &letter["answer"])
}

pub(super) fn done(done: &Value) -> String {
    format!("letter {} is {}\n", plain(&done["id"]), plain(&done["status"]))
}

fn section(title: &str, list: &Value, fields: &[&str]) -> String {
    let Some(entries) = list.as_array().filter(|entries| !entries.is_empty()) else {
        return String::new();
    };
    let cell = |entry: &Value, field: &&str| match (&entry[*field], *field) {
        (Value::Null, "text") if entry["hidden"].is_u64() => "(hidden)".to_owned(),
        (Value::Null, "text") => format!("hex {}", plain(&entry["hex"])),
        (value, _) => plain(value),
    };
    let row = |entry: &Value| fields.iter().map(|field| cell(entry, field)).collect();
    format!("\n{title}\n{}", table(&entries.iter().map(row).collect::<Vec<_>>()))
}

fn body(title: &str, of: &Value) -> String {
    match (of["body_text"].as_str(), of["body_hex"].as_str()) {
        (Some(""), _) | (None, None) => String::new(),
        (Some(text), _) => format!("\n{title}\n{}\n", harmless(text, &['\n', '\t'])),
        (None, Some(hex)) => format!("\n{title}, in hexadecimal\n{hex}\n"),
    }
}

/// A value in a table's cell.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => harmless(text, &[]),
        value => value.to_string(),
    }
}

/// Text that was sent by whoever it was must not steer the terminal.
fn harmless(text: &str, but: &[char]) -> String {
    let harmless = |c: char| if c.is_control() && !but.contains(&c) { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}
