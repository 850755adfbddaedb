//! The runner notices what is wrong: whatever a vector expects, the opposite of it fails.

use crate::run::problems;
use crate::schema::{Expect, File, Metrics, Told, Totals, Transition, Trip, Vector, Verb};
use crate::vectors;

/// The same expectations, each time with one of them wrong, and the name of that.
type Wrong = Vec<(&'static str, Expect)>;

fn wrong(expect: &Expect) -> Wrong {
    let mut all = Vec::new();
    let mut with = |what, change: &dyn Fn(&mut Expect)| {
        let mut changed = expect.clone();
        change(&mut changed);
        all.push((what, changed));
    };
    if expect.admitted.is_some() {
        with("admitted", &|it| (it.admitted, it.rejected) = (None, Some("tripped".to_owned())));
    }
    if expect.rejected.is_some() {
        with("rejected", &|it| (it.admitted, it.rejected) = (Some(true), None));
        with("its cause", &|it| it.rejected = Some("recovered".to_owned()));
    }
    if let Some(state) = expect.state.clone() {
        let other = if state == "closed" { "open" } else { "closed" };
        with("state", &|it| it.state = Some(other.to_owned()));
    }
    if let Some(reopens) = expect.reopens {
        with("reopens", &|it| it.reopens = Some(reopens + 1));
    }
    if expect.lasted.is_some() {
        with("lasted", &|it| it.lasted = Some("12345d".to_owned()));
    }
    for other in [None, Some("12345d".to_owned())] {
        if expect.retry_after.as_ref().is_some_and(|expected| *expected != other) {
            with("retry_after", &|it| it.retry_after = Some(other.clone()));
        }
        if expect.pin_remaining.as_ref().is_some_and(|expected| *expected != other) {
            with("pin_remaining", &|it| it.pin_remaining = Some(other.clone()));
        }
    }
    if let Some(trip) = &expect.trip {
        with("trip", &|it| it.trip = Some(none_for_some(trip)));
    }
    if let Some(Some(trip)) = &expect.trip {
        with("trip.cause", &|it| {
            it.trip = Some(Some(Trip { cause: "reset".to_owned(), ..trip.clone() }))
        });
        with("trip.at", &|it| {
            it.trip = Some(Some(Trip { at: "12345d".to_owned(), ..trip.clone() }))
        });
    }
    if let Some(in_flight) = expect.in_flight {
        with("in_flight", &|it| it.in_flight = Some(in_flight + 1));
    }
    if let Some(totals) = &expect.totals {
        with("totals", &|it| {
            it.totals = Some(Totals { stale: totals.stale + 1, ..totals.clone() })
        });
    }
    if let Some(metrics) = &expect.metrics {
        wrong_metrics(metrics)
            .into_iter()
            .for_each(|other| with("metrics", &|it| it.metrics = Some(other.clone())));
    }
    with("something told", &|it| it.told.push(Told::Short("closed -> closed: reset".to_owned())));
    all.extend(wrong_news(expect));
    all
}

fn none_for_some(trip: &Option<Trip>) -> Option<Trip> {
    match trip {
        Some(_) => None,
        None => Some(Trip { cause: "tripped".to_owned(), at: "0s".to_owned(), metrics: None }),
    }
}

fn wrong_metrics(metrics: &Metrics) -> Vec<Metrics> {
    let more = |text: &str| [(text.to_owned(), 7)].into();
    vec![
        Metrics { total: metrics.total + 1, ..metrics.clone() },
        Metrics { failures: metrics.failures + 1, ..metrics.clone() },
        Metrics { streak: metrics.streak + 1, ..metrics.clone() },
        Metrics { duration: "12345d".to_owned(), ..metrics.clone() },
        Metrics { slow: more("12345d"), ..metrics.clone() },
        Metrics { hanging: more("12345d"), ..metrics.clone() },
    ]
}

fn wrong_news(expect: &Expect) -> Wrong {
    let never = || Some(Some("12345d".to_owned()));
    let mut all = Vec::new();
    for (index, told) in expect.told.iter().enumerate() {
        let mut untold = expect.clone();
        untold.told.remove(index);
        all.push(("something not told", untold));
        let Told::Long(long) = told else { continue };
        let mut with = |what, other: Transition| {
            let mut changed = expect.clone();
            changed.told[index] = Told::Long(other);
            all.push((what, changed));
        };
        if long.at.is_some() {
            with("told.at", Transition { at: Some("12345d".to_owned()), ..long.clone() });
        }
        if let Some(reopens) = long.reopens {
            with("told.reopens", Transition { reopens: Some(reopens + 1), ..long.clone() });
        }
        if long.retry_after.is_some() {
            with("told.retry_after", Transition { retry_after: never(), ..long.clone() });
        }
        for metrics in long.metrics.iter().flat_map(wrong_metrics) {
            with("told.metrics", Transition { metrics: Some(metrics), ..long.clone() });
        }
    }
    all
}

#[test]
fn whatever_a_vector_expects_the_opposite_fails() {
    let mut missed = Vec::new();
    let mut tried = 0;
    for (file, vector) in vectors() {
        for (index, step) in vector.steps.iter().enumerate() {
            let expect = step.expect.clone().unwrap_or_default();
            for (what, other) in wrong(&expect) {
                let mut changed = vector.clone();
                changed.steps[index].expect = Some(other);
                tried += 1;
                if problems(&changed).is_empty() {
                    missed.push(format!("{file}: `{}`, step {}: {what}", vector.name, index + 1));
                }
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {tried} were not noticed\n{}",
        missed.len(),
        missed.join("\n")
    );
    assert!(tried > 1_000, "{tried} tried");
}

#[test]
fn what_was_given_leads_to_the_state_of_the_cell() {
    let (_, vector) = vectors().into_iter().find(|(_, vector)| vector.cell.is_some()).unwrap();
    let elsewhere = Vector { cell: Some("disabled: attempt".to_owned()), ..vector };
    assert_eq!(problems(&elsewhere), ["given: expected to be disabled, found closed"]);
}

fn vector(steps: &str) -> Result<Vector, serde_json::Error> {
    serde_json::from_str(&format!(r#"{{"name": "a", "rules": {{}}, "steps": [{steps}]}}"#))
}

#[test]
fn a_step_that_cannot_be_meant_is_a_problem() {
    let table = [
        (r#"{"do": "attempt"}"#, "either admitted or rejected"),
        (r#"{"do": "tick", "expect": {"admitted": true}}"#, "means nothing here"),
        (r#"{"do": "tick", "ticket": "a"}"#, "`ticket` means nothing here"),
        (r#"{"do": "success", "ticket": "a"}"#, "no ticket `a`"),
        (r#"{"do": "tick", "for": "1s"}"#, "`for` means nothing here"),
        (r#"{"do": "calls", "outcomes": "SX"}"#, "`X` is no outcome"),
        (r#"{"do": "judged", "seen": "5xx"}"#, "`5xx` is nothing to see"),
        (r#"{"do": "tick", "at": "soon"}"#, "`soon`: column 1"),
        (r#"{"do": "tick", "at": "2s"}, {"do": "tick", "at": "1s"}"#, "time does not go back"),
    ];
    for (steps, expected) in table {
        let found = problems(&vector(steps).unwrap()).join("; ");
        assert!(found.contains(expected), "{steps}: {found}");
    }
    let impossible = r#"{"name": "a", "rules": {"trip": "failures(0)"}, "steps": []}"#;
    assert!(problems(&serde_json::from_str(impossible).unwrap())[0].contains("at least 1"));
}

#[test]
fn what_no_file_may_say_is_refused() {
    let table = [
        r#"{"do": "wait"}"#,
        r#"{"do": "tick", "after": "1s"}"#,
        r#"{"do": "tick", "expect": {"stat": "closed"}}"#,
        r#"{"do": "tick", "expect": {"metrics": {"success": 1}}}"#,
        r#"{"do": "tick", "expect": {"totals": {"successes": 1}}}"#,
        r#"{"do": "tick", "expect": {"trip": {"cause": "reset", "at": "0s", "why": ""}}}"#,
        r#"{"do": "tick", "expect": {"told": [{"transition": "a -> b: c", "when": "0s"}]}}"#,
    ];
    for steps in table {
        assert!(vector(steps).is_err(), "{steps}");
    }
    for text in [r#"{"vectors": []}"#, r#"{"about": "", "vectors": [], "more": 1}"#] {
        assert!(serde_json::from_str::<File>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Vector>(r#"{"name": "a", "rules": {"window": ""}}"#).is_err());
}

#[test]
fn each_verb_is_called_what_the_files_call_it() {
    for verb in Verb::ALL {
        assert_eq!(serde_json::from_str::<Verb>(&format!("\"{verb}\"")).unwrap(), verb);
    }
}
