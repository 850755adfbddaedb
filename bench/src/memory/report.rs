//! What was counted, as Markdown, and whether it is what Fuseboard set out to reach.

use std::fmt::{self, Write as _};

use super::breakers::{BREAKERS, Breaker, RIVALS};
use super::calls::{Kind, Theirs, Way};
use super::keys::{FEW, KEYS, Keys, MANY};
use super::threads::Threads;

/// A breaker takes at most so many bytes, whatever its state.
const BREAKER: f64 = 1536.0;
/// Each thread that uses a breaker takes so many more.
const THREAD: f64 = 128.0;
/// A keyed circuit at rest takes so many.
const KEY: f64 = 512.0;

/// All that was counted.
pub(super) struct Found {
    pub(super) breakers: Vec<Breaker>,
    pub(super) threads: Vec<Threads>,
    /// Bytes that a thread keeps of breakers that are gone.
    pub(super) left_of_gone: i64,
    pub(super) keys: Keys,
    pub(super) ours: Vec<Way>,
    pub(super) theirs: Vec<Theirs>,
}

struct Goal {
    what: String,
    unit: &'static str,
    found: f64,
    at_most: f64,
}

/// A section of the report of all benchmarks.
pub(super) fn markdown(found: &Found) -> Result<String, fmt::Error> {
    let mut text = String::from(HEAD);
    write_goals(&mut text, &goals(found))?;
    write_breakers(&mut text, &found.breakers)?;
    write_threads(&mut text, &found.threads, found.left_of_gone)?;
    write_keys(&mut text, &found.keys)?;
    write_ours(&mut text, &found.ours)?;
    write_theirs(&mut text, &found.theirs)?;
    Ok(text)
}

const HEAD: &str = "
## Memory and allocations

Counted by a program of its own (`cargo run --release --bin memory` in bench/), whose allocator counts. Bytes are those
that were asked for; what the system's allocator adds to a block is not in them, and neither is what a thread keeps outside
the heap. It checks its own counting, and that every call came to what is said here, at each run.

";

fn goals(found: &Found) -> Vec<Goal> {
    let bytes = |what: String, found, at_most| Goal { what, unit: "bytes", found, at_most };
    let ours = found.breakers.iter().filter(|breaker| breaker.ours);
    let mut goals: Vec<Goal> = ours
        .map(|one| {
            bytes(format!("a breaker, new, used or open: {}", one.name), one.most(), BREAKER)
        })
        .collect();
    for one in &found.threads {
        goals.push(bytes(format!("a thread that uses a breaker: {}", one.what), one.bytes, THREAD));
    }
    let left = found.threads.iter().map(|one| one.left as f64).fold(0.0, f64::max);
    goals.push(bytes("what is left of those threads when they ended".to_owned(), left, 0.0));
    let what = "a keyed circuit at rest, at the worst number of them";
    goals.push(bytes(what.to_owned(), found.keys.at_worst, KEY));
    for (kind, what) in [(Kind::Success, "a success"), (Kind::Rejection, "a rejection")] {
        let ways = found.ours.iter().filter(|way| way.kind == kind);
        let most = ways.map(|way| way.per_call).fold(0.0, f64::max);
        let what = format!("{what}: most in any way to make a call");
        goals.push(Goal { what, unit: "allocations", found: most, at_most: 0.0 });
    }
    goals
}

fn write_goals(text: &mut String, goals: &[Goal]) -> fmt::Result {
    text.push_str("| goal | counted | at most | met |\n|---|---|---|---|\n");
    for Goal { what, unit, found, at_most } in goals {
        let met = if found <= at_most { "✔" } else { "✘" };
        writeln!(text, "| {what} | {} {unit} | {at_most} | {met} |", number(*found))?;
    }
    Ok(())
}

fn write_breakers(text: &mut String, breakers: &[Breaker]) -> fmt::Result {
    writeln!(
        text,
        "\n### One breaker, in bytes\n\nThe mean of {BREAKERS} (rivals: {RIVALS}), with the value itself, wherever it \
         lies. Used: after 1000 calls, of which 50 failed, by a thread that has ended. Ours have names of 13 characters; \
         `shared`: all have the same rules, else each its own.\n"
    )?;
    text.push_str("| breaker | new | allocations for it | used | open |\n|---|---|---|---|---|\n");
    for Breaker { name, new, allocations, used, open, .. } in breakers {
        let open = open.map_or("–".to_owned(), number);
        let [new, allocations, used] = [new, allocations, used].map(|one| number(*one));
        writeln!(text, "| {name} | {new} | {allocations} | {used} | {open} |")?;
    }
    Ok(())
}

