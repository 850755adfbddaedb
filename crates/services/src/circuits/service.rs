//! The service itself: its parts, and what holds for all that it does.

use std::fmt;
use std::sync::{Arc, Mutex};

use fuseboard_core::time::{Clock, Moment};
use fuseboard_core::{CircuitBreaker, Rules};
use tracing::warn;

use super::audit::{AuditAction, AuditRecord, AuditSink};
use super::builder::CircuitBreakerServiceBuilder;
use super::cells::Cells;
use super::checkers::Checkers;
use super::config::CircuitBreakerConfig;
use super::contain::attempted;
use super::error::ServiceError;
use super::fallback::{RequestCapture, ResponseCache};
use super::open_calls::OpenCalls;
use super::overrides::Overrides;
use super::replay_trigger::ReplayTrigger;
use super::repository::CircuitRepository;
use super::state_data::CircuitBreakerStateData;
use super::thresholds::ThresholdOverride;

/// Protects and operates circuits by name. One service serves any number of threads; none of its methods waits for I/O, unless
/// a part that was lent to it does.
///
/// A circuit is made, closed, by the first who names it. A name that no circuit can have is a [`ServiceError`].
///
/// ```
/// use fuseboard_core::State;
/// use fuseboard_services::circuits::{
///     BoardRepository, CircuitBreakerConfig, CircuitBreakerService,
/// };
/// use std::sync::Arc;
///
/// let config = CircuitBreakerConfig { failure_threshold: 2, ..CircuitBreakerConfig::default() };
/// let service = CircuitBreakerService::new(config, Arc::new(BoardRepository::default()))?;
/// for _ in 0..2 {
///     assert!(service.should_allow("payments")?);
///     service.record_failure("payments", Some("503".into()), None)?;
/// }
/// assert_eq!(service.get_state("payments"), State::Open);
/// assert!(!service.should_allow("payments")?);
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
pub struct CircuitBreakerService {
    pub(super) config: CircuitBreakerConfig,
    pub(super) rules: Arc<Rules>,
    pub(super) repository: Arc<dyn CircuitRepository>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) calls: OpenCalls,
    pub(super) overrides: Overrides,
    pub(super) checkers: Checkers,
    pub(super) cache: Option<Arc<dyn ResponseCache>>,
    pub(super) capture: Option<Arc<dyn RequestCapture>>,
    pub(super) replay: Option<Arc<dyn ReplayTrigger>>,
    pub(super) audit: Arc<dyn AuditSink>,
    pub(super) cells: Option<Cells>,
    /// One sweep at a time, so that no two report the same transition.
    pub(super) sweeping: Mutex<()>,
}

impl fmt::Debug for CircuitBreakerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CircuitBreakerService");
        debug.field("config", &self.config).field("repository", &self.repository);
        debug.finish_non_exhaustive()
    }
}

impl Default for CircuitBreakerService {
    /// The default configuration, on an own board.
    fn default() -> Self {
        CircuitBreakerService::builder().build().expect("the defaults pass the checks")
    }
}

impl CircuitBreakerService {
    /// A service with that configuration over those circuits, and no other parts; [`builder`](Self::builder) takes those.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] names what cannot be in the configuration.
    pub fn new(
        config: CircuitBreakerConfig,
        repository: Arc<dyn CircuitRepository>,
    ) -> Result<Self, ServiceError> {
        CircuitBreakerService::builder().config(config).repository(repository).build()
    }

    /// Starts a service with parts of your own.
    pub fn builder() -> CircuitBreakerServiceBuilder {
        CircuitBreakerServiceBuilder::default()
    }

    /// Whether circuits reject calls at all. If not, every call is allowed and none is counted.
    pub fn is_enabled(&self) -> bool {
        self.config.enabled
    }

    /// The configuration, without overrides.
    pub fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    /// Where the circuits are.
    pub fn repository(&self) -> &Arc<dyn CircuitRepository> {
        &self.repository
    }

    /// The cells, if there are any.
    pub fn cells(&self) -> Option<&Cells> {
        self.cells.as_ref()
    }

