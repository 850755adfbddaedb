//! What becomes of the circuits of cells that are gone.

use super::audit::{AuditAction, AuditRecord};
use super::contain::attempted;
use super::service::CircuitBreakerService;

/// A circuit that was to be archived and was not; it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotArchived {
    /// Which.
    pub service_name: String,
    /// Why not.
    pub error: String,
}

/// What a reconciliation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellReconciliation {
    /// The circuits that were archived and deleted, by name.
    pub archived: Vec<String>,
    /// The circuits that should have been.
    pub errors: Vec<NotArchived>,
}

impl CircuitBreakerService {
    /// After a resize of the ring: archives and deletes each circuit `name@cell` whose cell is not on the ring any more. Its
    /// last state is an audit record; there is no transition, and calls on their way end as they would have. Circuits of
    /// live cells, and circuits without a cell, are not touched. Those of new cells are made when they are first named.
    ///
    /// A circuit whose record cannot be kept stays, and is listed among the errors. Without [cells](super::Cells) nothing is
    /// archived.
    ///
    /// ```
    /// use fuseboard_services::circuits::{CellRing, Cells, CircuitBreakerService};
    ///
    /// let cells = Cells::new(CellRing::new(["eu-1", "eu-2"])?);
    /// let service = CircuitBreakerService::builder().cells(cells.clone()).build()?;
    /// service.should_allow("payments@eu-1")?;
    /// service.should_allow("payments@eu-2")?;
    ///
    /// cells.resize(CellRing::new(["eu-1"])?);
    /// assert_eq!(service.reconcile_cb_cell_mapping().archived, ["payments@eu-2"]);
    /// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
    /// ```
    pub fn reconcile_cb_cell_mapping(&self) -> CellReconciliation {
        let mut done = CellReconciliation::default();
        let Some(cells) = &self.cells else { return done };
        let ring = cells.ring();
        for breaker in self.repository.all() {
            let service_name = breaker.name();
            let Some((_, cell)) = service_name.split_once('@') else { continue };
            if ring.contains(cell) {
                continue;
            }
            let record = AuditRecord {
                at: self.clock.wall(),
                action: AuditAction::Archived,
                service_name: service_name.to_owned(),
                actor: "system".to_owned(),
                reason: format!("cell `{cell}` is not on the ring any more"),
                detail: String::new(),
                before: Some(self.read(&breaker)),
                after: None,
            };
            let service_name = service_name.to_owned();
            match attempted("audit sink", || self.audit.record(&record)) {
                Err(error) => {
                    done.errors.push(NotArchived { service_name, error: error.to_string() });
                }
                // Somebody else may have removed it meanwhile; then it is theirs to tell.
                Ok(()) if !self.repository.remove(&service_name) => {}
                Ok(()) => {
                    self.overrides.forget(&service_name);
                    self.calls.forget(&service_name);
                    done.archived.push(service_name);
                }
            }
        }
        done
    }
}
