//! The seam to replay: who does a circuit's letters again when an operator closes it.

use super::error::Trouble;

/// What an operator asks of replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayOrder {
    /// Whose letters.
    pub service_name: String,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether a letter that fails again needs a person to look at it. It is so when a person asked for the replay.
    pub escalate_failures: bool,
}

/// Starts the replay of a circuit's letters; the replay service is one.
///
/// It is called by the thread that closed the circuit, after that: it should begin the replay and return. Every closure of
/// this shape is one.
///
/// ```
/// use fuseboard_services::circuits::{CircuitBreakerService, ManualControl, ReplayOrder};
///
/// let service = CircuitBreakerService::builder()
///     .replay(|order: &ReplayOrder| {
///         println!("letters of {} are due", order.service_name);
///         Ok(())
///     })
///     .build()?;
/// let recovered = ManualControl::by("ops").because("service recovered").trigger_replay(true);
/// assert!(service.force_close("payments", recovered)?.replay_triggered);
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
pub trait ReplayTrigger: Send + Sync {
    /// Begins it.
    ///
    /// # Errors
    ///
    /// Whatever kept it from beginning. The circuit is closed all the same, and the operator is told.
    fn replay_on_circuit_close(&self, order: &ReplayOrder) -> Result<(), Trouble>;
}

impl<F> ReplayTrigger for F
where
    F: Fn(&ReplayOrder) -> Result<(), Trouble> + Send + Sync,
{
    fn replay_on_circuit_close(&self, order: &ReplayOrder) -> Result<(), Trouble> {
        self(order)
    }
}
