//! How a circuit that an operator closes starts a replay.

use fuseboard_store::By;
use tokio::runtime::Handle;

use crate::circuits::{ReplayOrder, ReplayTrigger, Trouble};

use super::options::OnCircuitClose;
use super::service::ReplayService;

/// Hand a clone of the service to
/// [`CircuitBreakerServiceBuilder::replay`](crate::circuits::CircuitBreakerServiceBuilder::replay): `force_close` with
/// `trigger_replay` then begins [`ReplayService::replay_on_circuit_close`] as a [job](ReplayService::jobs), and returns.
impl ReplayTrigger for ReplayService {
    fn replay_on_circuit_close(&self, order: &ReplayOrder) -> Result<(), Trouble> {
        let runtime = self.runtime().ok_or("no tokio runtime to replay on")?;
        let _entered = runtime.enter();
        self.start_on_circuit_close(&order.service_name, options_of(order))?;
        Ok(())
    }
}

fn options_of(order: &ReplayOrder) -> OnCircuitClose {
    let ReplayOrder { actor, reason, escalate_failures, .. } = order;
    let actor = if actor.is_empty() { "unknown" } else { actor };
    let by = By::new(actor, reason);
    OnCircuitClose { escalate_failures: *escalate_failures, by, ..OnCircuitClose::default() }
}

impl ReplayService {
    fn runtime(&self) -> Option<Handle> {
        self.shared.runtime.clone().or_else(|| Handle::try_current().ok())
    }
}
