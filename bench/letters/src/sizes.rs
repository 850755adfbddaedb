//! Whether the stores stay as fast when they are full: the same work at several numbers of letters in store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fuseboard_core::letter::Status;
use fuseboard_store::{Letter, Letters};
use tokio::sync::Mutex;

use crate::captures::capture_into;
use crate::draft::{CIRCUIT, draft, now};
use crate::drive::{Failure, Until, rate};
use crate::options::Options;
use crate::place::{Engine, Place};
use crate::queue::finish;
use crate::replay;

/// The body of the letters that fill a store, in bytes.
pub(crate) const SMALL: usize = 64;

/// Who claims, and how many letters at a time.
pub(crate) const CLAIMERS: u64 = 8;
pub(crate) const CLAIMED_AT_ONCE: u64 = 25;

/// Who captures and settles.
pub(crate) const CALLERS: u64 = 64;

const FILLERS: u64 = 256;
const LEASE: Duration = Duration::from_secs(3600);

/// Work that is measured, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Captures,
    Claims,
    Settles,
    Replay,
}

impl Work {
    pub(crate) const ALL: [Work; 4] = [Work::Captures, Work::Claims, Work::Settles, Work::Replay];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Work::Captures => "captures",
            Work::Claims => "claims",
            Work::Settles => "settles",
            Work::Replay => "replay",
        }
    }
}

/// One store, and letters a second for each work, one number a round.
pub(crate) struct Size {
    pub(crate) engine: Engine,
    pub(crate) letters: u64,
    pub(crate) rates: [Vec<Option<f64>>; Work::ALL.len()],
    /// On disk, when all is measured.
    pub(crate) bytes: u64,
    pub(crate) filled_in: Duration,
}

pub(crate) async fn measure(options: &Options, place: &Place) -> Result<Vec<Size>, Failure> {
    let mut sizes = Vec::new();
    for engine in Engine::ALL {
        let mut stores = Vec::new();
        for letters in &options.sizes {
            stores.push(filled(place, engine, *letters).await?);
        }
        place.settle_down().await?;
        for round in 0..options.rounds {
            eprintln!("sizes of {}: round {} of {}", engine.name(), round + 1, options.rounds);
            for turn in 0..stores.len() {
                let number = (turn + round) % stores.len();
                let (store, size) = &mut stores[number];
                sample(store, size, options.letters).await?;
            }
        }
        for (store, mut size) in stores {
            store.close().await?;
            size.bytes = place.bytes(engine, &name(size.letters)).await?;
            place.forget(engine, &name(size.letters))?;
            sizes.push(size);
        }
    }
    Ok(sizes)
}

fn name(letters: u64) -> String {
    format!("with_{letters}")
}

async fn filled(
    place: &Place,
    engine: Engine,
    letters: u64,
) -> Result<(Arc<dyn Letters>, Size), Failure> {
    eprintln!("filling {} with {letters} letters", engine.name());
    let store = place.store(engine, &name(letters)).await?;
    let begun = Instant::now();
    capture(&store, FILLERS, letters).await?;
    let filled_in = begun.elapsed();
    let rates = [const { Vec::new() }; Work::ALL.len()];
    Ok((store, Size { engine, letters, rates, bytes: 0, filled_in }))
}

async fn capture(store: &Arc<dyn Letters>, callers: u64, letters: u64) -> Result<f64, Failure> {
    let capture = capture_into(store);
    rate(callers, Until::Calls(letters), move || capture(draft(SMALL))).await
}

/// Captures, claims and settles so many letters, captures as many again and replays them; then there are as many as before.
async fn sample(store: &Arc<dyn Letters>, size: &mut Size, letters: u64) -> Result<(), Failure> {
    let captures = capture(store, CALLERS, letters).await?;
    let (claims, claimed) = claim(store, letters).await?;
    let settles = settle(store, claimed).await?;
    let waiting = store.counts().await?.of(Status::Pending);
    capture(store, FILLERS, (size.letters + letters).saturating_sub(waiting)).await?;
    let replay = replay::rate(store, letters).await?;
    for (rates, rate) in size.rates.iter_mut().zip([captures, claims, settles, replay]) {
        rates.push(Some(rate));
    }
    let later = now() + Duration::from_secs(1);
    while store.purge(later, 1_000).await? > 0 {}
    Ok(())
}

async fn claim(store: &Arc<dyn Letters>, letters: u64) -> Result<(f64, Vec<Letter>), Failure> {
    let (all, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(letters)));
    let (store, claimed) = (store.clone(), all.clone());
    let claim = move || {
        let (store, claimed, left) = (store.clone(), claimed.clone(), left.clone());
        async move {
            let before = left.fetch_sub(CLAIMED_AT_ONCE, Ordering::Relaxed);
            let wanted = before.min(CLAIMED_AT_ONCE) as usize;
            let letters = store.claim(CIRCUIT, wanted, LEASE, now()).await?;
            if letters.len() < wanted {
                let found = letters.len();
                return Err(format!("a claim of {wanted} letters found {found}").into());
            }
            claimed.lock().await.extend(letters);
            Ok(wanted as u64)
        }
    };
    let calls = Until::Calls(letters.div_ceil(CLAIMED_AT_ONCE));
    let rate = rate(CLAIMERS, calls, claim).await?;
    let claimed = std::mem::take(&mut *all.lock().await);
    Ok((rate, claimed))
}

async fn settle(store: &Arc<dyn Letters>, claimed: Vec<Letter>) -> Result<f64, Failure> {
    let calls = Until::Calls(claimed.len() as u64);
    let (store, claimed) = (store.clone(), Arc::new(std::sync::Mutex::new(claimed)));
    let settle = move || {
        let letter = claimed.lock().map(|mut claimed| claimed.pop()).ok().flatten();
        let store = store.clone();
        async move {
            finish(&store, &letter.ok_or("there is nothing left to settle")?).await?;
            Ok(1)
        }
    };
    rate(CALLERS, calls, settle).await
}
