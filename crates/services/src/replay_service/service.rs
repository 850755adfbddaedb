//! The service itself: its parts, and what it is asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::random::Random;
use fuseboard_core::time::Clock;
use fuseboard_core::{CircuitBreaker, Rules};
use fuseboard_store::{By, Leases, Letters};
use tokio::runtime::Handle;

use crate::circuits::CircuitRepository;
use crate::governance::Gate;
use crate::replay::{Deliver, Observer};

use super::adaptive::AdaptiveSize;
use super::builder::ReplayServiceBuilder;
use super::config::ReplayConfig;
use super::error::ReplayError;
use super::handlers::Handlers;
use super::job::{Job, JobId, JobStatus};
use super::jobs::Jobs;

/// Replays letters that somebody asks for. Clones are the same service.
///
/// Its futures run on a tokio runtime with its time enabled. A letter is done by the [handler](Deliver) that is registered for
/// its domain, or else for its circuit; one that has none is put off, and keeps its attempts.
///
/// ```
/// use fuseboard_core::{Outcome, letter::{Answer, Life, Status}, time::WallTime};
/// use fuseboard_services::replay::{Deliver, Delivering, Delivery};
/// use fuseboard_services::replay_service::{BatchOptions, ReplayService};
/// use fuseboard_store::{Draft, Letter, Letters, Memory, Priority, Token};
/// use std::sync::Arc;
///
/// struct Charge;
///
/// impl Deliver for Charge {
///     fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
///         Box::pin(async move {
///             println!("charging {}, attempt {}", letter.key, letter.life.attempts + 1);
///             Delivery {
///                 answer: Answer::Done,
///                 outcome: Outcome::Success,
///                 failure: None,
///                 stored: None,
///                 note: "charged".to_owned(),
///             }
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let letters = Arc::new(Memory::default());
/// # let now = WallTime::from_unix_millis(1_000);
/// # let draft = Draft {
/// #     token: Token::random(), circuit: "payments".into(), domain: "orders".into(), failure: "rejected".into(),
/// #     method: "POST".into(), uri: "/charge".into(), headers: vec![], content_type: None, body: vec![],
/// #     key: "order-7".into(), scope: vec![], order_key: None, priority: Priority::Normal, sla_deadline: None,
/// #     sealed_by: None, fingerprint: None, life: Life::captured(now), captured_at: now,
/// # };
/// let id = letters.insert(draft).await?.id();
/// let service = ReplayService::new(letters, None);
/// service.register_circuit_handler("payments", Arc::new(Charge));
///
/// let result = service.replay_single(id).await?;
/// assert!(result.success);
/// assert_eq!(result.get("status"), Some("resolved"));
///
/// let batch = service.replay_batch(BatchOptions::default()).await?;
/// assert_eq!(batch.total, 0, "nothing is left");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReplayService {
    pub(super) shared: Arc<Shared>,
}

/// What clones share.
pub(super) struct Shared {
    pub(super) config: ReplayConfig,
    pub(super) letters: Arc<dyn Letters>,
    pub(super) leases: Arc<dyn Leases + Send + Sync>,
    pub(super) circuits: Arc<dyn CircuitRepository>,
    pub(super) rules: Arc<Rules>,
    pub(super) handlers: Handlers,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) adaptive: AdaptiveSize,
    pub(super) jobs: Jobs,
    /// Where replays run that are asked for outside of a runtime.
    pub(super) runtime: Option<Handle>,
}

/// For how long a letter is claimed beyond the time that its delivery may take.
const TO_WRITE_DOWN: Duration = Duration::from_secs(5);

impl Shared {
    /// For how long a letter is claimed.
    pub(super) fn lease(&self) -> Duration {
        self.config.delivery_timeout + TO_WRITE_DOWN
    }

    /// The circuit's breaker; made if there is none. A letter whose circuit can have no breaker has one that nobody sees.
    pub(super) fn breaker(&self, circuit: &str) -> CircuitBreaker {
        let made = self.circuits.get(circuit);
        let made = made.or_else(|| self.circuits.get_or_create(circuit, &self.rules).ok());
        made.unwrap_or_else(|| {
            let alone = CircuitBreaker::builder("letters-of-no-circuit").build();
            alone.expect("a circuit can have that name")
        })
    }
}

impl fmt::Debug for ReplayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ReplayService");
        debug.field("config", &self.shared.config).field("letters", &self.shared.letters);
        debug.field("handlers", &self.shared.handlers).finish_non_exhaustive()
    }
}

