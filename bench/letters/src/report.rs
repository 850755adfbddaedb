//! The results as Markdown.

use std::fmt::{self, Write as _};

use fuseboard_bench_common::setting;
use fuseboard_bench_common::stats::{clean, paired_ratios, ratio_text, summary, three_digits};

use crate::captures::{CALLERS, Captures, GROUPS, Row};
use crate::draft::BODY;
use crate::floors::GROUP;
use crate::goals::{self, in_words};
use crate::options::Options;
use crate::place::{Engine, Setting};
use crate::queue::Case;
use crate::replay::CONCURRENCY;
use crate::sizes::{self, CLAIMED_AT_ONCE, CLAIMERS, SMALL, Size, Work};

/// All that was measured.
pub(crate) struct Found {
    pub(crate) setting: Setting,
    pub(crate) captures: Captures,
    pub(crate) queues: Vec<Case>,
    pub(crate) sizes: Vec<Size>,
}

/// The whole report.
pub(crate) fn markdown(options: &Options, found: &Found) -> Result<String, fmt::Error> {
    let mut text = String::from("# Letters in store, beside bare inserts and a queue\n\n");
    text.push_str("Written by `cargo xtask bench`; not edited by hand.\n\n");
    write_setting(&mut text, options, found)?;
    write_goals(&mut text, found)?;
    for engine in Engine::ALL {
        write_captures(&mut text, engine, &found.captures.rows)?;
    }
    write_queues(&mut text, &found.queues)?;
    write_sizes(&mut text, &found.sizes)?;
    Ok(text)
}

fn write_setting(text: &mut String, options: &Options, found: &Found) -> fmt::Result {
    let Setting { load_before, file_system, sqlite, postgres, postgres_settings, queue } =
        &found.setting;
    let (cpu, cores, kernel) = (setting::cpu(), setting::cores(), setting::kernel());
    writeln!(text, "- Machine: {cpu}, {cores} cores, Linux {kernel}, {file_system}")?;
    if let Some(syncs) = summary(found.captures.syncs.clone()) {
        let syncs = three_digits(syncs.median);
        writeln!(text, "- Disk: {syncs} writes of 4 KiB a second, each synced before the next")?;
    }
    let after = setting::load();
    writeln!(text, "- Load (1, 5, 15 minutes): {load_before} before, {after} after")?;
    writeln!(text, "- Date: {}", setting::now())?;
    writeln!(text, "- Compiler: {}, release, thin LTO, one codegen unit", setting::RUSTC)?;
    let version = setting::version;
    let (rusqlite, tokio_postgres) = (version("rusqlite"), version("tokio-postgres"));
    writeln!(
        text,
        "- SQLite {sqlite} (rusqlite {rusqlite}), PostgreSQL {postgres} (tokio-postgres {tokio_postgres}), pgmq {queue}"
    )?;
    writeln!(text, "- PostgreSQL: {}", postgres_settings.join(", "))?;
    let (rounds, sample) = (options.rounds, options.sample.as_millis());
    let rounds = if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
    writeln!(text, "- {rounds}, samples of {sample} ms or {} letters\n", options.letters)?;
    text.push_str(METHOD);
    Ok(())
}

const METHOD: &str = "\
Every round measures everyone once, one after the other, in an order that changes; databases and the PostgreSQL server, which
is started for this and stopped, lie on the same disk. Everything counted is safe on disk when it is counted: `synchronous=FULL` in
SQLite, `synchronous_commit=on` in PostgreSQL, `fsync` in both. Numbers are letters a second: median. Ratios are between
samples of the same round: median [quartiles]; above 1 is faster. They hold from run to run, rates are those of the disk.

";

fn write_goals(text: &mut String, found: &Found) -> fmt::Result {
    text.push_str(
        "## Goals\n\n| goal | against | ratio | at least | met |\n|---|---|---|---|---|\n",
    );
    for goal in goals::all(&found.captures, &found.sizes, &found.queues) {
        let ratio = goal.ratio.as_ref().map_or("not measured".to_owned(), ratio_text);
        let met = match goal.is_met() {
            Some(true) => "✔",
            Some(false) => "✘",
            None => "–",
        };
        writeln!(
            text,
            "| {} | {} | {ratio} | {} | {met} |",
            goal.what, goal.against, goal.at_least
        )?;
    }
    Ok(())
}

