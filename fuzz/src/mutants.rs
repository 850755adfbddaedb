//! Texts that are nearly right: seeds with pieces left out, doubled, swapped, and taken from one another.

use fuseboard_core::random::{Random, SeededRandom};

/// Characters that the grammar knows, and some that it does not.
const SIGNS: &[char] = &[
    '(', ')', ',', '=', '&', '|', '!', '.', ' ', '0', '1', '9', 'e', 's', 'm', '-', '+', ';', '@',
    '_', '\t', '\u{a0}', 'é', '٣', '\u{0}', '…', '`', '𝟙',
];

/// Endless texts made from seeds, always the same ones.
pub(crate) struct Mutants<'a> {
    seeds: &'a [&'a str],
    words: Vec<&'a str>,
    random: SeededRandom,
}

impl<'a> Mutants<'a> {
    pub(crate) fn of(seeds: &'a [&'a str]) -> Self {
        let of_word = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
        let words =
            seeds.iter().flat_map(|seed| seed.split(of_word)).filter(|word| !word.is_empty());
        Mutants { seeds, words: words.collect(), random: SeededRandom::new(0) }
    }

    fn below(&self, limit: usize) -> usize {
        (self.random.draw() * limit as f64) as usize
    }

    fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A stretch of `text`, at most so many characters long.
    fn stretch(&self, text: &[char], most: usize) -> (usize, usize) {
        let from = self.below(text.len() + 1);
        (from, (from + self.below(most + 1)).min(text.len()))
    }

    fn mutate(&self, text: &mut Vec<char>) {
        let (from, to) = self.stretch(text, 12);
        match self.below(7) {
            0 => drop(text.drain(from..to)),
            1 => {
                let piece: Vec<char> = text[from..to].to_vec();
                text.splice(from..from, piece);
            }
            2 => drop(text.splice(from..from, [self.pick(SIGNS)])),
            3 => drop(text.splice(from..to, self.pick(&self.words).chars())),
            4 => {
                let other: Vec<char> = self.pick(self.seeds).chars().collect();
                let (start, end) = self.stretch(&other, other.len());
                text.splice(from..to, other[start..end].iter().copied());
            }
            5 => {
                let sign = self.pick(&['(', '!', '&', '|', '1']);
                text.splice(from..from, vec![sign; 1 + self.below(70)]);
            }
            _ => {
                let digit = char::from(b'0' + self.below(10) as u8);
                let digits = text.iter_mut().filter(|c| c.is_ascii_digit());
                if let Some(old) = digits.last() {
                    *old = digit;
                }
            }
        }
    }
}

impl Iterator for Mutants<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut text: Vec<char> = self.pick(self.seeds).chars().collect();
        for _ in 0..1 + self.below(4) {
            self.mutate(&mut text);
        }
        Some(text.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use fuseboard_core::policy::Tripper;

    use super::*;

    #[test]
    fn some_mutants_can_be_read_and_some_cannot() {
        let seeds = ["failures(3) | closed & min_requests(20)", "failure_rate(0.5)"];
        let texts: Vec<String> = Mutants::of(&seeds).take(1_000).collect();
        let valid = texts.iter().filter(|text| text.parse::<Tripper>().is_ok()).count();
        assert!((50..950).contains(&valid), "{valid} of 1000 are valid");
        assert_eq!(texts, Mutants::of(&seeds).take(1_000).collect::<Vec<_>>(), "always the same");
    }
}
