//! The story as plain lines: one per event, and one a second with the numbers.

use std::io::{self, Write};
use std::time::Duration;

use super::scene::{LetterCounts, Scene};
use super::traffic::Score;

/// How often the numbers are told.
const NUMBERS: Duration = Duration::from_secs(1);

/// Writes lines to `out`.
#[derive(Debug)]
pub(crate) struct Plain<W> {
    out: W,
    told: usize,
    next_numbers: Duration,
}

impl<W: Write> Plain<W> {
    /// Nothing is told yet.
    pub(crate) fn new(out: W) -> Self {
        Plain { out, told: 0, next_numbers: NUMBERS }
    }

    /// Tells what is new in `scene`.
    pub(crate) fn show(&mut self, scene: &Scene) -> io::Result<()> {
        for line in &scene.story[self.told..] {
            writeln!(self.out, "{}", line.plain())?;
        }
        self.told = scene.story.len();
        if scene.at >= self.next_numbers {
            self.next_numbers = Duration::from_secs(scene.at.as_secs()) + NUMBERS;
            writeln!(self.out, "{}", numbers(scene))?;
        }
        self.out.flush()
    }
}

fn numbers(scene: &Scene) -> String {
    let Score { served, queued, refused, unknown } = scene.score;
    let LetterCounts { resolved, .. } = scene.letters;
    let (at, state) = (scene.at.as_secs_f64(), scene.circuit.state.as_str());
    let (failed, waiting) = (scene.circuit.totals.failure, scene.letters.waiting());
    let mut text = format!(
        "{at:>5.1} s  {state:<9} {served:>4} served {queued:>4} queued {refused:>3} refused \
         {failed:>3} failed {waiting:>4} waiting {resolved:>4} replayed"
    );
    if unknown > 0 {
        text.push_str(&format!(" {unknown} unknown"));
    }
    text
}
