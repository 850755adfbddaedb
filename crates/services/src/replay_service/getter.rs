//! Where the program's replay service is found.

use std::sync::Arc;

use fuseboard_store::Memory;
use tracing::warn;

use crate::circuits::{Runtime, get_circuit_breaker_service};
use crate::domains::get_sla_thresholds;

use super::config::ReplayConfig;
use super::service::ReplayService;

/// The replay service of the [current](Runtime::current) runtime. If none was [set](Runtime::set), one over letters in memory,
/// with the circuits of that runtime's circuit breaker service and its [domains](crate::domains::Domains): it has nothing to
/// replay until somebody captures there.
///
/// ```
/// use fuseboard_services::Runtime;
/// use fuseboard_services::replay_service::{ReplayService, get_replay_service};
/// use fuseboard_store::Memory;
/// use std::sync::Arc;
///
/// let mine = Arc::new(ReplayService::new(Arc::new(Memory::default()), None));
/// let runtime = Runtime::new();
/// runtime.set(mine.clone());
/// runtime.scope(|| assert!(Arc::ptr_eq(&get_replay_service(), &mine)));
/// ```
pub fn get_replay_service() -> Arc<ReplayService> {
    Runtime::current().get_or_init(|| {
        let circuits = Arc::clone(get_circuit_breaker_service().repository());
        let mut config = ReplayConfig::default();
        match get_sla_thresholds() {
            domains if domains.validate().is_ok() => config.domains = domains.as_ref().clone(),
            _ => warn!("the runtime's table of domains cannot be; replays go by the default one"),
        }
        let builder = ReplayService::builder(Arc::new(Memory::default()));
        let builder = builder.circuits(circuits).config(config);
        Arc::new(builder.build().expect("the defaults pass the checks, and the domains did"))
    })
}