    /// Adds a check that is asked before a circuit is: where it says `false`, the call is refused. It must only look at what
    /// is in memory. One that panics is ignored.
    ///
    /// ```
    /// use fuseboard_services::circuits::CircuitBreakerService;
    ///
    /// let service = CircuitBreakerService::default();
    /// service.register_downstream_checker(|service_name| service_name != "ledger");
    /// assert!(service.should_allow("payments")?);
    /// assert!(!service.should_allow("ledger")?);
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn register_downstream_checker(
        &self,
        checker: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) {
        self.checkers.register(Arc::new(checker));
    }

    /// Changes numbers of one circuit for a while: see [`ThresholdOverride`]. One that holds already is replaced. State, deadline
    /// and window stay; when it ends, the circuit's own rules come back, unless somebody gave it others meanwhile. Where threads
    /// do this to one circuit at the same time, one of them does it for all, and the last order holds.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] if no circuit can have that name, the numbers cannot be, or there are none.
    pub fn apply_threshold_override(
        &self,
        service_name: &str,
        order: ThresholdOverride,
    ) -> Result<(), ServiceError> {
        let lasting = order.lasting.resolve(self.config.manual_override_ttl)?;
        let now = self.catch_up();
        let until = lasting.map_or(Moment::FAR, |time| now + time);
        let breaker = self.circuit(service_name)?;
        self.overrides.apply(&breaker, order.clone(), &self.config, until)?;
        self.audit_override(AuditAction::OverrideApplied, service_name, &order);
        Ok(())
    }

    /// Ends the circuit's override; `false` if there is none.
    pub fn remove_threshold_override(&self, service_name: &str) -> bool {
        self.catch_up();
        let Some(breaker) = self.repository.get(service_name) else { return false };
        let Some(ended) = self.overrides.end(&breaker) else { return false };
        self.audit_override(AuditAction::OverrideRemoved, service_name, &ended);
        true
    }

    /// The configuration of that circuit, its override included. Of a circuit that was made elsewhere, with rules of its own,
    /// [`CircuitBreaker::rules`] tells more.
    pub fn get_effective_config(&self, service_name: &str) -> CircuitBreakerConfig {
        self.catch_up();
        self.overrides.effective(service_name, &self.config)
    }

    /// Ends overrides whose time is over, and gives the time.
    pub(super) fn catch_up(&self) -> Moment {
        let now = self.clock.now();
        for (name, ended) in self.overrides.take_due(now) {
            match self.repository.get(&name) {
                Some(breaker) => self.overrides.follow(&breaker),
                None => self.overrides.forget(&name),
            }
            let by_itself = ThresholdOverride { set_by: "system".to_owned(), ..ended };
            self.audit_override(AuditAction::OverrideLapsed, &name, &by_itself);
        }
        now
    }

    /// The circuit of that name; made if there is none.
    pub(super) fn circuit(&self, service_name: &str) -> Result<CircuitBreaker, ServiceError> {
        if let Some(breaker) = self.repository.get(service_name) {
            return Ok(breaker);
        }
        Ok(self.repository.get_or_create(service_name, &self.rules)?)
    }

    pub(super) fn read(&self, breaker: &CircuitBreaker) -> CircuitBreakerStateData {
        CircuitBreakerStateData::read(breaker, &*self.clock)
    }

    /// Writes a record; a sink that cannot keep it is a warning.
    pub(super) fn audit(&self, record: &AuditRecord) {
        if let Err(error) = attempted("audit sink", || self.audit.record(record)) {
            let (action, service_name) = (record.action, &record.service_name);
            warn!(%error, %action, %service_name, actor = %record.actor, "an audit record was not kept");
        }
    }

    fn audit_override(&self, action: AuditAction, service_name: &str, order: &ThresholdOverride) {
        let after = self.repository.get(service_name).map(|breaker| self.read(&breaker));
        self.audit(&AuditRecord {
            at: self.clock.wall(),
            action,
            service_name: service_name.to_owned(),
            actor: order.set_by.clone(),
            reason: order.reason.clone(),
            detail: order.numbers(),
            before: None,
            after,
        });
    }
}
