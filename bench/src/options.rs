//! The command line.

use std::path::PathBuf;

/// What is measured, and where it is written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// Only contestants whose `case/name` contains this, and their references.
    pub(crate) filter: String,
    /// Where a whole run is written to.
    pub(crate) out: Option<PathBuf>,
}

pub(crate) const USAGE: &str = "\
usage, in bench/: cargo run --release -- [--rounds N | --quick] [--filter TEXT] [--out FILE]

  --rounds N      how often everyone is measured (61)
  --quick         3 rounds, a smoke run of half a minute; --out is not written
  --filter TEXT   only those whose `case/contestant` contains TEXT (`memory/`: what breakers take of memory, counted by
                  the program of that name); --out is not written
  --out FILE      write the tables to FILE, too
";

const ROUNDS: usize = 61;
const QUICK_ROUNDS: usize = 3;

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut rounds, mut quick, mut filter, mut out) = (None, false, None, None);
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--rounds" => rounds = Some(parse_rounds(&value()?)?),
                "--quick" => quick = true,
                "--filter" => filter = Some(value()?),
                "--out" => out = Some(PathBuf::from(value()?)),
                _ => return Err(format!("unknown argument `{arg}`")),
            }
        }
        if quick && rounds.is_some() {
            return Err("--quick sets the number of rounds: leave --rounds away".to_owned());
        }
        let whole = !quick && filter.is_none();
        Ok(Options {
            rounds: rounds.unwrap_or(if quick { QUICK_ROUNDS } else { ROUNDS }),
            filter: filter.unwrap_or_default(),
            out: out.filter(|_| whole),
        })
    }
}

impl Options {
    /// Whether something of that name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}

fn parse_rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(format!("--rounds is `{text}`: expected a number from 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn only_a_whole_run_is_written() {
        let cases = [
            ("", 61, "", None),
            ("--out a.md", 61, "", Some("a.md")),
            ("--rounds 7 --out a.md", 7, "", Some("a.md")),
            ("--quick --out a.md", 3, "", None),
            ("--filter open --out a.md", 61, "open", None),
            ("--filter open --quick", 3, "open", None),
        ];
        for (line, rounds, filter, out) in cases {
            let expected =
                Options { rounds, filter: filter.to_owned(), out: out.map(PathBuf::from) };
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_the_filter_does_not_let_through_is_not_wanted() {
        let wants = |line, name| parse(line).unwrap().wants(name);
        assert!(wants("", "memory/") && wants("--filter memory", "memory/"));
        assert!(!wants("--filter open/", "memory/"));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let cases = [
            ("--rounds", "--rounds needs a value"),
            ("--rounds 0", "--rounds is `0`: expected a number from 1"),
            ("--rounds x", "--rounds is `x`: expected a number from 1"),
            ("--quick --rounds 2", "--quick sets the number of rounds: leave --rounds away"),
            ("--fast", "unknown argument `--fast`"),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), Err(expected.to_owned()));
        }
    }
}
