//! The results as Markdown.

use std::fmt::{self, Write as _};

use crate::contestants::ABOUT;
use crate::crew::THREADS;
use crate::goals::{self, Goal};
use crate::measure::{Row, Table};
use fuseboard_bench_common::setting;
use fuseboard_bench_common::stats::{
    Summary, clean, paired_ratios, ratio_text, summary, three_digits,
};

/// How it was measured, for the head of the report.
pub(crate) struct Run {
    pub(crate) rounds: usize,
    pub(crate) pinned: bool,
    pub(crate) load_before: String,
}

/// The whole report, with that about memory if there is one.
pub(crate) fn markdown(
    run: &Run,
    memory: Option<&str>,
    tables: &[Table],
) -> Result<String, fmt::Error> {
    let mut text = String::from("# Fuseboard beside its rivals\n\n");
    text.push_str("Written by `cargo xtask bench`; not edited by hand.\n\n");
    write_setting(&mut text, run)?;
    write_goals(&mut text, tables)?;
    text.push_str(memory.unwrap_or("\nMemory and allocations were not counted in this run.\n"));
    for table in tables {
        write_table(&mut text, table)?;
    }
    write_contestants(&mut text)?;
    Ok(text)
}

fn write_setting(text: &mut String, run: &Run) -> fmt::Result {
    let Run { rounds, pinned, load_before } = run;
    let pinned = if *pinned { "each pinned to a core" } else { "not pinned" };
    writeln!(
        text,
        "- Machine: {}, {} cores, Linux {}",
        setting::cpu(),
        setting::cores(),
        setting::kernel()
    )?;
    writeln!(text, "- Load (1, 5, 15 minutes): {load_before} before, {} after", setting::load())?;
    writeln!(text, "- Date: {}", setting::now())?;
    writeln!(text, "- Compiler: {}, release, thin LTO, one codegen unit", setting::RUSTC)?;
    if setting::error_backtraces() {
        text.push_str("- Backtraces are on: rivals whose errors carry one pay for it\n");
    }
    writeln!(text, "- {rounds} rounds, threads {pinned}\n")?;
    text.push_str(METHOD);
    Ok(())
}

const METHOD: &str = "\
A sample is one batch of about 1.25 ms. Every round measures everyone once with one thread and once with two that share
one breaker, in an order that changes. A sample is dropped if a thread was interrupted in it or if two batches
overlapped less than 85 %, and is taken again, up to 8 times in all. Times are nanoseconds that one thread waits for one
call: median (least). Ratios are between samples of the same round: median [quartiles]; they hold from run to run, times
drift with the machine. `n` counts the clean samples with one and two threads. After each batch it is checked that all
its calls were let through, failed or were rejected as the case claims, and that the breaker says it is in that state,
if it says anything.

";

fn write_goals(text: &mut String, tables: &[Table]) -> fmt::Result {
    text.push_str("## Goals\n\n| goal | threads | against | ratio | at most | met |\n|---|---|---|---|---|---|\n");
    for goal in goals::all() {
        let found = tables
            .iter()
            .find(|table| table.key == goal.case)
            .and_then(|table| ratio(&goal, table));
        let (ratio, met) = match found {
            Some(found) => {
                (ratio_text(&found), if is_met(&goal, found.median) { "✔" } else { "✘" })
            }
            None => ("not measured".to_owned(), "–"),
        };
        let Goal { text: what, threads, against, at_most, .. } = goal;
        writeln!(text, "| {what} | {threads} | {against} | {ratio} | {at_most} | {met} |")?;
    }
    text.push_str("\nWhat holds back a goal that is missed stands in ARCHITECTURE.md, under \"Without the lock\".\n");
    Ok(())
}

fn ratio(goal: &Goal, table: &Table) -> Option<Summary> {
    ratio_between(table.row(goal.ours)?, table.row(goal.against)?, goal.threads)
}

fn ratio_between(ours: &Row, theirs: &Row, threads: usize) -> Option<Summary> {
    let (ours, theirs) = (ours.series(threads), theirs.series(threads));
    summary(paired_ratios(&ours.rounds, &theirs.rounds))
}

fn is_met(goal: &Goal, ratio: f64) -> bool {
    ratio <= goal.at_most
}

fn write_table(text: &mut String, table: &Table) -> fmt::Result {
    let Table { key, title, reference, absent, rows } = table;
    writeln!(text, "\n## {title} (`{key}`)\n")?;
    writeln!(
        text,
        "| contestant | 1 thread, ns | ratio to {reference} | 2 threads, ns | ratio to {reference} | n |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for row in rows {
        write_row(text, table, row)?;
    }
    let outs = rows.iter().filter_map(|row| Some((row.name(), row.out.as_ref()?)));
    let outs = outs.map(|(name, reason)| format!("{name} is out: {reason}."));
    let notes: Vec<String> = absent.iter().map(ToString::to_string).chain(outs).collect();
    if !notes.is_empty() {
        writeln!(text)?;
    }
    for note in notes {
        writeln!(text, "- {note}")?;
    }
    Ok(())
}

fn write_row(text: &mut String, table: &Table, row: &Row) -> fmt::Result {
    if row.out.is_some() {
        return writeln!(text, "| {} | out | – | out | – | – |", row.name());
    }
    write!(text, "| {} ", row.name())?;
    let mut counts = Vec::new();
    for threads in 1..=THREADS {
        let nanos = summary(clean(&row.series(threads).rounds));
        let time = nanos.map_or("–".to_owned(), |nanos| {
            format!("{} ({})", three_digits(nanos.median), three_digits(nanos.least))
        });
        let ratio = match table.row(table.reference) {
            Some(reference) if reference.name() == row.name() => nanos.map(|_| "1".to_owned()),
            Some(reference) => {
                ratio_between(row, reference, threads).map(|ratio| ratio_text(&ratio))
            }
            None => None,
        };
        write!(text, "| {time} | {} ", ratio.unwrap_or_else(|| "–".to_owned()))?;
        counts.push(nanos.map_or(0, |nanos| nanos.count).to_string());
    }
    writeln!(text, "| {} |", counts.join(" / "))
}

fn write_contestants(text: &mut String) -> fmt::Result {
    text.push_str("\n## Contestants\n\n| crate | version | configuration |\n|---|---|---|\n");
    for about in ABOUT {
        writeln!(
            text,
            "| {} | {} | {} |",
            about.package,
            setting::version(about.package),
            about.setup
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_its_ratio() {
        let goals = goals::all();
        let goal = goals.iter().find(|goal| goal.at_most == 0.25).unwrap();
        assert!(is_met(goal, 0.1) && is_met(goal, 0.25) && !is_met(goal, 0.26));
    }

    #[test]
    fn a_goal_nobody_ran_for_is_not_met_and_not_missed() {
        let run = Run { rounds: 1, pinned: false, load_before: String::new() };
        let text = markdown(&run, None, &[]).unwrap();
        let goals = text.lines().filter(|line| line.ends_with("| not measured | 0.25 | – |"));
        assert_eq!(goals.count(), 1, "{text}");
        assert!(!text.contains('✔') && !text.contains('✘'), "{text}");
    }
}
