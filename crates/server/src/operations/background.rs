//! What runs for the services as long as the server does, and the order in which it ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_services::governance::AuditWriter;
use fuseboard_services::replay_service::{JobStatus, ReplayService};
use fuseboard_services::upkeep::{self, Upkeep};
use fuseboard_store::{By, Letters};
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Operations, on_close};

/// How often pins and overrides are looked at whose time may be over.
const LOOK: Duration = Duration::from_secs(1);
/// How often a stopping server looks whether its last jobs have ended.
const ENDING: Duration = Duration::from_millis(20);

/// What has to run for [`Operations`].
#[must_use = "no audit record is written, and nothing is forgotten, before it is started"]
pub struct Background {
    operations: Operations,
    letters: Arc<dyn Letters>,
    writer: AuditWriter,
    closed: Receiver<String>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("operations", &self.operations).finish_non_exhaustive()
    }
}

impl Background {
    pub(super) fn new(
        operations: Operations,
        letters: Arc<dyn Letters>,
        writer: AuditWriter,
        closed: Receiver<String>,
    ) -> Self {
        Background { operations, letters, writer, closed }
    }

    /// Starts it on the present tokio runtime: the audit log's writer, governance, the store's upkeep, what ends pins and
    /// overrides, and what replays letters of circuits that closed.
    pub fn start(self) -> Running {
        let Background { operations, letters, writer, closed } = self;
        let (config, clock) = (&operations.config, &operations.clock);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&operations.governance).run());
        tasks.spawn(upkeep::run(Upkeep {
            letters,
            clock: Arc::clone(clock),
            keep_letters: config.letters.retention,
            keep_records: config.letters.audit_retention,
            raise_late: config.letters.raise_late,
        }));
        if config.replay.on_close {
            let max_items = config.replay.on_close_max_items;
            tasks.spawn(on_close::run(closed, operations.replays.clone(), max_items));
        }
        tasks.spawn(end_what_is_over(operations.clone()));
        Running { operations, tasks, writer: tokio::spawn(writer.run()) }
    }
}

/// What runs for [`Operations`]. Dropped, it goes on for as long as its runtime, but for what [`Running::stop`] would end.
#[derive(Debug)]
pub struct Running {
    operations: Operations,
    tasks: JoinSet<()>,
    writer: JoinHandle<()>,
}

impl Running {
    /// Cancels the jobs that run and waits until each has ended its letter, at most `grace` long.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time; what is told to stop stops.
    pub async fn end_jobs(replays: ReplayService, grace: Duration) {
        let by = By::system("the server stops");
        for job in running(&replays) {
            if let Err(error) = replays.cancel(job, by.clone()).await {
                warn!(%job, %error, "the end of a replay is not in the audit log");
            }
        }
        let ended = async {
            while !running(&replays).is_empty() {
                sleep(ENDING).await;
            }
        };
        if timeout(grace, ended).await.is_err() {
            warn!("a replay that somebody asked for did not end in time");
        }
    }

    /// Ends it all, the audit log's writer last, once it has written what waits or `out_of_time` resolves.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, records that wait may not be written.
    pub async fn stop(self, out_of_time: impl Future<Output = ()>) {
        let Running { operations, mut tasks, writer } = self;
        tasks.shutdown().await;
        tokio::select! {
            () = operations.audit.flush() => {}
            () = out_of_time => {
                let counts = operations.audit.counts();
                let waiting = counts.accepted - counts.written - counts.lost;
                warn!(waiting, "audit records could not be written in time");
            }
        }
        writer.abort();
    }
}

fn running(replays: &ReplayService) -> Vec<fuseboard_services::replay_service::JobId> {
    let running = replays.jobs().into_iter().filter(|job| job.status == JobStatus::Running);
    running.map(|job| job.id).collect()
}

/// Ends pins and overrides on time also where nobody calls or looks.
async fn end_what_is_over(operations: Operations) {
    loop {
        operations.end_overrides();
        for breaker in operations.board.all() {
            // A look ends a pin whose time is over.
            let _ = breaker.state();
        }
        sleep(LOOK).await;
    }
}