impl ReplayService {
    /// A service over those letters, with everything else as by default; [`builder`](Self::builder) takes more parts. `cache`
    /// keeps the row that lets one [`replay_on_circuit_close`](Self::replay_on_circuit_close) per circuit go at a time; if
    /// it is `None`, the letters' store does.
    pub fn new(repository: Arc<dyn Letters>, cache: Option<Arc<dyn Leases + Send + Sync>>) -> Self {
        let builder = ReplayService::builder(repository);
        let builder = match cache {
            Some(cache) => builder.cache(cache),
            None => builder,
        };
        builder.build().expect("the defaults pass the checks")
    }

    /// Starts a service with parts of your own.
    pub fn builder(repository: Arc<dyn Letters>) -> ReplayServiceBuilder {
        ReplayServiceBuilder::new(repository)
    }

    /// The configuration.
    pub fn config(&self) -> &ReplayConfig {
        &self.shared.config
    }

    /// Where the letters are.
    pub fn repository(&self) -> &Arc<dyn Letters> {
        &self.shared.letters
    }

    /// Where the in-flight rows are.
    pub fn cache(&self) -> &Arc<dyn Leases + Send + Sync> {
        &self.shared.leases
    }

    /// How many letters the next adaptive batch takes.
    pub fn adaptive_batch_size(&self) -> usize {
        self.shared.adaptive.get()
    }

    /// Has `handler` do the letters of a domain, whatever their circuit. One that was registered before is replaced.
    pub fn register_domain_handler(&self, domain: &str, handler: Arc<dyn Deliver>) {
        self.shared.handlers.of_domain(domain, handler);
    }

    /// Has `handler` do the letters of a circuit whose domain has no handler. One that was registered before is replaced.
    pub fn register_circuit_handler(&self, circuit: &str, handler: Arc<dyn Deliver>) {
        self.shared.handlers.of_circuit(circuit, handler);
    }

    /// Every batch of this service that runs, and the latest that ended, the newest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.shared.jobs.list()
    }

    /// A batch of this service, if it runs or has not been forgotten.
    pub fn job(&self, id: JobId) -> Option<Job> {
        self.shared.jobs.get(id)
    }

    /// The latest batches of all who share the store, the newest first, as far back as the audit log goes; dry runs only if they
    /// are this service's. One whose process died while it ran is [interrupted](super::JobStatus::Interrupted), which is seen 90
    /// seconds after it was last written down.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Store`] if the audit log could not be read.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn all_jobs(&self, limit: usize) -> Result<Vec<Job>, ReplayError> {
        let mut jobs = self.jobs();
        let own: BTreeSet<_> = jobs.iter().map(|job| job.id).collect();
        let recorded = self.shared.recorded_jobs(limit).await?;
        jobs.extend(recorded.into_iter().filter(|job| !own.contains(&job.id)));
        jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
        jobs.truncate(limit);
        Ok(jobs)
    }

    /// A batch of any who share the store, as [`all_jobs`](Self::all_jobs) tells of it.
    ///
    /// # Errors
    ///
    /// As [`all_jobs`](Self::all_jobs).
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn find_job(&self, id: JobId) -> Result<Option<Job>, ReplayError> {
        match self.job(id) {
            Some(job) => Ok(Some(job)),
            None => Ok(self.shared.recorded_job(id).await?),
        }
    }

    /// Tells a batch to stop, on whatever node it runs: the letter that is on its way is finished, and no other is begun. A batch
    /// of another node hears of it within 5 seconds. `false` if no such batch runs, or it was told already.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Store`] if the audit record could not be written; a batch of this service stops all the same, one of
    /// another does not.
    pub async fn cancel(&self, id: JobId, by: By) -> Result<bool, ReplayError> {
        let canceled = match self.job(id) {
            Some(_) => self.shared.jobs.cancel(id),
            None => self.runs_elsewhere(id).await?,
        };
        if canceled {
            self.shared.audit_cancel(id, &by).await?;
        }
        Ok(canceled)
    }

    /// Whether the batch runs on another node, and nobody told it to stop.
    async fn runs_elsewhere(&self, id: JobId) -> Result<bool, ReplayError> {
        let job = self.shared.recorded_job(id).await?;
        let runs = job.is_some_and(|job| job.status == JobStatus::Running);
        Ok(runs && !self.shared.is_cancel_recorded(id).await?)
    }
}
