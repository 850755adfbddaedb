//! What a configuration means, as a short table.

use fuseboard_core::text::format_duration;

use super::table::{heading, table};
use crate::config::{Config, Fallback, LetterStore, Route, Upstream};

/// A configuration in words, for whoever wrote it to compare with what they meant.
pub(super) fn describe(config: &Config, file: &str) -> String {
    let server = &config.server;
    let tokens = match server.tokens.len() {
        0 => "no tokens".to_owned(),
        1 => "1 token".to_owned(),
        many => format!("{many} tokens"),
    };
    let mut text = format!("{file} is good.\n\n");
    text += &table(&[
        vec!["gateway".to_owned(), server.listen.to_string()],
        vec!["admin".to_owned(), format!("{} ({tokens})", server.admin)],
        vec!["letters".to_owned(), letters(config)],
    ]);
    let mut rows = vec![heading(&["UPSTREAM", "ENDPOINTS", "TIMEOUT", "TRIP", "RETRY"])];
    rows.extend(config.upstreams.values().map(upstream));
    text += &format!("\n{}", table(&rows));
    let mut rows = vec![heading(&["ROUTE", "METHODS", "UPSTREAM", "FAILURE", "FALLBACK"])];
    rows.extend(config.routes.iter().map(route));
    text += &format!("\n{}", table(&rows));
    text
}

fn letters(config: &Config) -> String {
    let settings = &config.letters;
    let size = match settings.max_bytes {
        Some(bytes) => format!(", at most {bytes} bytes"),
        None => String::new(),
    };
    let place = match &config.store {
        LetterStore::Embedded => config.server.data.display().to_string(),
        LetterStore::Postgres(url) => url.to_string(),
        LetterStore::Variable(name) => format!("PostgreSQL, at the URL in ${name}"),
    };
    let capacity = match settings.capacity {
        Some(capacity) => format!("up to {capacity} waiting"),
        None => "as many as fit".to_owned(),
    };
    let retention = format_duration(settings.retention);
    let sealed = match &settings.encryption.current {
        Some(key) => format!(", sealed with the key `{}`", key.id),
        None => String::new(),
    };
    let withheld = match settings.withhold.is_empty() {
        true => String::new(),
        false => format!(", without {}", settings.withhold),
    };
    format!("{place}: {capacity}{size}, finished ones kept for {retention}{sealed}{withheld}")
}

fn upstream(upstream: &Upstream) -> Vec<String> {
    let endpoints: Vec<String> = upstream.endpoints.iter().map(ToString::to_string).collect();
    vec![
        upstream.name.clone(),
        endpoints.join(" "),
        format_duration(upstream.timeout).to_string(),
        upstream.rules.tripper().to_string(),
        upstream.rules.retry().to_string(),
    ]
}

fn route(route: &Route) -> Vec<String> {
    let methods: Vec<&str> = route.methods.iter().map(http::Method::as_str).collect();
    let fallback: Vec<String> = route.fallback.iter().map(fallback).collect();
    let or = |text: String, empty: &str| if text.is_empty() { empty.to_owned() } else { text };
    vec![
        format!("{}{}", route.host.as_deref().unwrap_or_default(), route.path),
        or(methods.join(" "), "all"),
        route.upstream.clone(),
        route.failure.to_string(),
        or(fallback.join(", "), "none"),
    ]
}

fn fallback(fallback: &Fallback) -> String {
    match fallback {
        Fallback::Queue => "queue".to_owned(),
        Fallback::Answer(answer) => answer.status.as_u16().to_string(),
    }
}
