//! Governance in words, for people.

use serde_json::Value;

use crate::cli::table::{entries, heading, lasting, plain, table};

pub(super) fn status(answer: &Value) -> String {
    let mut rows = vec![vec!["replay".to_owned(), verdict(answer)]];
    rows.push(vec!["kill switch".to_owned(), control(&answer["kill_switch"])]);
    rows.push(vec!["emergency level".to_owned(), control(&answer["emergency_level"])]);
    for (title, field) in [("settings read", "read_at"), ("trouble", "trouble")] {
        if !answer[field].is_null() {
            rows.push(vec![title.to_owned(), plain(&answer[field])]);
        }
    }
    let counts = ["blocked", "overridden"].map(|name| format!("{name} {}", plain(&answer[name])));
    rows.push(vec!["since start".to_owned(), counts.join(", ")]);
    let mut text = table(&rows);
    if !entries(&answer["budgets"]).is_empty() {
        text += &format!("\n{}", budgets(answer));
    }
    text
}

/// What the gate says to letters of a circuit whose error budget is not spent.
fn verdict(answer: &Value) -> String {
    let value = |name: &str| answer[name]["value"].as_str();
    let spent: Vec<String> = entries(&answer["budgets"])
        .iter()
        .filter(|budget| budget["exhausted"] == true)
        .map(|budget| plain(&budget["circuit"]))
        .collect();
    match (value("kill_switch"), value("emergency_level")) {
        (Some("on"), _) => "blocked: the kill switch is on".to_owned(),
        (_, Some(level @ ("2" | "3"))) => format!("blocked: the emergency level is {level}"),
        (None, _) | (_, None) => "blocked: the settings could not be read yet".to_owned(),
        _ if !spent.is_empty() => {
            format!("allowed, but not for {}: error budget spent", spent.join(", "))
        }
        _ => "allowed".to_owned(),
    }
}

/// A value, and who set it when and why.
fn control(control: &Value) -> String {
    let value = control["value"].as_str().unwrap_or("unknown");
    match control["actor"].as_str().filter(|actor| !actor.is_empty()) {
        Some(_) => {
            let [actor, at, reason] =
                ["actor", "changed_at", "reason"].map(|field| plain(&control[field]));
            format!("{value} (by {actor} at {at}: {reason})")
        }
        None => value.to_owned(),
    }
}

pub(super) fn budgets(answer: &Value) -> String {
    let budgets = entries(&answer["budgets"]);
    if budgets.is_empty() {
        return "no error budgets\n".to_owned();
    }
    let titles =
        ["CIRCUIT", "OBJECTIVE", "WINDOW", "SUCCEEDED", "FAILED", "SPENT", "BURN RATE", "REPLAY"];
    let mut rows = vec![heading(&titles)];
    rows.extend(budgets.iter().map(budget));
    table(&rows)
}

fn budget(budget: &Value) -> Vec<String> {
    let replay = if budget["exhausted"] == true { "blocked" } else { "allowed" };
    let spent =
        budget["spent"].as_f64().map_or("-".to_owned(), |spent| format!("{:.0} %", spent * 100.0));
    let burn = budget["burn_rate"].as_f64().map_or("-".to_owned(), |rate| format!("{rate:.1}"));
    vec![
        plain(&budget["circuit"]),
        plain(&budget["objective"]),
        lasting(&budget["window_ms"]),
        plain(&budget["good"]),
        plain(&budget["bad"]),
        spent,
        burn,
        replay.to_owned(),
    ]
}
