//! Where the service's circuits are.

use std::fmt;
use std::sync::Arc;

use fuseboard_core::time::Clock;
use fuseboard_core::{Board, BuildError, CircuitBreaker, Rules};

/// Where the service's circuits are. The service asks at every call and keeps no breaker to itself.
///
/// Nothing in here may wait for I/O: a call asks it before it is made.
pub trait CircuitRepository: Send + Sync + fmt::Debug {
    /// The breaker of that name, if there is one.
    fn get(&self, service_name: &str) -> Option<CircuitBreaker>;

    /// The breaker of that name, whatever its rules; made with `rules`, closed, if there is none.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if no circuit can have that name.
    fn get_or_create(
        &self,
        service_name: &str,
        rules: &Arc<Rules>,
    ) -> Result<CircuitBreaker, BuildError>;

    /// Every breaker, by name.
    fn all(&self) -> Vec<CircuitBreaker>;

    /// Forgets the breaker of that name, without any transition. `false` if there is none. Calls on their way end as they
    /// would have.
    fn remove(&self, service_name: &str) -> bool;

    /// The clock of the breakers, which is the service's too.
    fn clock(&self) -> Arc<dyn Clock>;
}

/// The circuits of a [`Board`]: what there is when nobody lent the service a repository.
///
/// Circuits that others make on the board are the service's too, with the rules that they were made with. Keyed circuits are
/// found by their names, such as `payments[eu-1]`, and are not listed.
///
/// ```
/// use fuseboard_core::Board;
/// use fuseboard_services::circuits::{BoardRepository, CircuitBreakerService};
/// use std::sync::Arc;
///
/// let board = Board::new();
/// let repository = Arc::new(BoardRepository::new(board.clone()));
/// let service = CircuitBreakerService::builder().repository(repository).build()?;
/// assert!(service.should_allow("payments")?);
/// assert!(board.get("payments").is_some());
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
#[derive(Debug, Default)]
pub struct BoardRepository {
    board: Board,
}

impl BoardRepository {
    /// The circuits of `board`.
    pub fn new(board: Board) -> Self {
        BoardRepository { board }
    }

    /// The board itself.
    pub fn board(&self) -> &Board {
        &self.board
    }
}

impl CircuitRepository for BoardRepository {
    fn get(&self, service_name: &str) -> Option<CircuitBreaker> {
        self.board.get(service_name)
    }

    fn get_or_create(
        &self,
        service_name: &str,
        rules: &Arc<Rules>,
    ) -> Result<CircuitBreaker, BuildError> {
        if let Some(breaker) = self.board.get(service_name) {
            return Ok(breaker);
        }
        let made = self.board.get_or_create(service_name, Arc::clone(rules));
        // Somebody may have made it meanwhile, with other rules: those hold.
        made.or_else(|error| self.board.get(service_name).ok_or(error))
    }

    fn all(&self) -> Vec<CircuitBreaker> {
        self.board.all()
    }

    fn remove(&self, service_name: &str) -> bool {
        self.board.remove(service_name).is_some()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.board.clock()
    }
}