fn write_threads(text: &mut String, threads: &[Threads], left_of_gone: i64) -> fmt::Result {
    text.push_str("\n### Threads that use a breaker, in bytes\n\n");
    text.push_str(
        "| used by | for each thread and breaker | left when all have ended |\n|---|---|---|\n",
    );
    for Threads { what, bytes, left } in threads {
        writeln!(text, "| {what} | {} | {left} |", number(*bytes))?;
    }
    writeln!(
        text,
        "\nA thread that goes on keeps up to {left_of_gone} bytes of breakers that it used and that are gone ({BREAKERS} at \
         a time, ten times)."
    )
}

fn write_keys(text: &mut String, keys: &Keys) -> fmt::Result {
    let Keys { at_rest, at_worst, allocations, hot, cooled } = keys;
    writeln!(
        text,
        "\n### One keyed circuit, in bytes\n\nThe mean of {KEYS} keys of 8 to 20 characters (`Keyed<String>`, default rules), \
         each with {} allocations.\n",
        number(*allocations)
    )?;
    text.push_str("| each key has had | bytes |\n|---|---|\n");
    let half = KEYS / 2;
    let rows = [
        (format!("{FEW} successful calls"), at_rest),
        (format!("as that, at the worst number of keys between {half} and {KEYS}"), at_worst),
        (format!("{MANY} successful calls, by a thread that goes on"), hot),
        (format!("{MANY} successful calls, by a thread that has ended"), cooled),
    ];
    for (what, bytes) in rows {
        writeln!(text, "| {what} | {} |", number(*bytes))?;
    }
    Ok(())
}

fn write_ours(text: &mut String, ways: &[Way]) -> fmt::Result {
    text.push_str("\n### Allocations in one call of ours\n\n");
    text.push_str("Without those of the call itself.\n\n");
    text.push_str("| call | how | allocations |\n|---|---|---|\n");
    for Way { kind, what, per_call } in ways {
        let kind = match kind {
            Kind::Success => "success",
            Kind::Failure => "failure",
            Kind::Rejection => "rejection",
        };
        writeln!(text, "| {kind} | {what} | {} |", number(*per_call))?;
    }
    Ok(())
}

fn write_theirs(text: &mut String, theirs: &[Theirs]) -> fmt::Result {
    text.push_str("\n### Allocations in one call of the rivals\n\n");
    text.push_str("| contestant | success | failure | rejection |\n|---|---|---|---|\n");
    for Theirs { name, success, failure, rejection } in theirs {
        let or_none = |one: &Option<f64>| one.map_or("–".to_owned(), number);
        let (failure, rejection) = (or_none(failure), or_none(rejection));
        writeln!(text, "| {name} | {} | {failure} | {rejection} |", number(*success))?;
    }
    Ok(())
}

/// One decimal, or two below ten, and none that is zero.
fn number(number: f64) -> String {
    let text = if number.abs() < 10.0 { format!("{number:.2}") } else { format!("{number:.1}") };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_digits_than_say_something() {
        let cases = [
            (0.0, "0"),
            (-0.001, "0"),
            (3.0, "3"),
            (3.011, "3.01"),
            (128.0, "128"),
            (132.04, "132"),
            (132.06, "132.1"),
            (1500.0, "1500"),
        ];
        for (of, expected) in cases {
            assert_eq!(number(of), expected);
        }
    }

    #[test]
    fn each_goal_is_met_up_to_its_limit_and_no_further() {
        for (bytes, left, allocations, met) in
            [(0.0, 0, 0.0, true), (1.0, 0, 0.0, false), (0.0, 1, 0.0, false), (0.0, 0, 0.01, false)]
        {
            let text = markdown(&at_the_limit(bytes, left, allocations)).unwrap();
            assert_eq!(!text.contains('✘'), met, "{text}");
        }
    }

    /// What just meets every goal, and so much more.
    fn at_the_limit(more: f64, left: i64, allocations: f64) -> Found {
        let most = BREAKER + more;
        let (name, what) = ("one", "one thread".to_owned());
        let breaker = Breaker { name, ours: true, new: 0.0, allocations, used: most, open: None };
        let rival = Breaker { ours: false, open: Some(9999.0), ..breaker };
        let (at_rest, at_worst) = (KEY, KEY + more);
        let way = |kind| Way { kind, what: "call", per_call: allocations };
        let failure = Way { per_call: 9.0, ..way(Kind::Failure) };
        Found {
            breakers: vec![breaker, rival],
            threads: vec![Threads { what, bytes: THREAD + more, left }],
            left_of_gone: 9999,
            keys: Keys { at_rest, at_worst, allocations, hot: 9999.0, cooled: 9999.0 },
            ours: vec![way(Kind::Success), failure, way(Kind::Rejection)],
            theirs: Vec::new(),
        }
    }
}
