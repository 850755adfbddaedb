//! What has to happen to a store of letters from time to time: one task for a program to spawn.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::Clock;
use fuseboard_store::{Letters, Priority};

use crate::{governance, late, retention};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is done to the letters and to their audit log.
///
/// | what | how often | in steps of |
/// |---|---|---|
/// | letters that have been finished for longer than `keep_letters` are removed | every minute | 500 |
/// | audit records that are older than `keep_records` are removed | every minute | 500 |
/// | letters past their SLA deadline are told, and raised to `raise_late` | every minute | 500 |
///
/// All begin at once. While there is more to do than one step, the next one follows without a pause; between two steps others
/// have their turn at the store. Where the store does not answer, it is asked again a minute later.
#[derive(Clone)]
pub struct Upkeep {
    /// The letters.
    pub letters: Arc<dyn Letters>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long letters are kept after they were resolved, discarded or expired. Default 7 days.
    pub keep_letters: Duration,
    /// How long audit records are kept. Default 90 days.
    pub keep_records: Duration,
    /// The priority that late letters are given if they have a lower one; `None` leaves them as they are. Default critical.
    pub raise_late: Option<Priority>,
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Upkeep");
        debug.field("keep_letters", &self.keep_letters).field("keep_records", &self.keep_records);
        debug.field("raise_late", &self.raise_late).finish_non_exhaustive()
    }
}

impl Upkeep {
    /// The upkeep of those letters, with everything else as by default.
    pub fn new(letters: Arc<dyn Letters>, clock: Arc<dyn Clock>) -> Self {
        let (keep_letters, keep_records) = (7 * DAY, 90 * DAY);
        let raise_late = Some(Priority::Critical);
        Upkeep { letters, clock, keep_letters, keep_records, raise_late }
    }
}

/// Does all of it, now and from time to time, for ever.
///
/// # Cancel safety
///
/// May be dropped at any time.
///
/// ```
/// use fuseboard_core::time::SystemClock;
/// use fuseboard_services::upkeep::{self, Upkeep};
/// use fuseboard_store::{Letters, Memory};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let letters: Arc<dyn Letters> = Arc::new(Memory::default());
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let what = Upkeep { keep_records: week, ..Upkeep::new(letters, Arc::new(SystemClock::new())) };
/// let task = tokio::spawn(upkeep::run(what));
/// task.abort();
/// # }
/// ```
pub async fn run(upkeep: Upkeep) {
    let Upkeep { letters, clock, keep_letters, keep_records, raise_late } = upkeep;
    let of_letters = retention::run(Arc::clone(&letters), Arc::clone(&clock), keep_letters);
    let of_records =
        governance::retention::run(Arc::clone(&letters), Arc::clone(&clock), keep_records);
    tokio::join!(of_letters, of_records, late::run(letters, clock, raise_late));
}
