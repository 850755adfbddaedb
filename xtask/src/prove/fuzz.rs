//! The fuzz targets of fuzz/ under libFuzzer, one after another, on the stable toolchain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs, io};

use crate::test::{outcome, succeeds};
use crate::tidy;

/// What makes LLVM report which code an input reached. It is what cargo-fuzz sets without a sanitizer: of those the
/// stable toolchain has none, and code without `unsafe` needs none.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 --cfg fuzzing";

/// Signs of the grammars, beside the words that the seeds have.
const SIGNS: [&str; 10] = ["(", ")", ",", "=", "&", "|", "!", ".", ";", "\""];

/// How many lines of the fuzzer are shown when a target fails.
const TAIL: usize = 40;

/// Builds the targets and runs each for its share of the time; fails if one did, after all had their turn.
pub(super) fn run(root: &Path, minutes: u64) -> Result<(), String> {
    let fuzz = root.join("fuzz");
    let targets = targets(&fuzz).map_err(|error| format!("fuzz, no seeds: {error}"))?;
    let binary = build(&fuzz)?;
    let seconds = (minutes * 60 / targets.len().max(1) as u64).max(1);
    let mut failed = Vec::new();
    for (name, seeds) in &targets {
        let place =
            prepare(&fuzz, name, seeds).map_err(|error| format!("fuzz, {name}: {error}"))?;
        let ran = place.command(&binary, seconds).output().map_err(|error| error.to_string());
        match ran.and_then(|output| summary(&output)) {
            Ok(told) => println!("  {name:<10} {told}"),
            Err(told) => {
                let again = format!("FUSEBOARD_FUZZ_TARGET={name} {}", binary.display());
                println!(
                    "  {name:<10} failed\n{told}\n  again: {again} {}*",
                    place.findings.display()
                );
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("fuzz, targets {}", failed.join(", "))) }
}

/// The targets' names, each with its seeds.
fn targets(fuzz: &Path) -> io::Result<Vec<(String, String)>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(fuzz.join("seeds"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        targets.push((name, fs::read_to_string(path)?));
    }
    targets.sort();
    Ok(targets)
}

/// Builds for a target that is named, because only then cargo leaves build scripts and macros without coverage.
fn build(fuzz: &Path) -> Result<PathBuf, String> {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if !succeeds(Command::new(&compiler).arg("--version")) {
        let compiler = compiler.display();
        return Err(format!(
            "fuzz, no C++ compiler `{compiler}` (libFuzzer needs it); get g++, or set CXX"
        ));
    }
    let host = host().ok_or("fuzz, cargo does not say for which machine it builds")?;
    let mut cargo = Command::new(tidy::cargo());
    cargo.args(["build", "--release", "--locked", "--features=libfuzzer", "--target", &host]);
    cargo.env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", "target").current_dir(fuzz);
    outcome("fuzz", cargo.status())?;
    Ok(fuzz.join("target").join(host).join("release/fuzz"))
}

fn host() -> Option<String> {
    let told = Command::new(tidy::cargo()).arg("-vV").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    told.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// Where a target keeps what it found.
struct Place {
    name: String,
    corpus: PathBuf,
    dictionary: PathBuf,
    findings: PathBuf,
}

/// Lays out the seeds as libFuzzer wants them, one a file, beside what earlier runs found worth keeping.
fn prepare(fuzz: &Path, name: &str, seeds: &str) -> io::Result<Place> {
    let folder = fuzz.join("target/fuzzing").join(name);
    let place = Place {
        name: name.to_owned(),
        corpus: folder.join("corpus"),
        dictionary: folder.join("dictionary"),
        findings: folder.join("finding-"),
    };
    fs::create_dir_all(&place.corpus)?;
    for (number, seed) in split(seeds).into_iter().enumerate() {
        fs::write(place.corpus.join(format!("seed-{number}")), seed)?;
    }
    fs::write(&place.dictionary, dictionary(seeds))?;
    Ok(place)
}

impl Place {
    fn command(&self, binary: &Path, seconds: u64) -> Command {
        let mut command = Command::new(binary);
        // Without backtraces what a panic says is among the last lines.
        command.env("FUSEBOARD_FUZZ_TARGET", &self.name).env("RUST_BACKTRACE", "0");
        command.arg(&self.corpus).stdin(Stdio::null());
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-dict={}", self.dictionary.display()));
        command.arg(format!("-artifact_prefix={}", self.findings.display()));
        // A text that keeps a parser busy for seconds is a finding, too.
        command.args(["-max_len=4096", "-timeout=5", "-print_final_stats=1"]);
        command
    }
}

/// Seeds are lines, or what stands between lines of `---`.
fn split(seeds: &str) -> Vec<&str> {
    match seeds.contains("\n---\n") {
        true => seeds.split("\n---\n").collect(),
        false => seeds.lines().collect(),
    }
}

/// The words of the seeds in libFuzzer's format, so that it need not find them letter by letter.
fn dictionary(seeds: &str) -> String {
    let of_word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let mut words: BTreeSet<&str> = seeds.split(of_word).filter(|word| !word.is_empty()).collect();
    words.extend(SIGNS);
    words.into_iter().map(|word| format!("\"{}\"\n", word.replace('"', "\\\""))).collect()
}

/// One line if all went well, else the end of what the fuzzer said.
fn summary(output: &Output) -> Result<String, String> {
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = told.lines().collect();
    if !output.status.success() {
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        return Err(format!("{}\n{}", output.status, tail.join("\n")));
    }
    let number = |key: &str| {
        let line = lines.iter().rev().find_map(|line| line.split_once(key))?;
        line.1.split_whitespace().next().map(str::to_owned)
    };
    let unknown = || "?".to_owned();
    let texts = number("stat::number_of_executed_units:").unwrap_or_else(unknown);
    let pace = number("stat::average_exec_per_sec:").unwrap_or_else(unknown);
    let edges = number(" cov: ").unwrap_or_else(unknown);
    Ok(format!("{texts} texts, {pace} a second, {edges} edges of the code reached"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn seeds_are_lines_unless_a_line_of_dashes_parts_them() {
        assert_eq!(split("a\nb c\n"), ["a", "b c"]);
        assert_eq!(split("a\nb\n---\nc\n"), ["a\nb", "c\n"]);
    }

    #[test]
    fn a_dictionary_has_each_word_once_and_the_signs() {
        let dictionary = dictionary("failure_rate(0.5) | failure_rate(1)");
        let lines: Vec<&str> = dictionary.lines().collect();
        for expected in ["\"failure_rate\"", "\"0.5\"", "\"|\"", "\"\\\"\""] {
            assert_eq!(lines.iter().filter(|line| **line == expected).count(), 1, "{dictionary}");
        }
    }

    #[test]
    fn every_target_of_the_tree_has_seeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let targets = targets(&root.join("fuzz")).unwrap();
        assert!(targets.iter().any(|(name, seeds)| name == "tripper" && split(seeds).len() > 5));
    }

    #[test]
    fn a_target_is_told_its_name_its_time_and_its_places() {
        let place = Place {
            name: "tripper".to_owned(),
            corpus: "c".into(),
            dictionary: "d".into(),
            findings: "f-".into(),
        };
        let command = place.command(Path::new("fuzz"), 7);
        let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let line = "c -max_total_time=7 -dict=d -artifact_prefix=f- -max_len=4096 -timeout=5";
        assert!(args.join(" ").starts_with(line), "{args:?}");
        let env: Vec<_> = command.get_envs().collect();
        assert!(env.contains(&("FUSEBOARD_FUZZ_TARGET".as_ref(), Some("tripper".as_ref()))));
    }

    fn said(program: &str, text: &str) -> Output {
        let status = Command::new(program).status().unwrap();
        Output { status, stdout: Vec::new(), stderr: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_run_is_told_in_a_line_and_a_failure_by_its_end() {
        let text = "#9 NEW    cov: 12 ft: 3\nstat::number_of_executed_units: 9\nstat::average_exec_per_sec:     4\n";
        let expected = "9 texts, 4 a second, 12 edges of the code reached";
        assert_eq!(summary(&said("true", text)).as_deref(), Ok(expected));
        let told = summary(&said("false", &("x\n".repeat(100) + "panicked"))).unwrap_err();
        assert!(told.ends_with("panicked") && told.lines().count() == TAIL + 1, "{told}");
    }
}
