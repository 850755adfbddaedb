//! The settings of the replay service.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::circuits::Invalid;
use crate::domains::Domains;

use super::adaptive::AdaptiveRules;

/// The settings of a [`ReplayService`](super::ReplayService).
///
/// ```
/// use fuseboard_services::domains::{Domain, Domains};
/// use fuseboard_services::replay_service::{ReplayConfig, ReplayService};
/// use fuseboard_store::Memory;
/// use std::sync::Arc;
///
/// let orders = Domain { max_retries: Some(3), ..Domain::default() };
/// let domains = Domains::default().domain("orders", orders);
/// let config = ReplayConfig { priority_enabled: true, domains, ..ReplayConfig::default() };
/// let service = ReplayService::builder(Arc::new(Memory::default())).config(config).build()?;
/// # Ok::<(), fuseboard_services::circuits::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayConfig {
    /// Whether batches that do not say choose their size by themselves. Default false.
    pub adaptive_enabled: bool,
    /// How they choose it.
    pub adaptive: AdaptiveRules,
    /// Whether batches that do not say take the most urgent letters first. Default false.
    pub priority_enabled: bool,
    /// What is said of domains: of these, `max_retries` holds in every replay.
    pub domains: Domains,
    /// Per circuit, the failure types that are replayed when it closes, unless the call says. A circuit that is not named
    /// has all of its letters replayed.
    pub service_failure_type_map: BTreeMap<String, Vec<String>>,
    /// How long one delivery may take. A handler that is not back by then is given up: there was no answer. From 1 s to 1 h,
    /// default 60 s. The letter is claimed for 5 s more.
    pub delivery_timeout: Duration,
    /// How many jobs that ended are remembered. Default 100.
    pub jobs_kept: usize,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig {
            adaptive_enabled: false,
            adaptive: AdaptiveRules::default(),
            priority_enabled: false,
            domains: Domains::default(),
            service_failure_type_map: BTreeMap::new(),
            delivery_timeout: Duration::from_secs(60),
            jobs_kept: 100,
        }
    }
}

impl ReplayConfig {
    /// Checks that the settings can be.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.adaptive.validate()?;
        self.domains.validate()?;
        let range = Duration::from_secs(1)..=Duration::from_secs(3600);
        if !range.contains(&self.delivery_timeout) {
            return Err(Invalid::new(
                "delivery_timeout",
                format!("{:?}", self.delivery_timeout),
                "1s to 1h",
            ));
        }
        Ok(())
    }
}
