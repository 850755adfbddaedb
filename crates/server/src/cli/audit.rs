//! `fuseboard audit`: who did what to what, and why.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fuseboard_core::text::parse_duration;
use fuseboard_core::time::{Clock, SystemClock};
use jiff::Timestamp;
use serde_json::Value;

use super::client::{Client, Undone, pause};
use super::path::Path;
use super::remote::{Remote, Report, conclude};
use super::table::{entries, heading, plain, table};

/// How often a log that is followed is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// As many records as a page may have.
const PAGE: u16 = 500;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fuseboard audit --target circuit/payments --since 2h")]
pub(super) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// The latest so many, up to 500
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=i64::from(PAGE)))]
    limit: u16,
    /// Goes on with what is done from now on, until it is interrupted; with --json one record a line
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only what this one did: the name of a token, admin or system
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only what was done to this, such as letter/7, circuit/payments or setting/kill_switch
    #[arg(long)]
    target: Option<String>,
    /// Only what was done in this way, such as letter.requeue
    #[arg(long)]
    action: Option<String>,
    /// Only from then on: how long ago, such as 2h, or a time such as 2026-01-31T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
}

fn since(text: &str) -> Result<Timestamp, &'static str> {
    const EXPECTED: &str =
        "expected how long ago, such as 2h, or a time such as 2026-01-31T03:00:00Z";
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = parse_duration(text).map_err(|_| EXPECTED)?;
    let millis = SystemClock::new().wall().as_unix_millis();
    let now = Timestamp::from_millisecond(millis).map_err(|_| EXPECTED)?;
    now.checked_sub(ago).map_err(|_| EXPECTED)
}

/// Prints what is in the log.
pub(super) fn run(options: Options) -> ExitCode {
    conclude(answer(&options))
}

fn answer(options: &Options) -> Result<Report, Undone> {
    let client = options.remote.client()?;
    let page = client.get(options.filter.page(options.limit, None).as_str())?;
    if options.follow {
        return follow(options, &client, &page);
    }
    Ok(options.remote.report(&page, |page| match entries(&page["records"]) {
        [] => "no records\n".to_owned(),
        records => table(&rows(records.iter().rev())),
    }))
}

/// The latest first, as the API has them; a log is read the other way round.
fn follow(options: &Options, client: &Client, first: &Value) -> Result<Report, Undone> {
    let mut news = entries(&first["records"]).to_vec();
    let mut last = 0;
    let mut titles = true;
    loop {
        news.reverse();
        let latest = news.iter().filter_map(|record| record["id"].as_i64()).max();
        last = last.max(latest.unwrap_or(0));
        if !news.is_empty() {
            let text = lines(&news, options.remote.json, titles);
            titles = false;
            let mut out = std::io::stdout().lock();
            if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
                // Whoever read this has seen enough.
                return Ok(Report::done(String::new()));
            }
        }
        pause(LOOK_EVERY)?;
        news = options.filter.news(client, last)?;
    }
}

fn lines(records: &[Value], json: bool, titles: bool) -> String {
    match json {
        true => records.iter().map(|record| format!("{record}\n")).collect(),
        false => {
            let all = table(&rows(records.iter()));
            let after_titles = all.split_once('\n').map_or("", |(_, rest)| rest);
            if titles { all } else { after_titles.to_owned() }
        }
    }
}

fn rows<'a>(records: impl Iterator<Item = &'a Value>) -> Vec<Vec<String>> {
    let titles = ["AT", "ACTOR", "ACTION", "TARGET", "REASON", "BEFORE", "AFTER"];
    let names = ["at", "actor", "action", "subject", "reason", "before", "after"];
    let row = |record: &Value| names.map(|name| plain(&record[name])).to_vec();
    let mut rows = vec![heading(&titles)];
    rows.extend(records.map(row));
    rows
}

impl Filter {
    fn page(&self, limit: u16, after: Option<i64>) -> Path {
        Path::new("/v1/audit")
            .with("limit", Some(limit))
            .with("actor", self.actor.as_ref())
            .with("subject", self.target.as_ref())
            .with("action", self.action.as_ref())
            .with("since", self.since)
            .with("after", after)
    }

    /// The records above that number, the latest first.
    fn news(&self, client: &Client, last: i64) -> Result<Vec<Value>, Undone> {
        let (mut news, mut after) = (Vec::new(), None);
        loop {
            let page = client.get(self.page(PAGE, after).as_str())?;
            let records = entries(&page["records"]);
            let is_new = |record: &&Value| record["id"].as_i64().is_some_and(|id| id > last);
            let before = news.len();
            news.extend(records.iter().filter(is_new).cloned());
            after = page["next"].as_i64();
            if after.is_none() || news.len() - before < records.len() {
                return Ok(news);
            }
        }
    }
}
