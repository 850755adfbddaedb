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
    /// How the stores of letters are measured, which is done by a program of its own.
    pub(crate) letters: Letters,
}

/// What the program that measures the stores of letters is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Letters {
    pub(crate) quick: bool,
    /// With ten million letters in store.
    pub(crate) full: bool,
    pub(crate) out: Option<PathBuf>,
}

pub(crate) const USAGE: &str = "\
usage, in bench/: cargo run --release -- [--rounds N | --quick] [--full] [--filter TEXT] [--out FILE] [--letters-out FILE]

  --rounds N          how often everyone is measured, but for letters (61)
  --quick             3 rounds, a smoke run of a minute; nothing is written
  --full              letters with ten million in store, not a hundred thousand: takes long, and 15 GB for temporary files
  --filter TEXT       only those whose `case/contestant` contains TEXT (`memory/`: what breakers take of memory, counted by
                      the program of that name; `letters/`: the stores of letters, likewise); --out is not written
  --out FILE          write the tables to FILE, too
  --letters-out FILE  write those about letters to FILE
";

const ROUNDS: usize = 61;
const QUICK_ROUNDS: usize = 3;

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut rounds, mut quick, mut filter, mut out) = (None, false, None, None);
        let mut letters = Letters::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--rounds" => rounds = Some(parse_rounds(&value()?)?),
                "--quick" => quick = true,
                "--full" => letters.full = true,
                "--filter" => filter = Some(value()?),
                "--out" => out = Some(PathBuf::from(value()?)),
                "--letters-out" => letters.out = Some(PathBuf::from(value()?)),
                _ => return Err(format!("unknown argument `{arg}`")),
            }
        }
        if quick && rounds.is_some() {
            return Err("--quick sets the number of rounds: leave --rounds away".to_owned());
        }
        if quick && letters.full {
            return Err("--quick says how many letters there are: leave --full away".to_owned());
        }
        letters.quick = quick;
        let whole = !quick && filter.is_none();
        Ok(Options {
            rounds: rounds.unwrap_or(if quick { QUICK_ROUNDS } else { ROUNDS }),
            filter: filter.unwrap_or_default(),
            out: out.filter(|_| whole),
            letters,
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
            let found = parse(line).unwrap();
            let expected = (rounds, filter.to_owned(), out.map(PathBuf::from));
            assert_eq!((found.rounds, found.filter, found.out), expected, "{line}");
        }
    }

    #[test]
    fn what_is_about_letters_is_handed_on() {
        let letters = |line| parse(line).unwrap().letters;
        assert_eq!(letters("--out a.md"), Letters::default());
        let out = Some(PathBuf::from("b.md"));
        assert_eq!(letters("--full --letters-out b.md"), Letters { quick: false, full: true, out });
        assert!(letters("--quick").quick);
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
            ("--quick --full", "--quick says how many letters there are: leave --full away"),
            ("--fast", "unknown argument `--fast`"),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), Err(expected.to_owned()));
        }
    }
}
