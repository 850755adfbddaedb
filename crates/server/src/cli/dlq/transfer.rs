//! Letters as JSON Lines: out of a server, and into another.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use http::Method;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::list::Filter;
use crate::cli::client::{Client, Undone};
use crate::cli::remote::{Remote, Report};
use crate::cli::table::{entries, plain};
use std::time::Duration;

/// How many letters go over at once, and how many bytes, more or less: bodies can be large.
const LETTERS: usize = 50;
const BYTES: usize = 4 << 20;
/// How long so many letters may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// In place of a file's name: standard output, or standard input.
const STANDARD: &str = "-";

#[derive(Debug, Args)]
pub(super) struct Export {
    /// A file that is not there yet, or - for standard output
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// What an export wrote, or - for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Why; it is kept in the audit log and in the letters' histories
    #[arg(long)]
    reason: String,
}

impl Export {
    pub(super) fn run(&self, client: &Client) -> Result<Report, Undone> {
        if self.file.as_os_str() == STANDARD {
            let unwritten = |error| Undone::Failed(format!("standard output: {error}"));
            self.write(client, &mut BufWriter::new(io::stdout().lock()), &unwritten)?;
            return Ok(Report::done(String::new()));
        }
        let unwritten = |error: io::Error| bad_file(&self.file, &error);
        if self.file.exists() {
            let why = "it is there already: expected a file that is not";
            return Err(Undone::BadInput(format!("{}: {why}", self.file.display())));
        }
        // Under its name it is whole. Nobody else may read it: it may have credentials.
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut part =
            NamedTempFile::new_in(folder.unwrap_or(FilePath::new("."))).map_err(unwritten)?;
        let letters = self.write(client, &mut BufWriter::new(&mut part), &unwritten)?;
        part.as_file().sync_all().map_err(unwritten)?;
        part.persist_noclobber(&self.file).map_err(|error| unwritten(error.error))?;
        Ok(Report::done(format!("{letters} letters are in {}\n", self.file.display())))
    }

    /// Writes all letters, and says how many.
    fn write(
        &self,
        client: &Client,
        out: &mut impl Write,
        unwritten: &impl Fn(io::Error) -> Undone,
    ) -> Result<usize, Undone> {
        let path = self.filter.of("/v1/letters/export").with("limit", Some(LETTERS));
        let (mut letters, mut after) = (0, None);
        loop {
            let path = path.clone().with("after", after);
            let page = client.ask_within(PATIENCE, Method::GET, path.as_str(), None)?;
            for letter in entries(&page["letters"]) {
                writeln!(out, "{letter}").map_err(unwritten)?;
                letters += 1;
            }
            after = page["next"].as_i64();
            if after.is_none() {
                out.flush().map_err(unwritten)?;
                return Ok(letters);
            }
        }
    }
}

impl Import {
    pub(super) fn run(&self, client: &Client, remote: &Remote) -> Result<Report, Undone> {
        let input: Box<dyn BufRead> = match self.file.as_os_str() == STANDARD {
            true => Box::new(io::stdin().lock()),
            false => {
                let file = File::open(&self.file).map_err(|error| bad_file(&self.file, &error))?;
                Box::new(BufReader::new(file))
            }
        };
        let mut taken = Taken::default();
        let mut batch = Batch::default();
        for (line, text) in (1..).zip(input.lines()) {
            let text = text.map_err(|error| bad_file(&self.file, &error))?;
            if text.trim().is_empty() {
                continue;
            }
            let letter = serde_json::from_str(&text).map_err(|error| {
                let why = format!(
                    "{}:{line}: {error}: expected a letter of an export",
                    self.file.display()
                );
                Undone::BadInput(format!("{why}; {}", taken.so_far()))
            })?;
            batch.add(line, letter, text.len());
            if batch.is_full() {
                self.send(client, &mut batch, &mut taken)?;
            }
        }
        self.send(client, &mut batch, &mut taken)?;
        Ok(taken.report(remote, &self.file))
    }

    fn send(&self, client: &Client, batch: &mut Batch, taken: &mut Taken) -> Result<(), Undone> {
        let Batch { lines, letters, .. } = std::mem::take(batch);
        if letters.is_empty() {
            return Ok(());
        }
        let order = json!({ "reason": self.reason, "letters": letters });
        let path = "/v1/letters/import";
        let answer = client.ask_within(PATIENCE, Method::POST, path, Some(&order));
        let answer = answer.map_err(|undone| undone.with(&taken.so_far()))?;
        taken.imported.extend_from_slice(entries(&answer["imported"]));
        for one in entries(&answer["refused"]) {
            let index = one["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            let line = index.and_then(|index| lines.get(index).copied());
            taken.refused.push(json!({ "line": line, "error": one["error"] }));
        }
        Ok(())
    }
}

/// Letters that go over at once.
#[derive(Debug, Default)]
struct Batch {
    /// The line of each.
    lines: Vec<usize>,
    letters: Vec<Value>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, line: usize, letter: Value, bytes: usize) {
        self.lines.push(line);
        self.letters.push(letter);
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.letters.len() >= LETTERS || self.bytes >= BYTES
    }
}

/// What the server made of the letters so far.
#[derive(Debug, Default)]
struct Taken {
    imported: Vec<Value>,
    refused: Vec<Value>,
}

impl Taken {
    fn so_far(&self) -> String {
        format!("{} letters were imported before", self.imported.len())
    }

    /// A letter that was not taken must not be overlooked, even if others were.
    fn report(&self, remote: &Remote, file: &FilePath) -> Report {
        let Taken { imported, refused } = self;
        let answer = json!({ "imported": imported, "refused": refused });
        let counts =
            format!("{} letters were imported, {} were not", imported.len(), refused.len());
        match refused.first() {
            Some(first) => {
                let (line, error) = (plain(&first["line"]), plain(&first["error"]));
                remote
                    .undone(&answer, format!("{counts}, first {}:{line}: {error}", file.display()))
            }
            None if imported.is_empty() => {
                remote.undone(&answer, format!("{}: no letters in it", file.display()))
            }
            None => {
                remote.report(&answer, |_| format!("{} letters were imported\n", imported.len()))
            }
        }
    }
}

fn bad_file(file: &FilePath, error: &io::Error) -> Undone {
    Undone::BadInput(format!("{}: {error}", file.display()))
}
