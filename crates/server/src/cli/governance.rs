//! `fuseboard governance`: the gates over replay, looked at and set by hand.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::client::Undone;
use super::remote::{Remote, Report, conclude};

mod show;

const PATH: &str = "/v1/governance";

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says whether replay may go on, and who set what why
    #[command(after_help = "Example:\n  fuseboard governance show")]
    Show,
    /// Stops all replay, or lets it go on
    #[command(
        after_help = "Example:\n  fuseboard governance kill-switch on --reason \"replays make it worse\""
    )]
    KillSwitch {
        /// on: nothing is replayed; off: replay goes on
        #[arg(value_name = "on|off", value_parser = ["on", "off"], hide_possible_values = true)]
        switch: String,
        #[command(flatten)]
        why: Why,
    },
    /// Says how badly things stand; from level 2 on nothing is replayed
    #[command(
        after_help = "Example:\n  fuseboard governance emergency 2 --reason \"region is down\""
    )]
    Emergency {
        /// normal, 1 (people watch), 2 or 3 (nothing is replayed)
        #[arg(value_name = "LEVEL", value_parser = ["normal", "1", "2", "3"], hide_possible_values = true)]
        level: String,
        #[command(flatten)]
        why: Why,
    },
    /// Lists the error budgets; a circuit's letters are not replayed while its budget is spent
    #[command(after_help = "Example:\n  fuseboard governance budgets")]
    Budgets,
    /// Has a circuit's error budget begin anew: what was counted before is forgotten
    #[command(
        after_help = "Example:\n  fuseboard governance reset-budget payments --reason \"the outage was ours\""
    )]
    ResetBudget {
        /// The circuit
        name: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Why {
    /// Why; it is kept in the audit log
    #[arg(long)]
    reason: String,
}

/// Does it, and says what came of it.
pub(super) fn run(options: Options) -> ExitCode {
    conclude(answer(options))
}

fn answer(Options { command, remote }: Options) -> Result<Report, Undone> {
    let client = remote.client()?;
    let set = |name: &str, value: String, Why { reason }: Why| {
        let body = json!({ name: value, "reason": reason });
        client.ask(Method::PUT, PATH, Some(&body))
    };
    let (answer, in_words): (Value, fn(&Value) -> String) = match command {
        Command::Show => (client.get(PATH)?, show::status),
        Command::Budgets => (client.get(PATH)?, show::budgets),
        Command::KillSwitch { switch, why } => (set("kill_switch", switch, why)?, show::status),
        Command::Emergency { level, why } => (set("emergency_level", level, why)?, show::status),
        Command::ResetBudget { name, why } => (set("reset_budget", name, why)?, show::budgets),
    };
    Ok(remote.report(&answer, in_words))
}
