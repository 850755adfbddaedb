//! `fuseboard circuits`: the circuits of a running server, looked at and steered by hand.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use fuseboard_core::policy::{Retry, Tripper};
use fuseboard_core::text::{format_duration, parse_duration};
use http::Method;
use serde_json::{Value, json};

use super::client::{Client, Undone};
use super::path::segment;
use super::remote::{Remote, Report, conclude};

mod show;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the circuits: state, for how long, why, when they try again
    #[command(after_help = "Example:\n  fuseboard circuits list")]
    List,
    /// Shows a circuit with its counts and rules
    #[command(after_help = "Example:\n  fuseboard circuits show payments")]
    Show {
        /// The circuit
        name: String,
    },
    /// Pins a circuit forced_open: no call goes through
    #[command(
        after_help = "Example:\n  fuseboard circuits open payments --for 30m --reason \"provider maintenance\""
    )]
    Open(Pin),
    /// Pins a circuit forced_closed: every call goes through, whatever comes of it
    #[command(
        after_help = "Example:\n  fuseboard circuits close payments --replay --reason \"provider says it is back\""
    )]
    Close {
        #[command(flatten)]
        pin: Pin,
        /// Also starts to replay its letters
        #[arg(long)]
        replay: bool,
    },
    /// Ends a circuit's pin: it goes by its rules again
    #[command(
        after_help = "Example:\n  fuseboard circuits auto payments --reason \"maintenance is over\""
    )]
    Auto(Order),
    /// Closes a circuit with an empty window, from any state
    #[command(
        after_help = "Example:\n  fuseboard circuits reset payments --reason \"bad deploy is gone\""
    )]
    Reset(Order),
    /// Pins a circuit disabled: every call goes through, and nothing is counted
    #[command(
        after_help = "Example:\n  fuseboard circuits disable payments --for 1h --reason \"load test\""
    )]
    Disable(Pin),
    /// Pins a circuit metrics_only: every call goes through and counts, and it never opens
    #[command(
        after_help = "Example:\n  fuseboard circuits metrics-only payments --for never --reason \"trying new rules\""
    )]
    MetricsOnly(Pin),
    /// Gives a circuit another trip or retry rule for a while, or its own ones back
    #[command(
        after_help = "Example:\n  fuseboard circuits override payments --trip \"failure_streak(2)\" --for 1h \
                      --reason \"risky release\""
    )]
    Override(Override),
}

#[derive(Debug, Args)]
struct Order {
    /// The circuit
    name: String,
    /// Why; it is kept in the audit log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct Pin {
    #[command(flatten)]
    order: Order,
    /// How long: a duration such as 30m, or never for without end [default: as configured, 90m]
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasting: Option<String>,
}

#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true, args = ["trip", "retry", "clear"])]
struct Override {
    #[command(flatten)]
    order: Order,
    /// When it opens, such as "failure_streak(2) | min_requests(10) & failure_rate(0.3)"
    #[arg(long, value_name = "RULE")]
    trip: Option<Tripper>,
    /// When it tries again, such as "cooldown(30s)" or "backoff(10s, max=5m)"
    #[arg(long, value_name = "RULE")]
    retry: Option<Retry>,
    /// How long: a duration such as 30m, or never for without end [default: as configured, 90m]
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasting: Option<String>,
    /// Ends the override: it has its own rules again
    #[arg(long, conflicts_with_all = ["trip", "retry", "lasting"])]
    clear: bool,
}

/// A duration as the API reads it.
fn lasting(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected a duration of 1ms or more, such as 30m, or never";
    if text == "never" {
        return Ok(text.to_owned());
    }
    match parse_duration(text) {
        Ok(time) if time >= Duration::from_millis(1) => Ok(format_duration(time).to_string()),
        _ => Err(EXPECTED),
    }
}

/// Does it, and says what came of it.
pub(super) fn run(options: Options) -> ExitCode {
    conclude(answer(options))
}

fn answer(Options { command, remote }: Options) -> Result<Report, Undone> {
    let client = remote.client()?;
    let of = |name: &str| format!("/v1/circuits/{}", segment(name));
    let answer = match command {
        Command::List => return Ok(remote.report(&client.get("/v1/circuits")?, show::list)),
        Command::Show { name } => {
            return Ok(remote.report(&client.get(&of(&name))?, show::circuit));
        }
        Command::Open(pin) => pin.send(&client, "open", false)?,
        Command::Close { pin, replay } => pin.send(&client, "close", replay)?,
        Command::Disable(pin) => pin.send(&client, "disable", false)?,
        Command::MetricsOnly(pin) => pin.send(&client, "metrics-only", false)?,
        Command::Reset(order) => order.send(&client, "reset")?,
        Command::Auto(order) => {
            let answer = order.send(&client, "auto")?;
            return Ok(ended(&remote, &answer));
        }
        Command::Override(change) => change.send(&client)?,
    };
    Ok(remote.report(&answer, show::done))
}

/// Ending a pin that is not there is nothing.
fn ended(remote: &Remote, answer: &Value) -> Report {
    let pinned = ["forced_open", "forced_closed", "metrics_only", "disabled"];
    match answer["previous_state"].as_str() {
        Some(before) if !pinned.contains(&before) => {
            remote.undone(answer, show::done(answer).trim_end().to_owned())
        }
        _ => remote.report(answer, show::done),
    }
}

impl Order {
    fn send(&self, client: &Client, action: &str) -> Result<Value, Undone> {
        let path = format!("/v1/circuits/{}/{action}", segment(&self.name));
        client.post(&path, &json!({ "reason": self.reason }))
    }
}

impl Pin {
    fn send(&self, client: &Client, action: &str, replay: bool) -> Result<Value, Undone> {
        let Pin { order: Order { name, reason }, lasting } = self;
        let mut body = json!({ "reason": reason });
        if let Some(lasting) = lasting {
            body["for"] = json!(lasting);
        }
        if replay {
            body["replay"] = json!(true);
        }
        client.post(&format!("/v1/circuits/{}/{action}", segment(name)), &body)
    }
}

impl Override {
    fn send(&self, client: &Client) -> Result<Value, Undone> {
        let Override { order: Order { name, reason }, trip, retry, lasting, clear } = self;
        let path = format!("/v1/circuits/{}/override", segment(name));
        let mut body = json!({ "reason": reason });
        if *clear {
            return client.ask(Method::DELETE, &path, Some(&body));
        }
        let rules = [
            ("trip", trip.as_ref().map(Tripper::to_string)),
            ("retry", retry.as_ref().map(Retry::to_string)),
        ];
        for (name, value) in rules.into_iter().chain([("for", lasting.clone())]) {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        client.ask(Method::PUT, &path, Some(&body))
    }
}
