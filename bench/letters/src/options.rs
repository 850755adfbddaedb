//! The command line.

use std::path::PathBuf;
use std::time::Duration;

/// What is measured, and where it is written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// How long one sample takes that has no number of letters to do.
    pub(crate) sample: Duration,
    /// How many letters a sample does that has.
    pub(crate) letters: u64,
    /// How many letters are in store, in each of these cases.
    pub(crate) sizes: Vec<u64>,
    /// Where the tables are written to.
    pub(crate) out: Option<PathBuf>,
}

pub(crate) const USAGE: &str = "\
usage, in bench/: cargo run --release -p fuseboard-bench-letters -- [--quick | --full | --most N] [--rounds N] [--out FILE]

  --quick         one short round at up to 1000 letters in store, a smoke run; --out is not written
  --most N        at up to N letters in store (100000)
  --full          at up to 10000000 letters in store
  --rounds N      how often everyone is measured (9)
  --out FILE      write the tables to FILE, too

Databases lie in the folder for temporary files (TMPDIR) and are removed at the end. A letter in store takes about 550 bytes in
SQLite, and when that is gone 1 kB in PostgreSQL, whose log takes up to 4 GB more: with --full, 15 GB.
";

const ROUNDS: usize = 9;
const FULL: u64 = 10_000_000;

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut quick, mut most, mut rounds, mut out) = (false, None, None, None);
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => quick = true,
                "--full" => most = Some(FULL),
                "--most" => most = Some(number(&arg, &value()?, 10_000)?),
                "--rounds" => rounds = Some(number(&arg, &value()?, 1)?),
                "--out" => out = Some(PathBuf::from(value()?)),
                _ => return Err(format!("unknown argument `{arg}`")),
            }
        }
        if quick && most.is_some() {
            return Err("--quick says how many letters there are: leave the others away".to_owned());
        }
        let rounds = rounds.map_or(if quick { 1 } else { ROUNDS }, |rounds| rounds as usize);
        let (sample, letters) = if quick { (50, 100) } else { (400, 2_000) };
        let sizes = match (quick, most.unwrap_or(100_000)) {
            (true, _) => vec![100, 1_000],
            (false, most) if most > 100_000 => vec![1_000, 100_000, most],
            (false, most) => vec![1_000, most],
        };
        let out = out.filter(|_| !quick);
        Ok(Options { rounds, sample: Duration::from_millis(sample), letters, sizes, out })
    }
}

fn number(name: &str, text: &str, least: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("{name} is `{text}`: expected a number from {least}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn sizes_are_as_far_apart_as_asked_for() {
        let cases = [
            ("", &[1_000, 100_000][..]),
            ("--quick", &[100, 1_000]),
            ("--most 10000", &[1_000, 10_000]),
            ("--most 1000000", &[1_000, 100_000, 1_000_000]),
            ("--full", &[1_000, 100_000, 10_000_000]),
        ];
        for (line, sizes) in cases {
            assert_eq!(parse(line).unwrap().sizes, sizes, "{line}");
        }
    }

    #[test]
    fn a_smoke_run_is_not_written() {
        assert_eq!(parse("--out a.md").unwrap().out, Some(PathBuf::from("a.md")));
        assert_eq!(parse("--out a.md --quick").unwrap().out, None);
        assert_eq!(parse("--quick --rounds 3").unwrap().rounds, 3);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let cases = [
            ("--rounds", "--rounds needs a value"),
            ("--rounds 0", "--rounds is `0`: expected a number from 1"),
            ("--most 9999", "--most is `9999`: expected a number from 10000"),
            ("--quick --full", "--quick says how many letters there are: leave the others away"),
            ("--fast", "unknown argument `--fast`"),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), Err(expected.to_owned()));
        }
    }
}
