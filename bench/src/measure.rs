//! The rounds: everyone once per round, in an order that changes.

use std::io;
use std::sync::Arc;

use crate::cases::Case;
use crate::crew::{Crew, Sample, THREADS, WrongState, round_up};
use crate::entry::Entry;

/// How long a batch shall take, in nanoseconds: long beside its bounds, short beside a time slice.
const BATCH: f64 = 1_250_000.0;

/// How often a sample that is not clean is taken again before its round goes without it.
const ATTEMPTS: usize = 8;

/// What was measured of one contestant by so many threads: one clean sample, or none, for each round.
#[derive(Default)]
pub(crate) struct Series {
    calls: u64,
    pub(crate) rounds: Vec<Option<f64>>,
}

/// What was measured of one contestant in one case.
pub(crate) struct Row {
    entry: Arc<Entry>,
    series: [Series; THREADS],
    /// Why it is out of the case: it left the state that the case claims.
    pub(crate) out: Option<String>,
}

impl Row {
    fn new(entry: Entry) -> Self {
        Row { entry: Arc::new(entry), series: Default::default(), out: None }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.entry.name
    }

    pub(crate) fn series(&self, threads: usize) -> &Series {
        &self.series[threads - 1]
    }

    /// Finds how many calls fill a batch.
    fn calibrate(&mut self, crew: &Crew, threads: usize) -> Result<(), WrongState> {
        let mut calls = round_up(1);
        for _ in 0..4 {
            let Sample { nanos_per_call, .. } = crew.sample(&self.entry, threads, calls)?;
            // At most a hundredfold at once: the first, cold batches tell little.
            calls = round_up((BATCH / nanos_per_call.max(0.1)) as u64).min(calls * 100);
        }
        self.series[threads - 1].calls = calls;
        Ok(())
    }

    fn take(&mut self, crew: &Crew, threads: usize) -> Result<(), WrongState> {
        let series = &mut self.series[threads - 1];
        let mut clean = None;
        for _ in 0..ATTEMPTS {
            let sample = crew.sample(&self.entry, threads, series.calls)?;
            if sample.clean {
                clean = Some(sample.nanos_per_call);
                break;
            }
        }
        series.rounds.push(clean);
        Ok(())
    }

    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), WrongState>) {
        if self.out.is_none()
            && let Err(WrongState(reason)) = step(self)
        {
            self.out = Some(reason);
        }
    }
}

/// A case with what was measured in it.
pub(crate) struct Table {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) absent: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// The case with those contestants whose `case/name` contains `filter`, and the reference.
    fn of(case: Case, filter: &str) -> Option<Self> {
        let Case { key, title, reference, entries, absent } = case;
        let wanted = |entry: &Entry| format!("{key}/{}", entry.name).contains(filter);
        if !entries.iter().any(wanted) {
            return None;
        }
        let entries = entries.into_iter().filter(|entry| entry.name == reference || wanted(entry));
        Some(Table { key, title, reference, absent, rows: entries.map(Row::new).collect() })
    }

    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name() == name && row.out.is_none())
    }
}

/// Measures everyone whom `filter` lets through, `rounds` times.
pub(crate) fn measure(
    cases: Vec<Case>,
    filter: &str,
    rounds: usize,
    crew: &Crew,
    progress: &mut dyn io::Write,
) -> io::Result<Vec<Table>> {
    let mut tables: Vec<Table> =
        cases.into_iter().filter_map(|case| Table::of(case, filter)).collect();
    writeln!(progress, "calibrating")?;
    for row in tables.iter_mut().flat_map(|table| &mut table.rows) {
        for threads in 1..=THREADS {
            row.attempt(|row| row.calibrate(crew, threads));
        }
    }
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for round in 1..=rounds {
        if round % 10 == 1 {
            writeln!(progress, "round {round} of {rounds}")?;
        }
        for table in &mut tables {
            for threads in 1..=THREADS {
                for index in dice.order(table.rows.len()) {
                    table.rows[index].attempt(|row| row.take(crew, threads));
                }
            }
        }
    }
    Ok(tables)
}

/// Numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// The numbers below `count`, shuffled, so that nobody always comes after the same neighbour.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contestants::{circuit_breaker, floors};
    use crate::traffic::closed;

    fn case(key: &'static str) -> Case {
        let entries = vec![
            closed("reference", 1, floors::Nothing),
            closed("two", 1, floors::TwoClockReads),
            closed("opens", 1, circuit_breaker::cumulative()),
        ];
        Case { key, title: key, reference: "reference", entries, absent: &[] }
    }

    fn names(table: &Table) -> Vec<&str> {
        table.rows.iter().map(Row::name).collect()
    }

    #[test]
    fn an_order_holds_everyone_once_and_changes() {
        let mut dice = Dice(1);
        let orders: BTreeSet<Vec<usize>> = (0..20).map(|_| dice.order(9)).collect();
        assert!(orders.len() > 15);
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, (0..9).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_filter_keeps_the_reference_of_what_it_lets_through() {
        let filtered =
            |filter| Table::of(case("case"), filter).map(|table| names(&table).join(" "));
        assert_eq!(filtered(""), Some("reference two opens".to_owned()));
        assert_eq!(filtered("case/"), Some("reference two opens".to_owned()));
        assert_eq!(filtered("two"), Some("reference two".to_owned()));
        assert_eq!(filtered("other"), None);
    }

    #[test]
    fn each_round_has_its_place_and_who_leaves_the_state_is_out() {
        let crew = Crew::start().unwrap();
        let tables = measure(vec![case("case")], "", 3, &crew, &mut io::sink()).unwrap();
        for threads in 1..=THREADS {
            for name in ["reference", "two"] {
                let row = tables[0].row(name).unwrap();
                assert_eq!(row.series(threads).rounds.len(), 3, "{name}");
            }
        }
        assert!(tables[0].row("opens").is_none());
        let opens = tables[0].rows.iter().find(|row| row.name() == "opens").unwrap();
        assert!(opens.out.as_ref().unwrap().contains("rejected"), "{:?}", opens.out);
    }
}
