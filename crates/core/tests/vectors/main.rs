//! The vectors of the repository's `tests/vectors`: sequences of events with what is to be seen after each, run on the real
//! circuit breaker. Other languages run the same files.
#![cfg(test)]

mod notice;
mod run;
mod schema;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{env, fs};

use fuseboard_core::State;

use schema::{File, Vector, Verb};

/// Cargo's word at run time goes before the one at build time, because checkouts may share one target folder.
fn folder() -> PathBuf {
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").to_owned());
    PathBuf::from(manifest).join("../../tests/vectors")
}

/// Every file by its name.
fn files() -> BTreeMap<String, File> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let json = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let file = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, file)
    })
    .collect()
}

fn vectors() -> Vec<(String, Vector)> {
    let named = |(name, file): (String, File)| {
        file.vectors.into_iter().map(move |vector| (name.clone(), vector)).collect::<Vec<_>>()
    };
    files().into_iter().flat_map(named).collect()
}

#[test]
fn every_vector_holds() {
    let (mut wrong, mut steps) = (Vec::new(), 0);
    let vectors = vectors();
    for (file, vector) in &vectors {
        steps += vector.steps.len();
        let problems = run::problems(vector).into_iter();
        wrong.extend(problems.map(|problem| format!("{file}: `{}`: {problem}", vector.name)));
    }
    println!("{} vectors, {steps} steps", vectors.len());
    assert!(wrong.is_empty(), "{} problems\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_vector_has_a_name_of_its_own_and_says_what_is_to_be_seen() {
    let mut names = BTreeSet::new();
    for (file, vector) in vectors() {
        assert!(names.insert(vector.name.clone()), "{file}: `{}` is there twice", vector.name);
        assert!(!vector.steps.is_empty(), "{file}: `{}` has no steps", vector.name);
        let last = vector.steps.last().and_then(|step| step.expect.as_ref());
        assert!(last.is_some(), "{file}: `{}` ends without an expectation", vector.name);
    }
    assert!(names.len() >= 300, "{} vectors", names.len());
}

#[test]
fn every_state_meets_every_event() {
    let events: Vec<Verb> = Verb::ALL.into_iter().filter(|verb| verb.is_event()).collect();
    let mut missing: BTreeSet<(String, String)> = State::ALL
        .iter()
        .flat_map(|state| events.iter().map(|verb| (state.to_string(), verb.to_string())))
        .collect();
    missing.insert(("open".to_owned(), "attempt at the deadline".to_owned()));
    for (file, vector) in vectors() {
        let Some((state, event)) = vector.cell.as_deref().and_then(|cell| cell.split_once(": "))
        else {
            continue;
        };
        let first = vector.steps[0].verb.to_string();
        assert!(event.starts_with(&first), "{file}: `{}` begins with {first}", vector.name);
        let found = missing.remove(&(state.to_owned(), event.to_owned()));
        assert!(found, "{file}: the cell `{state}: {event}` is no cell, or is there twice");
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn every_term_of_the_policies_occurs() {
    let rules: Vec<String> =
        vectors().iter().flat_map(|(_, vector)| vector.rules.values()).collect();
    let terms = "count( time( min_requests( failure_rate( failure_streak( failures( slow_rate( avg_latency( \
                 in_flight_over( closed half_open & | always never cooldown( backoff( max= multiplier= jitter= all random( \
                 ramp_up( successes( tripper errors rejections nothing connect timeout reset 5xx 429 !";
    let occurs = |term: &str| rules.iter().any(|rule| rule.contains(term));
    let missing: Vec<&str> = terms.split_whitespace().filter(|term| !occurs(term)).collect();
    assert_eq!(missing, [""; 0]);
}