fn write_captures(text: &mut String, engine: Engine, rows: &[Row]) -> fmt::Result {
    writeln!(text, "\n## Captures: {}\n", engine.name())?;
    writeln!(
        text,
        "Letters with bodies of {BODY} bytes, new ones all, acknowledged. The floors are tables of six columns with no index \
         but their key; the group commit takes what has gathered, up to {GROUP} rows, as the store does.\n"
    )?;
    let of = |callers| format!(" {} | ratio |", in_words(callers));
    writeln!(text, "| who |{}", CALLERS.map(of).concat())?;
    writeln!(text, "|---{}|", "|---".repeat(2 * CALLERS.len()))?;
    let floor = rows.iter().find(|row| row.engine == engine && row.name == GROUPS);
    for row in rows.iter().filter(|row| row.engine == engine) {
        write!(text, "| {} |", row.name)?;
        for number in 0..CALLERS.len() {
            let rates = &row.rates[number];
            let ratio = floor.map(|floor| ratio_to(rates, &floor.rates[number]));
            let ratio = if row.name == GROUPS { Some("1".to_owned()) } else { ratio };
            write!(text, " {} | {} |", median(rates), ratio.unwrap_or_default())?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn write_queues(text: &mut String, cases: &[Case]) -> fmt::Result {
    writeln!(
        text,
        "\n## Beside a queue: PostgreSQL\n\nWith as many letters in flight as messages, bodies of {BODY} bytes, eight connections \
         each. The store groups what comes at the same time, so each letter has a caller of its own; pgmq is given its batches. \
         pgmq keeps a message and when it was sent and read; a letter has its history, its place in lists and counts, a token, \
         and is looked up by its key so that it is kept once.\n"
    )?;
    text.push_str(
        "| what | in flight | who | a second | fuseboard by it |\n|---|---|---|---|---|\n",
    );
    for Case { title, in_flight, ours, rivals } in cases {
        writeln!(text, "| {title} | {in_flight} | fuseboard | {} | 1 |", median(ours))?;
        for (name, rates) in rivals {
            let ratio = ratio_to(ours, rates);
            writeln!(text, "| {title} | {in_flight} | {name} | {} | {ratio} |", median(rates))?;
        }
    }
    Ok(())
}

fn write_sizes(text: &mut String, all: &[Size]) -> fmt::Result {
    let callers = sizes::CALLERS;
    writeln!(
        text,
        "\n## With more letters in store\n\nAll of one circuit, pending and due, with bodies of {SMALL} bytes. Captures and settles by \
         {callers} callers, claims of {CLAIMED_AT_ONCE} by {CLAIMERS}; replay by the replay service from a standing start, up to \
         {CONCURRENCY} letters in flight, each claimed and settled for itself, with a deliverer that answers at once.\n"
    )?;
    text.push_str("| store | letters |");
    Work::ALL.iter().for_each(|work| text.push_str(&format!(" {} | ratio |", work.name())));
    writeln!(text, " MB on disk | filled in |")?;
    writeln!(text, "|---|---{}|---|---|", "|---".repeat(2 * Work::ALL.len()))?;
    for size in all {
        let Size { engine, letters, rates, bytes, filled_in } = size;
        write!(text, "| {} | {letters} |", engine.name())?;
        let fewest = all.iter().find(|fewest| fewest.engine == *engine);
        for (number, rates) in rates.iter().enumerate() {
            let ratio = match fewest {
                Some(fewest) if fewest.letters != *letters => {
                    ratio_to(rates, &fewest.rates[number])
                }
                _ => "1".to_owned(),
            };
            write!(text, " {} | {ratio} |", median(rates))?;
        }
        writeln!(text, " {} | {} s |", bytes / 1_000_000, filled_in.as_secs())?;
    }
    Ok(())
}

fn median(rates: &[Option<f64>]) -> String {
    summary(clean(rates)).map_or("–".to_owned(), |rates| three_digits(rates.median))
}

fn ratio_to(ours: &[Option<f64>], theirs: &[Option<f64>]) -> String {
    summary(paired_ratios(ours, theirs)).map_or("–".to_owned(), |ratio| ratio_text(&ratio))
}
