//! Puts the service together.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::audit::{AuditSink, LoggedAudit};
use super::cells::Cells;
use super::checkers::Checkers;
use super::config::CircuitBreakerConfig;
use super::error::ServiceError;
use super::fallback::{RequestCapture, ResponseCache};
use super::open_calls::OpenCalls;
use super::overrides::Overrides;
use super::replay_trigger::ReplayTrigger;
use super::repository::{BoardRepository, CircuitRepository};
use super::service::CircuitBreakerService;

/// Puts a [`CircuitBreakerService`] together. Each part has a default, which does without it.
///
/// ```
/// use fuseboard_services::circuits::{Cells, CellRing, CircuitBreakerService};
///
/// let cells = Cells::new(CellRing::numbered(8)?);
/// let service = CircuitBreakerService::builder().cells(cells.clone()).build()?;
/// assert!(service.should_allow(&cells.circuit_of("payments", "tenant-7"))?);
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
#[derive(Default)]
pub struct CircuitBreakerServiceBuilder {
    config: CircuitBreakerConfig,
    repository: Option<Arc<dyn CircuitRepository>>,
    cache: Option<Arc<dyn ResponseCache>>,
    capture: Option<Arc<dyn RequestCapture>>,
    replay: Option<Arc<dyn ReplayTrigger>>,
    audit: Option<Arc<dyn AuditSink>>,
    cells: Option<Cells>,
}

impl fmt::Debug for CircuitBreakerServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CircuitBreakerServiceBuilder");
        debug.field("config", &self.config).finish_non_exhaustive()
    }
}

impl CircuitBreakerServiceBuilder {
    /// Sets the configuration.
    #[must_use]
    pub fn config(mut self, config: CircuitBreakerConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets where the circuits are. By default, on a board of the service's own.
    #[must_use]
    pub fn repository(mut self, repository: Arc<dyn CircuitRepository>) -> Self {
        self.repository = Some(repository);
        self
    }

    /// Sets where cached answers come from. Without it there are none.
    #[must_use]
    pub fn cache(mut self, cache: impl ResponseCache + 'static) -> Self {
        self.cache = Some(Arc::new(cache));
        self
    }

    /// Sets what keeps requests that were not allowed. Without it none is kept.
    #[must_use]
    pub fn capture(mut self, capture: impl RequestCapture + 'static) -> Self {
        self.capture = Some(Arc::new(capture));
        self
    }

    /// Sets what replays a circuit's letters when an operator closes it. Without it nothing does.
    #[must_use]
    pub fn replay(mut self, replay: impl ReplayTrigger + 'static) -> Self {
        self.replay = Some(Arc::new(replay));
        self
    }

    /// Sets where audit records go. By default, to the log.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn AuditSink>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Sets the cells. Without them no circuit is ever an orphan.
    #[must_use]
    pub fn cells(mut self, cells: Cells) -> Self {
        self.cells = Some(cells);
        self
    }

    /// Makes the service.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] names what cannot be in the configuration.
    pub fn build(self) -> Result<CircuitBreakerService, ServiceError> {
        let rules = Arc::new(self.config.rules()?);
        let repository = self.repository.unwrap_or_else(|| Arc::new(BoardRepository::default()));
        Ok(CircuitBreakerService {
            clock: repository.clock(),
            config: self.config,
            rules,
            repository,
            calls: OpenCalls::default(),
            overrides: Overrides::default(),
            checkers: Checkers::default(),
            cache: self.cache,
            capture: self.capture,
            replay: self.replay,
            audit: self.audit.unwrap_or_else(|| Arc::new(LoggedAudit)),
            cells: self.cells,
            sweeping: Mutex::default(),
        })
    }
}
