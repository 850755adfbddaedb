//! What all commands about a running server have in common: where it is, who asks, and how the answer is told.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Uri;
use serde_json::Value;

use super::client::{self, Client, Undone};
use super::{BAD_INPUT, log, print};

/// Where the token is, if no file is given.
const TOKEN: &str = "FUSEBOARD_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The admin API of the server
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        value_parser = client::server,
        display_order = 100
    )]
    server: Uri,
    /// A file that holds the token [default: the environment's FUSEBOARD_TOKEN]
    #[arg(long, global = true, value_name = "FILE", display_order = 101)]
    token_file: Option<PathBuf>,
    /// Prints JSON, for programs
    #[arg(long, global = true, display_order = 102)]
    pub(super) json: bool,
}

/// What a command came to.
#[derive(Debug)]
pub(super) struct Report {
    /// For standard output.
    text: String,
    /// Why nothing was done, if nothing was.
    undone: Option<String>,
}

impl Report {
    pub(super) fn done(text: String) -> Self {
        Report { text, undone: None }
    }
}

impl Remote {
    pub(super) fn client(&self) -> Result<Client, Undone> {
        Client::new(self.server.clone(), token(self.token_file.as_ref())?.as_deref())
    }

    /// An answer for whoever asked: as it came, or in words.
    pub(super) fn report(&self, answer: &Value, in_words: impl Fn(&Value) -> String) -> Report {
        Report::done(if self.json { format!("{answer}\n") } else { in_words(answer) })
    }

    /// An answer that says that nothing was done. Only programs want to see all of it.
    pub(super) fn undone(&self, answer: &Value, why: String) -> Report {
        let text = if self.json { format!("{answer}\n") } else { String::new() };
        Report { text, undone: Some(why) }
    }
}

/// Says what came of it.
pub(super) fn conclude(came: Result<Report, Undone>) -> ExitCode {
    let undone = match came {
        Ok(Report { text, undone: None }) => return print(&text),
        Ok(Report { text, undone: Some(why) }) => {
            // It ends with a failure in any case.
            print(&text);
            Undone::Failed(why)
        }
        Err(undone) => undone,
    };
    log::say(&undone);
    match undone {
        Undone::BadInput(_) => ExitCode::from(BAD_INPUT),
        Undone::Failed(_) => ExitCode::FAILURE,
    }
}

/// What is in the file, or else in the environment; none if neither is given.
fn token(file: Option<&PathBuf>) -> Result<Option<String>, Undone> {
    let Some(file) = file else {
        return Ok(std::env::var(TOKEN).ok().filter(|token| !token.is_empty()));
    };
    let unusable =
        |why: &str| Undone::BadInput(format!("--token-file: `{}`: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| unusable(&error.to_string()))?;
    match text.trim() {
        "" => Err(unusable("expected a token in it")),
        token => Ok(Some(token.to_owned())),
    }
}
