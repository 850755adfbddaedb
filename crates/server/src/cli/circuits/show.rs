//! Circuits in words, for people.

use serde_json::Value;

use crate::cli::table::{entries, heading, lasting, plain, table};

/// What is shown of a circuit by itself, in this order.
const FIELDS: [&str; 8] =
    ["name", "state", "since", "why", "reopens", "in_flight", "generation", "retry_after_ms"];

pub(super) fn list(answer: &Value) -> String {
    let circuits = entries(&answer["circuits"]);
    if circuits.is_empty() {
        return "no circuits\n".to_owned();
    }
    let mut rows =
        vec![heading(&["CIRCUIT", "STATE", "FOR", "FAILURES", "REJECTED", "TRIES IN", "WHY"])];
    rows.extend(circuits.iter().map(row));
    table(&rows)
}

fn row(circuit: &Value) -> Vec<String> {
    let metrics = &circuit["metrics"];
    let failures = format!("{} of {}", plain(&metrics["failures"]), plain(&metrics["total"]));
    vec![
        plain(&circuit["name"]),
        plain(&circuit["state"]),
        lasting(&circuit["lasted_ms"]),
        failures,
        plain(&circuit["totals"]["rejected"]),
        lasting(&circuit["retry_after_ms"]),
        plain(&circuit["why"]),
    ]
}

pub(super) fn circuit(circuit: &Value) -> String {
    let said = FIELDS.iter().filter(|name| !circuit[**name].is_null());
    let rows: Vec<_> = said.map(|name| field("", name, &circuit[*name])).collect();
    let mut text = table(&rows);
    text += &section("pin", &circuit["pin"]);
    text += &section("override", &circuit["override"]);
    text += &section("last error", &circuit["last_error"]);
    text += &section("window", &circuit["metrics"]);
    text += &section("totals", &circuit["totals"]);
    text + &section("rules", &circuit["rules"])
}

pub(super) fn done(answer: &Value) -> String {
    let [circuit, message] = ["circuit", "message"].map(|field| plain(&answer[field]));
    let holds = match answer["override"]["remaining_ms"].is_u64() {
        true => format!(" for {}", lasting(&answer["override"]["remaining_ms"])),
        false => String::new(),
    };
    format!("{circuit}: {message}{holds}\n")
}

/// What is known of one side of a circuit; nothing if nothing is.
fn section(title: &str, of: &Value) -> String {
    let Some(parts) = of.as_object() else { return String::new() };
    let is_said = |name: &str, value: &Value| match value {
        Value::Null => name == "remaining_ms",
        Value::Array(entries) => !entries.is_empty(),
        _ => true,
    };
    let said = parts.iter().filter(|(name, value)| is_said(name, value));
    let rows: Vec<_> = said.map(|(name, value)| field("  ", name, value)).collect();
    format!("\n{title}\n{}", table(&rows))
}

/// A field's name and value, with durations as people write them.
fn field(indent: &str, name: &str, value: &Value) -> Vec<String> {
    let (name, text) = match (name.strip_suffix("_ms"), value) {
        (Some("remaining"), Value::Null) => ("remaining", "until it is ended by hand".to_owned()),
        (Some(name), value) if value.is_u64() => (name, lasting(value)),
        (_, Value::Number(number)) if number.is_f64() => {
            (name, format!("{:.3}", number.as_f64().unwrap_or_default()))
        }
        (_, Value::Array(thresholds)) => (name, calls_above(thresholds)),
        (_, value) => (name, plain(value)),
    };
    vec![format!("{indent}{name}"), text]
}

fn calls_above(thresholds: &[Value]) -> String {
    let part = |one: &Value| format!("{} above {}", plain(&one["calls"]), plain(&one["threshold"]));
    thresholds.iter().map(part).collect::<Vec<_>>().join(", ")
}
