//! Letters in words, for people.

use serde_json::Value;

use crate::cli::table::{entries, harmless, heading, named, plain, table};

/// What is shown of a letter by itself, in this order.
const FIELDS: [&str; 21] = [
    "id",
    "circuit",
    "domain",
    "status",
    "failure",
    "priority",
    "method",
    "uri",
    "key",
    "order_key",
    "attempts",
    "crashes",
    "captured_at",
    "updated_at",
    "due_at",
    "sla_deadline",
    "expires_at",
    "sealed_by",
    "answer_status",
    "last_error",
    "location",
];

pub(super) fn list(page: &Value) -> String {
    let letters = entries(&page["letters"]);
    let text = match letters.is_empty() {
        true => "no letters\n".to_owned(),
        false => listed(letters),
    };
    match page["next"].as_i64() {
        // A search for late letters ends now and then, whether it found any or not.
        Some(after) => format!("{text}\nthere are more: --after {after}, or --all\n"),
        None => text,
    }
}

fn listed(letters: &[Value]) -> String {
    let titles = ["ID", "STATUS", "CIRCUIT", "METHOD", "URI", "ATTEMPTS", "CAPTURED", "LAST ERROR"];
    let fields =
        ["id", "status", "circuit", "method", "uri", "attempts", "captured_at", "last_error"];
    let row = |letter: &Value| fields.map(|field| plain(&letter[field])).to_vec();
    let mut rows = vec![heading(&titles)];
    rows.extend(letters.iter().map(row));
    table(&rows)
}

pub(super) fn letter(letter: &Value) -> String {
    let mut text = named(letter, &FIELDS) + &warnings(letter);
    text += &section("history", &letter["history"], &["at", "what"]);
    text += &section("headers", &letter["headers"], &["name", "text"]);
    text += &body("body", letter);
    text + &body("answer", &letter["answer"])
}

/// What a person should know who wonders why a letter is still there.
fn warnings(letter: &Value) -> String {
    let mut text = String::new();
    let blocker = &letter["blocked_by"];
    if !blocker.is_null() {
        let [id, status] = ["id", "status"].map(|field| plain(&blocker[field]));
        text += &format!("\nit waits for letter {id} with the same order key, which is {status}\n");
    }
    if letter["late"] == true {
        text += "\nit is late: it should have been done by its sla_deadline\n";
    }
    text
}

pub(super) fn done(done: &Value) -> String {
    format!("letter {} is {}\n", plain(&done["id"]), plain(&done["status"]))
}

fn section(title: &str, list: &Value, fields: &[&str]) -> String {
    let entries = entries(list);
    if entries.is_empty() {
        return String::new();
    }
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
