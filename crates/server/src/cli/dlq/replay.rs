//! Replay by hand: one letter, or many in a job that is watched until it ends.

use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::{HeaderName, Method};
use serde_json::{Value, json};

use super::jobs;
use crate::cli::client::{Client, Undone, pause};
use crate::cli::remote::{Remote, Report};
use crate::cli::table::plain;

/// How often a job is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one replay may take: more than any service that is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true, args = ["id", "all", "circuit", "domain", "failure"])]
pub(super) struct Replay {
    /// The letter's number
    #[arg(conflicts_with_all = ["all", "circuit", "domain", "failure"])]
    id: Option<u64>,
    /// Letters of all circuits
    #[arg(long, conflicts_with_all = ["circuit", "domain", "failure"])]
    all: bool,
    /// Letters of this circuit
    #[arg(long)]
    circuit: Option<String>,
    /// Letters of this domain
    #[arg(long)]
    domain: Option<String>,
    /// Letters captured for this reason, such as timeout
    #[arg(long)]
    failure: Option<String>,
    /// The value of a header that the letter lacks because no letter may keep it, as `name: value`; `name:` to go without
    #[arg(long = "header", value_name = "HEADER", requires = "id")]
    headers: Vec<Header>,
    #[command(flatten)]
    how: How,
    /// Why; it is kept in the audit log
    #[arg(long)]
    reason: String,
    /// Goes on although governance blocks replay; that is audited, too
    #[arg(long = "override")]
    override_gate: bool,
}

/// What is given for a header that no letter keeps.
#[derive(Clone, Debug)]
struct Header {
    name: String,
    /// `None`: it may go without.
    value: Option<String>,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RIGHT: &str = "expected `name: value`, or `name:` to go without";
        let (name, value) = text.split_once(':').ok_or(RIGHT)?;
        HeaderName::from_str(name).map_err(|_| RIGHT)?;
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        Ok(Header { name: name.to_owned(), value })
    }
}

/// What only many letters take.
#[derive(Debug, Args)]
struct How {
    /// Says which letters would go, and does nothing
    #[arg(long, conflicts_with = "id")]
    dry_run: bool,
    /// At most this many letters [default: as configured, 100]
    #[arg(long, value_name = "N", conflicts_with = "id", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max: Option<u32>,
    /// At most so many letters a second
    #[arg(long, value_name = "N", conflicts_with = "id", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// The most urgent domains first: critical, normal, low
    #[arg(long, conflicts_with_all = ["id", "domain"])]
    priority: bool,
    /// Chooses by itself how many letters go
    #[arg(long, conflicts_with_all = ["id", "max"])]
    adaptive: bool,
    /// Does not wait for the job's end
    #[arg(long, conflicts_with = "id")]
    detach: bool,
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && rate.is_finite());
    rate.ok_or("expected a number of letters a second, above 0, such as 5 or 0.5")
}

impl Replay {
    pub(super) fn run(self, client: &Client, remote: &Remote) -> Result<Report, Undone> {
        if let Some(id) = self.id {
            return self.single(id, client, remote);
        }
        let job = client.post("/v1/letters/replay", &self.order())?;
        if self.how.detach {
            return Ok(remote.report(&job, jobs::begun));
        }
        let job = watch(job, client, remote)?;
        Ok(match jobs::shortfall(&job) {
            Some(why) => remote.undone(&job, why),
            None => remote.report(&job, jobs::job),
        })
    }

    fn single(&self, id: u64, client: &Client, remote: &Remote) -> Result<Report, Undone> {
        let mut order = json!({ "reason": self.reason, "override": self.override_gate });
        for Header { name, value } in &self.headers {
            order["headers"][name] = json!(value);
        }
        let path = format!("/v1/letters/{id}/replay");
        let result = client.ask_within(PATIENCE, Method::POST, &path, Some(&order))?;
        let says = |fields: &[&str]| {
            let said = fields.iter().map(|field| result[*field].as_str().unwrap_or_default());
            said.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
        };
        Ok(match result["success"] == true && result["skipped"] != true {
            true => remote
                .report(&result, |_| format!("letter {id} is {}\n", says(&["status", "message"]))),
            false => {
                let why = says(&["error", "message"]);
                remote.undone(&result, format!("letter {id} was not replayed: {why}"))
            }
        })
    }

    fn order(&self) -> Value {
        let Replay { circuit, domain, failure, how, reason, override_gate, .. } = self;
        let How { dry_run, max, rate, priority, adaptive, .. } = how;
        let mut order = json!({ "reason": reason });
        let given = [
            ("circuit", circuit.as_ref().map(|name| json!(name))),
            ("domain", domain.as_ref().map(|name| json!(name))),
            ("failure", failure.as_ref().map(|name| json!(name))),
            ("max", max.map(|max| json!(max))),
            ("rate", rate.map(|rate| json!(rate))),
        ];
        let switches = [
            ("priority", *priority),
            ("adaptive", *adaptive),
            ("dry_run", *dry_run),
            ("override", *override_gate),
        ];
        let switches = switches.map(|(name, on)| (name, on.then_some(json!(true))));
        for (name, value) in given.into_iter().chain(switches) {
            if let Some(value) = value {
                order[name] = value;
            }
        }
        order
    }
}

/// Waits for the job's end, and says how far it is to whoever sits before a terminal.
fn watch(mut job: Value, client: &Client, remote: &Remote) -> Result<Value, Undone> {
    let id = plain(&job["id"]);
    let mut progress = Progress::new(remote.json);
    progress.say(&jobs::begun(&job));
    while job["status"] == "running" {
        progress.now(&job);
        pause(LOOK_EVERY)?;
        job = client.get(&format!("/v1/jobs/{id}")).inspect_err(|_| progress.end()).map_err(
            |undone| {
                Undone::Failed(format!(
                    "job {id} may go on, but nothing more is known of it: {undone}"
                ))
            },
        )?;
    }
    progress.end();
    Ok(job)
}

/// A line on standard error that is written over and over, on a terminal.
struct Progress {
    is_wanted: bool,
    written: usize,
}

impl Progress {
    fn new(for_programs: bool) -> Self {
        Progress { is_wanted: !for_programs && std::io::stderr().is_terminal(), written: 0 }
    }

    fn say(&self, text: &str) {
        if self.is_wanted {
            // Whoever does not read it does not miss it.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    fn now(&mut self, job: &Value) {
        let line = jobs::counts(job);
        self.say(&format!("\r{line:<width$}", width = self.written));
        self.written = line.chars().count();
    }

    fn end(&mut self) {
        if self.written > 0 {
            self.say(&format!("\r{:width$}\r", "", width = self.written));
        }
    }
}
