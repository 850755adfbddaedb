//! By when letters should be done, per domain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::WallTime;

use crate::circuits::Runtime;

/// By when letters should be done, per domain: the time from their capture. A letter that is late is counted and shown, and
/// nothing else happens to it by itself.
///
/// Domains are looked up whatever their case.
///
/// ```
/// use fuseboard_services::replay_service::SlaThresholds;
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3600);
/// let thresholds = SlaThresholds::default().domain("Orders", hour);
/// assert_eq!(thresholds.get_threshold("orders"), hour);
/// assert_eq!(thresholds.get_threshold("mails"), 24 * hour);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlaThresholds {
    default: Duration,
    by_domain: BTreeMap<String, Duration>,
}

impl Default for SlaThresholds {
    /// 24 hours for every domain.
    fn default() -> Self {
        SlaThresholds::new(Duration::from_secs(24 * 3600))
    }
}

impl SlaThresholds {
    /// `default` for every domain.
    pub fn new(default: Duration) -> Self {
        SlaThresholds { default, by_domain: BTreeMap::new() }
    }

    /// Sets the threshold of a domain.
    #[must_use]
    pub fn domain(mut self, domain: &str, threshold: Duration) -> Self {
        self.by_domain.insert(domain.to_lowercase(), threshold);
        self
    }

    /// The threshold of a domain: its own, or the default.
    pub fn get_threshold(&self, domain: &str) -> Duration {
        self.by_domain.get(&domain.to_lowercase()).copied().unwrap_or(self.default)
    }

    /// The threshold of domains that have none of their own.
    pub fn get_default(&self) -> Duration {
        self.default
    }

    /// The domains that have a threshold of their own, in lower case.
    pub fn get_all_thresholds(&self) -> &BTreeMap<String, Duration> {
        &self.by_domain
    }

    /// By when a letter of that domain should be done: what capture writes into
    /// [`Draft::sla_deadline`](fuseboard_store::Draft::sla_deadline).
    pub fn deadline(&self, domain: &str, captured_at: WallTime) -> WallTime {
        captured_at + self.get_threshold(domain)
    }
}

/// The thresholds of the [current](Runtime::current) runtime; 24 hours for every domain if none were [set](Runtime::set).
///
/// ```
/// use fuseboard_services::Runtime;
/// use fuseboard_services::replay_service::{SlaThresholds, get_sla_thresholds};
/// use std::{sync::Arc, time::Duration};
///
/// let runtime = Runtime::new();
/// runtime.set(Arc::new(SlaThresholds::new(Duration::from_secs(60))));
/// runtime.scope(|| assert_eq!(get_sla_thresholds().get_threshold("orders").as_secs(), 60));
/// ```
pub fn get_sla_thresholds() -> Arc<SlaThresholds> {
    Runtime::current().get_or_init(Arc::default)
}
