//! `fuseboard dlq`: the letters of a running server.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard_core::letter::Status;
use http::{Method, Uri};
use serde_json::{Value, json};

use super::client::{self, Client, Undone};
use super::{BAD_INPUT, log, print};

mod show;

/// Where the token is, if no file is given.
const TOKEN: &str = "FUSEBOARD_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
    /// The admin API of the server
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        value_parser = client::server
    )]
    server: Uri,
    /// A file that holds the token [default: the environment's FUSEBOARD_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Prints JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists letters, the lowest number first
    List(Filter),
    /// Shows a letter with all that is kept of it
    Show {
        /// The letter's number
        id: u64,
    },
    /// Sends a letter that is in review back into the queue
    Requeue(Order),
    /// Gives up a letter that is pending or in review
    Discard(Order),
}

#[derive(Debug, Args)]
struct Filter {
    /// Only letters of this circuit
    #[arg(long)]
    circuit: Option<String>,
    /// Only letters in this status, such as requires_review
    #[arg(long)]
    status: Option<Status>,
    /// At most this many, up to 500
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Only letters after this one
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

#[derive(Debug, Args)]
struct Order {
    /// The letter's number
    id: u64,
    /// Why; it is kept in the letter's history
    #[arg(long)]
    reason: String,
}

/// Does it, and says what came of it.
pub(super) fn run(options: Options) -> ExitCode {
    match answer(options) {
        Ok(text) => print(&text),
        Err(undone) => {
            log::say(&undone);
            match undone {
                Undone::BadInput(_) => ExitCode::from(BAD_INPUT),
                Undone::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn answer(options: Options) -> Result<String, Undone> {
    let Options { command, server, token_file, json } = options;
    let client = Client::new(server, token(token_file)?.as_deref())?;
    let (answer, in_words): (Value, fn(&Value) -> String) = match command {
        Command::List(filter) => (client.ask(Method::GET, &filter.path(), None)?, show::list),
        Command::Show { id } => {
            (client.ask(Method::GET, &format!("/v1/letters/{id}"), None)?, show::letter)
        }
        Command::Requeue(order) => (order.send(&client, "requeue")?, show::done),
        Command::Discard(order) => (order.send(&client, "discard")?, show::done),
    };
    Ok(if json { format!("{answer}\n") } else { in_words(&answer) })
}

/// What is in the file, or else in the environment; none if neither is given.
fn token(file: Option<PathBuf>) -> Result<Option<String>, Undone> {
    let Some(file) = file else {
        return Ok(std::env::var(TOKEN).ok().filter(|token| !token.is_empty()));
    };
    let unusable =
        |why: &str| Undone::BadInput(format!("--token-file: `{}`: {why}", file.display()));
    let text = fs::read_to_string(&file).map_err(|error| unusable(&error.to_string()))?;
    match text.trim() {
        "" => Err(unusable("expected a token in it")),
        token => Ok(Some(token.to_owned())),
    }
}

impl Filter {
    fn path(&self) -> String {
        let mut path = format!("/v1/letters?limit={}", self.limit);
        // Writing to a string cannot fail.
        if let Some(circuit) = &self.circuit {
            let _ = write!(path, "&circuit={}", percent_encoded(circuit));
        }
        if let Some(status) = self.status {
            let _ = write!(path, "&status={status}");
        }
        if let Some(after) = self.after {
            let _ = write!(path, "&after={after}");
        }
        path
    }
}

impl Order {
    fn send(&self, client: &Client, what: &str) -> Result<Value, Undone> {
        let path = format!("/v1/letters/{}/{what}", self.id);
        client.ask(Method::POST, &path, Some(&json!({ "reason": self.reason })))
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}
