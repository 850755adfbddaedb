//! What the service knows of its circuits.

use std::cmp::Reverse;

use fuseboard_core::metrics::Metrics;
use fuseboard_core::{Info, State};

use super::error::ServiceError;
use super::service::CircuitBreakerService;
use super::state_data::CircuitBreakerStateData;

/// Calls of all circuits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AggregateCalls {
    /// Successes and failures.
    pub total: u64,
    /// Failures among them.
    pub failures: u64,
}

impl AggregateCalls {
    /// The share of failures, from 0 to 1; `None` of nothing.
    pub fn failure_rate(&self) -> Option<f64> {
        let (total, failures) = (self.total, self.failures);
        Metrics { total, failures, ..Metrics::default() }.failure_rate()
    }

    fn plus(self, info: &Info) -> Self {
        // A circuit that lets nothing through has an empty window: what opened it says how it fares.
        let rejects = matches!(info.state, State::Open | State::HalfOpen | State::ForcedOpen);
        let metrics = match &info.trip {
            Some(trip) if rejects => trip.metrics,
            _ => info.metrics,
        };
        AggregateCalls {
            total: self.total.saturating_add(metrics.total),
            failures: self.failures.saturating_add(metrics.failures),
        }
    }
}

impl CircuitBreakerService {
    /// The circuit as it is now; made, closed, if there is none.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Circuit`] if no circuit can have that name.
    pub fn get_or_create_state(
        &self,
        service_name: &str,
    ) -> Result<CircuitBreakerStateData, ServiceError> {
        self.catch_up();
        Ok(self.read(&self.circuit(service_name)?))
    }

    /// The circuit's state; `closed` for one that nobody has named yet, which is not made by asking.
    pub fn get_state(&self, service_name: &str) -> State {
        self.catch_up();
        self.repository.get(service_name).map_or(State::Closed, |breaker| breaker.state())
    }

    /// Every circuit as it is now, by name.
    pub fn get_all_states(&self) -> Vec<CircuitBreakerStateData> {
        self.catch_up();
        self.repository.all().iter().map(|breaker| self.read(breaker)).collect()
    }

    /// The circuits that reject calls (`open` and `forced_open`), the one that has done so for longest first; at most `limit`,
    /// if there is one.
    ///
    /// ```
    /// use fuseboard_services::circuits::{CircuitBreakerService, ManualControl};
    ///
    /// let service = CircuitBreakerService::default();
    /// service.force_open("payments", ManualControl::by("ops"))?;
    /// service.should_allow("ledger")?;
    /// let open = service.get_open_states(Some(10));
    /// assert_eq!(open.len(), 1);
    /// assert_eq!(open[0].service_name, "payments");
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn get_open_states(&self, limit: Option<usize>) -> Vec<CircuitBreakerStateData> {
        self.catch_up();
        let all = self.repository.all();
        let mut open: Vec<_> = all
            .iter()
            .map(|breaker| breaker.info())
            .map(|info| (info.lasted, CircuitBreakerStateData::of(info, &*self.clock)))
            .filter(|(_, data)| data.is_open())
            .collect();
        open.sort_by_key(|(lasted, _)| Reverse(*lasted));
        open.truncate(limit.unwrap_or(usize::MAX));
        open.into_iter().map(|(_, data)| data).collect()
    }

    /// How many outcomes the circuit's window holds: successes and failures. None for a circuit that nobody has named yet, and
    /// for one that has just opened.
    pub fn get_total_calls(&self, service_name: &str) -> u64 {
        self.repository.get(service_name).map_or(0, |breaker| breaker.info().metrics.total)
    }

    /// The share of failures over all circuits, from 0 to 1: an open or half-open circuit contributes the window that tripped
    /// it, every other the window it has. `0.0` where nothing was recorded; [`aggregate_calls`](Self::aggregate_calls) tells
    /// that apart.
    pub fn get_aggregate_failure_rate(&self) -> f64 {
        self.aggregate_calls().failure_rate().unwrap_or(0.0)
    }

    /// The calls behind [`get_aggregate_failure_rate`](Self::get_aggregate_failure_rate).
    pub fn aggregate_calls(&self) -> AggregateCalls {
        let all = self.repository.all();
        all.iter().fold(AggregateCalls::default(), |sum, breaker| sum.plus(&breaker.info()))
    }
}
