//! What a message says: as JSON for programs, as lines for people, as Slack wants it.

use std::time::Duration;

use fuseboard_core::metrics::Metrics;
use fuseboard_core::text::format_duration;
use fuseboard_core::{Pin, Transition};
use serde_json::{Value, json};

use super::limiter::Entry;
use crate::listeners::What;
use crate::listeners::parent::parent;

/// How much of a text that somebody wrote is repeated, in characters.
const QUOTED: usize = 500;

/// News that nobody was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Because too much waited.
    pub(super) dropped: u64,
    /// Because the other side did not take it.
    pub(super) undelivered: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) entry: Entry,
    pub(super) losses: Losses,
}

/// Whom the body of a message is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Programs.
    Json,
    /// Slack's incoming webhooks.
    Slack,
}

impl Format {
    pub(super) fn body(self, message: &Message) -> String {
        let text = text(message);
        match self {
            Format::Json => json(message, text).to_string(),
            Format::Slack => json!({ "text": escaped(&text) }).to_string(),
        }
    }
}

/// Slack's three escapes. They also keep a pin's reason from mentioning everybody.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn json(message: &Message, text: String) -> Value {
    let Message { entry, losses } = message;
    let mut body = match &entry.news.what {
        What::Transition(transition) => transition_json(transition),
        What::WouldTrip(why) => json!({ "event": "would_trip", "why": clip(why) }),
    };
    body["circuit"] = json!(&*entry.news.circuit);
    body["heard_at_unix_ms"] = json!(entry.at.as_unix_millis());
    body["left_out"] = json!(entry.left_out);
    body["dropped"] = json!(losses.dropped);
    body["undelivered"] = json!(losses.undelivered);
    body["text"] = json!(text);
    body
}

fn transition_json(transition: &Transition) -> Value {
    let pin = transition.pin.as_deref().map(|pin| {
        let lasts = pin.until().map(|until| millis(until.since(transition.at)));
        json!({ "actor": clip(pin.actor()), "reason": clip(pin.reason()), "lasts_ms": lasts })
    });
    json!({
        "event": "transition",
        "from": transition.from.as_str(),
        "to": transition.to.as_str(),
        "cause": transition.cause.as_str(),
        "why": clip(&transition.why().unwrap_or_default()),
        "generation": transition.generation,
        "reopens": transition.reopens,
        "retry_after_ms": transition.retry_after.map(millis),
        "pin": pin,
        "window": window_json(&transition.metrics),
    })
}

fn window_json(metrics: &Metrics) -> Value {
    json!({
        "total": metrics.total,
        "failures": metrics.failures,
        "failure_rate": metrics.failure_rate(),
        "streak": metrics.streak,
    })
}

fn text(message: &Message) -> String {
    let Message { entry, losses } = message;
    let circuit = &entry.news.circuit;
    let mut lines = match &entry.news.what {
        What::Transition(transition) => transition_lines(circuit, transition),
        What::WouldTrip(why) => vec![format!("{circuit} would have opened: {}", clip(why))],
    };
    let left_out = format!("more about {} left out, to send no more than allowed", parent(circuit));
    let counts = [
        (entry.left_out, left_out.as_str()),
        (losses.dropped, "dropped since the last message, because too much waited"),
        (losses.undelivered, "not delivered since the last message"),
    ];
    let told = counts.into_iter().filter(|(count, _)| *count > 0);
    lines.extend(told.map(|(count, what)| format!("{count} {what}")));
    lines.join("\n")
}

fn transition_lines(circuit: &str, transition: &Transition) -> Vec<String> {
    let Transition { from, to, cause, metrics, reopens, .. } = transition;
    let mut lines = vec![format!("{circuit} is {to} (was {from}): {cause}")];
    if let Some(why) = transition.why() {
        lines.push(format!("why: {}", clip(&why)));
    }
    if metrics.total > 0 {
        let Metrics { total, failures, streak, .. } = metrics;
        lines.push(format!(
            "window: {failures} of {total} calls failed, the last {streak} in a row"
        ));
    }
    if let Some(wait) = transition.retry_after {
        lines.push(format!("next attempt in {}", format_duration(legible(wait))));
    }
    if *reopens > 0 {
        lines.push(format!("half_open ended in open {reopens} times"));
    }
    if let Some(until) = transition.pin.as_deref().and_then(Pin::until) {
        let lasts = legible(until.since(transition.at));
        lines.push(format!("the pin lasts {}", format_duration(lasts)));
    }
    lines
}

/// To the millisecond, or to the second where that is long: up, so that nobody comes too early.
fn legible(duration: Duration) -> Duration {
    let unit: u128 = if duration < Duration::from_secs(10) { 1_000_000 } else { 1_000_000_000 };
    let nanos = duration.as_nanos().div_ceil(unit).saturating_mul(unit);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
