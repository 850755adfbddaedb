//! `cargo xtask tidy`: the house rules as checks over the files that git knows.

mod boundaries;
mod clocks;
mod edges;
mod honest_tests;
mod lexer;
mod paths;
mod shape;
mod source;
#[cfg(test)]
mod table;
mod words;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use source::Source;

/// One breach of a house rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    wrong: String,
    right: String,
}

impl Violation {
    fn new(path: &str, line: usize, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, wrong: wrong.into(), right: right.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.wrong, self.right)
    }
}

/// An exception to a rule: the file's path, and why it may.
type Allowed = (&'static str, &'static str);

fn is_allowed(list: &[Allowed], path: &str) -> bool {
    list.iter().any(|(allowed, _reason)| *allowed == path)
}

/// Why the rules could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{command}` did not start: {source}")]
    Start { command: &'static str, source: io::Error },
    #[error("`{command}` failed: {stderr}")]
    Failed { command: &'static str, stderr: String },
    #[error("{path} cannot be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("cargo metadata is not the JSON that was expected: {0}")]
    Metadata(#[from] serde_json::Error),
}

/// The rules that look at one Rust file at a time.
const FILE_RULES: &[fn(&Source) -> Vec<Violation>] = &[
    shape::opens_with_its_idea,
    shape::file_length,
    shape::line_width,
    shape::function_length,
    shape::module_style,
    clocks::clocks,
    clocks::randomness,
    honest_tests::no_ignored_tests,
    honest_tests::sleeps_say_what_they_wait_for,
    honest_tests::test_files_hold_tests,
    words::no_leftovers,
    words::no_unsafe,
    boundaries::sql_stays_in_the_store,
];

/// Prints every violation and a closing line; fails if there was one.
pub(crate) fn run(root: &Path) -> ExitCode {
    match violations(root) {
        Ok((files, violations)) if violations.is_empty() => {
            println!("tidy: {files} files keep the house rules");
            ExitCode::SUCCESS
        }
        Ok((files, violations)) => {
            for violation in &violations {
                println!("{violation}");
            }
            println!("tidy: {} violations in {files} files", violations.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The number of files looked at, and what is wrong in them, sorted by path and line.
fn violations(root: &Path) -> Result<(usize, Vec<Violation>), Error> {
    let files = text_files(root)?;
    let mut found = edges::check(&serde_json::from_slice(&metadata(root)?)?, &files);
    for (path, text) in &files {
        found.extend(paths::check(path, text));
    }
    let count = files.len();
    let rust = files.into_iter().filter(|(path, _)| path.ends_with(".rs"));
    let sources: Vec<Source> = rust.map(|(path, text)| Source::new(path, text)).collect();
    for source in &sources {
        found.extend(FILE_RULES.iter().flat_map(|rule| rule(source)));
    }
    found.extend(boundaries::one_machine_each(&sources));
    found.sort();
    Ok((count, found))
}

/// Path from the root, and text, of every file that is or would be committed.
fn text_files(root: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = output("git ls-files", git.current_dir(root))?;
    let mut files = Vec::new();
    for path in String::from_utf8_lossy(&listed).split_terminator('\0') {
        let full = root.join(path);
        if !full.is_file() {
            continue; // git still lists what was deleted and not yet committed
        }
        let bytes =
            fs::read(full).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push((path.to_owned(), text));
        }
    }
    Ok(files)
}

fn metadata(root: &Path) -> Result<Vec<u8>, Error> {
    let mut command = Command::new(cargo());
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    output("cargo metadata", command.current_dir(root))
}

fn output(name: &'static str, command: &mut Command) -> Result<Vec<u8>, Error> {
    let output = command.output().map_err(|source| Error::Start { command: name, source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { command: name, stderr })
}

/// The cargo that runs us, so that every step uses one toolchain.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_reads_as_place_wrong_and_right() {
        let violation = Violation::new("a/b.rs", 7, "too long", "split it");
        assert_eq!(violation.to_string(), "a/b.rs:7: too long; split it");
    }

    #[test]
    fn only_a_listed_path_is_allowed() {
        let list: &[Allowed] = &[("a.rs", "a reason")];
        assert!(is_allowed(list, "a.rs"));
        assert!(!is_allowed(list, "b.rs"));
    }

    #[test]
    fn a_program_that_fails_is_an_error_and_not_an_empty_list() {
        let missing = output("missing", &mut Command::new("no-such-program"));
        assert!(matches!(missing, Err(Error::Start { command: "missing", .. })));
        let failing = output("failing", &mut Command::new("false"));
        assert!(matches!(failing, Err(Error::Failed { command: "failing", .. })));
    }

    #[test]
    fn the_real_tree_is_read_and_this_file_is_in_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = text_files(root).unwrap();
        let this = files.iter().find(|(path, _)| path == "xtask/src/tidy.rs");
        assert!(this.unwrap().1.starts_with("//! `cargo xtask tidy`"));
    }
}
