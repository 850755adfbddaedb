//! What letters inherit from their domain: how urgent they are, by when they should be done, how often they may be tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::Life;
use fuseboard_core::time::WallTime;
use fuseboard_store::{By, Draft, Priority};

use crate::circuits::{Invalid, Runtime};

/// What letters of one domain have in common.
///
/// ```
/// use fuseboard_services::domains::Domain;
/// use fuseboard_store::Priority;
///
/// let orders = Domain { priority: Priority::Critical, max_retries: Some(3), ..Domain::default() };
/// assert_eq!(orders.sla, None, "as all others");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// How urgent its letters are. Default normal.
    pub priority: Priority,
    /// How long after their capture they should be done; `None`, the default, for what holds for all others. Above zero.
    pub sla: Option<Duration>,
    /// After how many replays that reached the other side a letter waits for a person, from 1 up; `None`, the default, for the
    /// store's own limit alone, which holds in any case.
    pub max_retries: Option<u32>,
}

/// The domains of a program. Capture, continuous replay and [`ReplayService`](crate::replay_service::ReplayService) go by the
/// same table; it is what [`get_sla_thresholds`] answers.
///
/// Domains are looked up whatever their case. One that is not named is [`Domain::default`].
///
/// ```
/// use fuseboard_services::domains::{Domain, Domains};
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3600);
/// let orders = Domain { sla: Some(hour), max_retries: Some(3), ..Domain::default() };
/// let domains = Domains::default().domain("Orders", orders);
/// assert_eq!(domains.get_threshold("orders"), hour);
/// assert_eq!(domains.get_threshold("mails"), 24 * hour);
/// assert_eq!(domains.max_retries("orders"), Some(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domains {
    sla: Duration,
    by_name: BTreeMap<String, Domain>,
}

impl Default for Domains {
    /// No domain is named, and 24 hours are the threshold of all.
    fn default() -> Self {
        Domains::new(Duration::from_secs(24 * 3600))
    }
}

impl Domains {
    /// A table without domains; `sla` is the threshold of those that have none of their own.
    pub fn new(sla: Duration) -> Self {
        Domains { sla, by_name: BTreeMap::new() }
    }

    /// Sets what holds for a domain. What was said of it before is forgotten.
    #[must_use]
    pub fn domain(mut self, name: &str, domain: Domain) -> Self {
        self.by_name.insert(name.to_lowercase(), domain);
        self
    }

    /// What holds for a domain.
    pub fn get(&self, domain: &str) -> Domain {
        self.by_name.get(&domain.to_lowercase()).copied().unwrap_or_default()
    }

    /// Every domain that is named, in lower case, and what was said of it.
    pub fn all(&self) -> &BTreeMap<String, Domain> {
        &self.by_name
    }

    /// How urgent letters of a domain are.
    pub fn priority(&self, domain: &str) -> Priority {
        self.get(domain).priority
    }

    /// After how many tries a letter of a domain waits for a person, if that is not left to the store.
    pub fn max_retries(&self, domain: &str) -> Option<u32> {
        self.get(domain).max_retries
    }

    /// The SLA threshold of a domain: its own, or that of all others.
    pub fn get_threshold(&self, domain: &str) -> Duration {
        self.get(domain).sla.unwrap_or(self.sla)
    }

    /// The SLA threshold of domains that have none of their own.
    pub fn get_default(&self) -> Duration {
        self.sla
    }

    /// The domains that have an SLA threshold of their own, in lower case.
    pub fn get_all_thresholds(&self) -> BTreeMap<String, Duration> {
        let own = |(name, domain): (&String, &Domain)| Some((name.clone(), domain.sla?));
        self.by_name.iter().filter_map(own).collect()
    }

    /// By when a letter of that domain should be done.
    pub fn deadline(&self, domain: &str, captured_at: WallTime) -> WallTime {
        captured_at + self.get_threshold(domain)
    }

    /// A letter about to be captured, with the priority and the SLA deadline of its domain.
    ///
    /// ```
    /// use fuseboard_core::time::WallTime;
    /// use fuseboard_services::domains::{Domain, Domains};
    /// use fuseboard_store::{Priority, conformance};
    ///
    /// let mails = Domain { priority: Priority::Low, ..Domain::default() };
    /// let domains = Domains::default().domain("mails", mails);
    /// let mut draft = conformance::draft("smtp", "mail-7", WallTime::from_unix_millis(1_000));
    /// draft.domain = "mails".to_owned();
    /// let draft = domains.stamp(draft);
    /// assert_eq!(draft.priority, Priority::Low);
    /// assert_eq!(draft.sla_deadline, Some(domains.deadline("mails", draft.captured_at)));
    /// ```
    #[must_use]
    pub fn stamp(&self, draft: Draft) -> Draft {
        let sla_deadline = Some(self.deadline(&draft.domain, draft.captured_at));
        Draft { priority: self.priority(&draft.domain), sla_deadline, ..draft }
    }

    /// Why a letter of that domain may not be tried any more, if it was tried as often as the domain allows.
    pub(crate) fn exhausted(&self, domain: &str, life: &Life) -> Option<By> {
        let max = self.max_retries(domain).filter(|max| life.attempts >= *max)?;
        Some(By::system(format!("domain {domain} allows {max} attempts")))
    }

    /// Checks that the table can be.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the first setting that cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let above_zero = "a duration above 0";
        if self.sla.is_zero() {
            return Err(Invalid::new("domains.sla", "0s", above_zero));
        }
        for (name, domain) in &self.by_name {
            if domain.max_retries == Some(0) {
                let value = format!("0 (of `{name}`)");
                return Err(Invalid::new("domains.max_retries", value, "a number from 1 up"));
            }
            if domain.sla.is_some_and(|sla| sla.is_zero()) {
                return Err(Invalid::new("domains.sla", format!("0s (of `{name}`)"), above_zero));
            }
        }
        Ok(())
    }
}

/// The SLA thresholds of the [current](Runtime::current) runtime, and what else is said of its domains; the default table, 24
/// hours for every domain, if none was [set](Runtime::set).
///
/// ```
/// use fuseboard_services::Runtime;
/// use fuseboard_services::domains::{Domains, get_sla_thresholds};
/// use std::{sync::Arc, time::Duration};
///
/// let runtime = Runtime::new();
/// runtime.set(Arc::new(Domains::new(Duration::from_secs(60))));
/// runtime.scope(|| assert_eq!(get_sla_thresholds().get_threshold("orders").as_secs(), 60));
/// ```
pub fn get_sla_thresholds() -> Arc<Domains> {
    Runtime::current().get_or_init(Arc::default)
}
