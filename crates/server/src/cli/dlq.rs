//! `fuseboard dlq`: the letters of a running server, and the jobs that replay them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::Undone;
use super::remote::{Remote, Report, conclude};

mod jobs;
mod list;
mod replay;
mod show;
mod transfer;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists letters, the lowest number first
    #[command(
        after_help = "Example:\n  fuseboard dlq list --circuit payments --status requires_review"
    )]
    List(list::List),
    /// Shows a letter with all that is kept of it
    #[command(after_help = "Example:\n  fuseboard dlq show 7")]
    Show {
        /// The letter's number
        id: u64,
    },
    /// Sends letters again now: one, or many in a job, which goes on if this command is interrupted
    #[command(after_help = "Examples:\n  fuseboard dlq replay 7 --reason \"address fixed\"\n  \
                      fuseboard dlq replay 7 --header \"authorization: Bearer abc\" --reason \"withheld\"\n  \
                      fuseboard dlq replay --circuit payments --max 500 --reason \"provider is back\"")]
    Replay(replay::Replay),
    /// Lists the jobs that run and the latest that ended, the newest first
    #[command(after_help = "Example:\n  fuseboard dlq jobs")]
    Jobs,
    /// Shows a job with what came of its letters
    #[command(after_help = "Example:\n  fuseboard dlq job 3")]
    Job {
        /// The job's number
        id: u64,
    },
    /// Stops a job after the letter that is on its way
    #[command(
        after_help = "Example:\n  fuseboard dlq cancel 3 --reason \"provider asked us to stop\""
    )]
    Cancel(Order),
    /// Sends a letter that is in review back into the queue
    #[command(after_help = "Example:\n  fuseboard dlq requeue 7 --reason \"address fixed\"")]
    Requeue(Order),
    /// Gives up a letter that is pending or in review
    #[command(
        after_help = "Example:\n  fuseboard dlq discard 7 --reason \"customer paid by card\""
    )]
    Discard(Order),
    /// Writes letters with all that is kept of them, one JSON line each: credentials, too
    #[command(after_help = "Example:\n  fuseboard dlq export payments.jsonl --circuit payments")]
    Export(transfer::Export),
    /// Takes in letters that another server exported, under new numbers
    #[command(
        after_help = "Example:\n  fuseboard dlq import payments.jsonl --reason \"moving from eu-1\""
    )]
    Import(transfer::Import),
}

#[derive(Debug, Args)]
struct Order {
    /// The number
    id: u64,
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
    let order = |order: Order, what: &str| {
        let path = format!("/v1/letters/{}/{what}", order.id);
        let done = client.post(&path, &json!({ "reason": order.reason }))?;
        Ok(remote.report(&done, show::done))
    };
    match command {
        Command::List(list) => Ok(remote.report(&list.ask(&client)?, show::list)),
        Command::Show { id } => {
            Ok(remote.report(&client.get(&format!("/v1/letters/{id}"))?, show::letter))
        }
        Command::Replay(replay) => replay.run(&client, &remote),
        Command::Jobs => Ok(remote.report(&client.get("/v1/jobs")?, jobs::list)),
        Command::Job { id } => {
            Ok(remote.report(&client.get(&format!("/v1/jobs/{id}"))?, jobs::job))
        }
        Command::Cancel(Order { id, reason }) => {
            let path = format!("/v1/jobs/{id}/cancel");
            let job = client.post(&path, &json!({ "reason": reason }))?;
            Ok(remote.report(&job, |_| format!("job {id} stops\n")))
        }
        Command::Requeue(letter) => order(letter, "requeue"),
        Command::Discard(letter) => order(letter, "discard"),
        Command::Export(export) => export.run(&client),
        Command::Import(import) => import.run(&client, &remote),
    }
}
