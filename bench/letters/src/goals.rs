//! What the stores set out to reach, as ratios between samples of the same round.

use fuseboard_bench_common::stats::{Summary, paired_ratios, summary};

use crate::captures::{CALLERS, Captures, FUSEBOARD, GROUPS, Row};
use crate::place::Engine;
use crate::queue::Case;
use crate::sizes::{Size, Work};

/// Captures, by the floor of group commits.
const OF_THE_FLOOR: f64 = 0.8;
/// The most letters in store, by the fewest: flat within a factor of two.
const FLAT: f64 = 0.5;
/// Letters, by messages of the rival.
const OF_THE_RIVAL: f64 = 2.0;

/// A ratio that is to be at least so much.
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) against: String,
    pub(crate) ratio: Option<Summary>,
    pub(crate) at_least: f64,
}

impl Goal {
    /// Unless nobody measured it.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.ratio.as_ref().map(|ratio| ratio.median >= self.at_least)
    }
}

/// Every goal, in the order of the tables.
pub(crate) fn all(captures: &Captures, sizes: &[Size], queues: &[Case]) -> Vec<Goal> {
    let mut all = Vec::new();
    for engine in Engine::ALL {
        all.extend(of_the_floor(engine, &captures.rows));
    }
    for engine in Engine::ALL {
        all.extend(flat(engine, sizes));
    }
    all.extend(queues.iter().flat_map(of_the_rival));
    all
}

fn of_the_floor(engine: Engine, rows: &[Row]) -> Vec<Goal> {
    let row = |name| rows.iter().find(|row| row.engine == engine && row.name == name);
    let (Some(ours), Some(floor)) = (row(FUSEBOARD), row(GROUPS)) else { return Vec::new() };
    let goal = |(number, callers): (usize, u64)| Goal {
        what: format!("{}: captures, {}", engine.name(), in_words(callers)),
        against: "bare group commit".to_owned(),
        ratio: summary(paired_ratios(&ours.rates[number], &floor.rates[number])),
        at_least: OF_THE_FLOOR,
    };
    CALLERS.into_iter().enumerate().map(goal).collect()
}

fn flat(engine: Engine, sizes: &[Size]) -> Vec<Goal> {
    let mut sizes = sizes.iter().filter(|size| size.engine == engine);
    let Some(fewest) = sizes.next() else { return Vec::new() };
    let goal = |work: Work, most: &Size| Goal {
        what: format!("{}: {} with {} letters in store", engine.name(), work.name(), most.letters),
        against: format!("with {}", fewest.letters),
        ratio: summary(paired_ratios(&most.rates[work as usize], &fewest.rates[work as usize])),
        at_least: FLAT,
    };
    sizes.flat_map(|size| Work::ALL.map(|work| goal(work, size))).collect()
}

fn of_the_rival(case: &Case) -> Vec<Goal> {
    let goal = |(name, rates): &(&str, Vec<Option<f64>>)| Goal {
        what: format!("PostgreSQL: {}, {} in flight", case.title, case.in_flight),
        against: (*name).to_owned(),
        ratio: summary(paired_ratios(&case.ours, rates)),
        at_least: OF_THE_RIVAL,
    };
    case.rivals.iter().map(goal).collect()
}

/// So many callers.
pub(crate) fn in_words(callers: u64) -> String {
    if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(name: &'static str, rate: f64) -> Row {
        let rates = std::array::from_fn(|_| vec![Some(rate)]);
        Row { engine: Engine::Sqlite, name, rates }
    }

    fn size(letters: u64, rate: f64) -> Size {
        let rates = std::array::from_fn(|_| vec![Some(rate)]);
        Size { engine: Engine::Postgres, letters, rates, bytes: 0, filled_in: Duration::ZERO }
    }

    #[test]
    fn a_goal_is_met_from_its_ratio_on() {
        for (part, met) in [(0.79, false), (0.8, true), (1.0, true)] {
            let captures =
                Captures { rows: vec![row(FUSEBOARD, part), row(GROUPS, 1.0)], syncs: vec![] };
            let goals = all(&captures, &[], &[]);
            assert_eq!(goals.len(), 3);
            assert!(goals.iter().all(|goal| goal.is_met() == Some(met)), "{part}");
        }
    }

    #[test]
    fn a_store_is_flat_if_the_most_letters_are_no_slower_than_half_as_fast_as_the_fewest() {
        let captures = Captures { rows: vec![], syncs: vec![] };
        for (rate, met) in [(49.0, false), (50.0, true), (300.0, true)] {
            let goals = all(&captures, &[size(10, 100.0), size(1_000, rate)], &[]);
            assert_eq!(goals.len(), 4);
            assert!(goals.iter().all(|goal| goal.is_met() == Some(met)), "{rate}");
        }
    }

    #[test]
    fn letters_are_to_be_twice_as_fast_as_messages() {
        let captures = Captures { rows: vec![], syncs: vec![] };
        for (theirs, met) in [(Some(51.0), Some(false)), (Some(50.0), Some(true)), (None, None)] {
            let rivals = vec![("rival", vec![theirs])];
            let case = Case { title: "kept", in_flight: 64, ours: vec![Some(100.0)], rivals };
            assert_eq!(all(&captures, &[], &[case])[0].is_met(), met);
        }
    }
}
