//! What must hold for any text that a parser is given, once for random texts and once for those that coverage guides to.
//!
//! `cargo test` runs each target on its seeds and on texts made from them; `cargo xtask prove` runs the same targets
//! under libFuzzer. The seeds are in `seeds/`.

mod forms;
mod rules;
mod server;

#[cfg(test)]
mod mutants;

/// One text form.
#[derive(Debug)]
pub struct Target {
    /// What it is called, here and in `seeds/`.
    pub name: &'static str,
    /// Panics if something is wrong with what becomes of the text.
    pub check: fn(&str),
    seeds: &'static str,
}

impl Target {
    /// Texts to begin with: the lines of its file, or what stands between lines of `---`.
    pub fn seeds(&self) -> Vec<&'static str> {
        match self.seeds.contains("\n---\n") {
            true => self.seeds.split("\n---\n").collect(),
            false => self.seeds.lines().collect(),
        }
    }
}

macro_rules! target {
    ($name:literal, $check:path) => {
        Target {
            name: $name,
            check: $check,
            seeds: include_str!(concat!("../seeds/", $name, ".txt")),
        }
    };
}

/// Every text form.
pub const TARGETS: &[Target] = &[
    target!("duration", forms::duration),
    target!("window", forms::window),
    target!("tripper", forms::tripper),
    target!("tracker", forms::tracker),
    target!("retry", forms::retry),
    target!("permit", forms::permit),
    target!("recovery", forms::recovery),
    target!("capture", forms::capture),
    target!("word", forms::word),
    target!("name", forms::name),
    target!("rules", rules::rules),
    target!("endpoint", server::endpoint),
    target!("letter", server::letter),
    target!("config", server::config),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::mutants::Mutants;

    /// Texts for each target, beside its seeds.
    const TEXTS: usize = 20_000;

    #[test]
    fn no_text_made_from_the_seeds_breaks_a_target() {
        for target in TARGETS {
            let seeds = target.seeds();
            seeds.iter().for_each(|seed| (target.check)(seed));
            Mutants::of(&seeds).take(TEXTS).for_each(|text| (target.check)(&text));
        }
    }

    #[test]
    fn every_file_of_seeds_belongs_to_a_target_and_has_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
        let mut expected: Vec<String> =
            TARGETS.iter().map(|one| format!("{}.txt", one.name)).collect();
        files.sort();
        expected.sort();
        assert_eq!(files, expected);
        for target in TARGETS {
            assert!(target.seeds().len() >= 5, "{}", target.name);
        }
    }
}
