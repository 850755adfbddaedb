//! How many captures a second are acknowledged, beside bare inserts on the same disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use fuseboard_store::Letters;

use crate::draft::{BODY, draft};
use crate::drive::{Failure, Until, rate};
use crate::floors::{self, Capture, GROUP};
use crate::options::Options;
use crate::place::{Engine, Place};

pub(crate) const FUSEBOARD: &str = "fuseboard";
pub(crate) const GROUPS: &str = "floor: bare rows, group commit";
pub(crate) const ROWS: &str = "floor: bare rows, one a commit";

/// How many callers capture at once.
pub(crate) const CALLERS: [u64; 3] = [1, 8, 64];

/// Letters a second, one number a round, for each of [`CALLERS`].
pub(crate) struct Row {
    pub(crate) engine: Engine,
    pub(crate) name: &'static str,
    pub(crate) rates: [Vec<Option<f64>>; CALLERS.len()],
}

pub(crate) struct Captures {
    pub(crate) rows: Vec<Row>,
    /// Writes of 4 KiB a second, each on disk before the next begins.
    pub(crate) syncs: Vec<f64>,
}

/// A capture by a store.
pub(crate) fn capture_into(letters: &Arc<dyn Letters>) -> Capture {
    let letters = letters.clone();
    Arc::new(move |draft| {
        let letters = letters.clone();
        Box::pin(async move {
            letters.insert(draft).await?;
            Ok(1)
        })
    })
}

pub(crate) async fn measure(options: &Options, place: &Place) -> Result<Captures, Failure> {
    let contestants = contestants(place).await?;
    let row = |(engine, name, _): &(Engine, &'static str, Capture)| {
        let rates = [const { Vec::new() }; CALLERS.len()];
        Row { engine: *engine, name: *name, rates }
    };
    let mut rows: Vec<Row> = contestants.iter().map(row).collect();
    let mut syncs = Vec::new();
    for round in 0..options.rounds {
        eprintln!("captures: round {} of {}", round + 1, options.rounds);
        syncs.push(writes_and_syncs(&place.path("syncs"), options)?);
        for (place_of, callers) in CALLERS.into_iter().enumerate() {
            for turn in 0..contestants.len() {
                let number = (turn + round) % contestants.len();
                let capture = contestants[number].2.clone();
                let until = Until::Over(options.sample);
                let rate = rate(callers, until, move || capture(draft(BODY))).await?;
                rows[number].rates[place_of].push(Some(rate));
            }
        }
    }
    Ok(Captures { rows, syncs })
}

async fn contestants(place: &Place) -> Result<Vec<(Engine, &'static str, Capture)>, Failure> {
    let mut all = Vec::new();
    for engine in Engine::ALL {
        let letters = place.store(engine, "captures").await?;
        all.push((engine, FUSEBOARD, capture_into(&letters)));
        let (groups, rows) = match engine {
            Engine::Sqlite => (
                floors::sqlite(&place.path("groups.db"), GROUP)?,
                floors::sqlite(&place.path("rows.db"), 1)?,
            ),
            Engine::Postgres => (
                floors::postgres_groups(&place.server).await?,
                floors::postgres_rows(&place.server).await?,
            ),
        };
        all.push((engine, GROUPS, groups));
        all.push((engine, ROWS, rows));
    }
    Ok(all)
}

fn writes_and_syncs(file: &Path, options: &Options) -> Result<f64, Failure> {
    let mut file = File::create(file)?;
    let (begun, mut writes) = (Instant::now(), 0);
    while begun.elapsed() < options.sample {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        writes += 1;
    }
    Ok(f64::from(writes) / begun.elapsed().as_secs_f64())
}
