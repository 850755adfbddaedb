//! Puts the service together.

use std::fmt;
use std::sync::Arc;

use fuseboard_core::Rules;
use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_store::{Leases, Letters};
use tokio::runtime::Handle;

use crate::circuits::{BoardRepository, CircuitRepository, Invalid};
use crate::governance::{Gate, Open};
use crate::replay::Observer;

use super::adaptive::AdaptiveSize;
use super::config::ReplayConfig;
use super::handlers::Handlers;
use super::jobs::Jobs;
use super::service::{ReplayService, Shared};

/// Puts a [`ReplayService`] together. Each part has a default.
///
/// ```
/// use fuseboard_services::circuits::{BoardRepository, CircuitBreakerService};
/// use fuseboard_services::governance::Open;
/// use fuseboard_services::replay_service::ReplayService;
/// use fuseboard_store::Memory;
/// use std::sync::Arc;
///
/// let circuits = Arc::new(BoardRepository::default());
/// let replays = ReplayService::builder(Arc::new(Memory::default()))
///     .circuits(circuits.clone())
///     .gate(Arc::new(Open))
///     .build()?;
/// let breakers =
///     CircuitBreakerService::builder().repository(circuits).replay(replays.clone()).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReplayServiceBuilder {
    config: ReplayConfig,
    letters: Arc<dyn Letters>,
    leases: Option<Arc<dyn Leases + Send + Sync>>,
    circuits: Option<Arc<dyn CircuitRepository>>,
    gate: Arc<dyn Gate>,
    random: Option<Arc<dyn Random>>,
    observer: Option<Arc<dyn Observer>>,
    runtime: Option<Handle>,
}

impl fmt::Debug for ReplayServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ReplayServiceBuilder");
        debug.field("config", &self.config).finish_non_exhaustive()
    }
}

impl ReplayServiceBuilder {
    pub(super) fn new(letters: Arc<dyn Letters>) -> Self {
        ReplayServiceBuilder {
            config: ReplayConfig::default(),
            letters,
            leases: None,
            circuits: None,
            gate: Arc::new(Open),
            random: None,
            observer: None,
            runtime: None,
        }
    }

    /// Sets the configuration.
    #[must_use]
    pub fn config(mut self, config: ReplayConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets where the in-flight rows are. By default, in the letters' store.
    #[must_use]
    pub fn cache(mut self, leases: Arc<dyn Leases + Send + Sync>) -> Self {
        self.leases = Some(leases);
        self
    }

    /// Sets where the circuits are, whose clock is the service's too. By default, on a board of the service's own: then no
    /// other calls are seen, so share those of your [`CircuitBreakerService`](crate::CircuitBreakerService).
    #[must_use]
    pub fn circuits(mut self, circuits: Arc<dyn CircuitRepository>) -> Self {
        self.circuits = Some(circuits);
        self
    }

    /// Sets the gate that every replay passes. By default, one that is always open.
    #[must_use]
    pub fn gate(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Sets the dice, for the jitter between tries of one letter. By default, they differ in every process.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Sets who is told how replays went.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Sets where replays run that a thread outside of every runtime asks for, by closing a circuit. By default, on the runtime
    /// in which the service is built, if there is one.
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Makes the service.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the setting that cannot be.
    pub fn build(self) -> Result<ReplayService, Invalid> {
        self.config.validate()?;
        let leases = self.leases.unwrap_or_else(|| self.letters.clone());
        let circuits = self.circuits.unwrap_or_else(|| Arc::new(BoardRepository::default()));
        let random = self.random.unwrap_or_else(|| Arc::new(SeededRandom::from_entropy()));
        let shared = Shared {
            letters: self.letters,
            leases,
            clock: circuits.clock(),
            circuits,
            rules: Arc::new(Rules::default()),
            handlers: Handlers::default(),
            gate: self.gate,
            random,
            observer: self.observer,
            adaptive: AdaptiveSize::new(self.config.adaptive),
            jobs: Jobs::new(self.config.jobs_kept),
            runtime: self.runtime.or_else(|| Handle::try_current().ok()),
            config: self.config,
        };
        Ok(ReplayService { shared: Arc::new(shared) })
    }
}
