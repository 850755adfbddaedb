//! Which circuit a request belongs to.

use fuseboard_core::CircuitBreaker;

/// Says which circuit a request belongs to: a [`CircuitBreaker`] says that all belong to it, a function of the request
/// chooses one for each.
pub trait Select<Request> {
    /// The circuit of `request`.
    fn select(&self, request: &Request) -> CircuitBreaker;

    /// The one circuit of every request, if there is just one. Only such a circuit can be asked before there is a
    /// request.
    fn only(&self) -> Option<&CircuitBreaker> {
        None
    }
}

impl<Request> Select<Request> for CircuitBreaker {
    fn select(&self, _request: &Request) -> CircuitBreaker {
        self.clone()
    }

    fn only(&self) -> Option<&CircuitBreaker> {
        Some(self)
    }
}

impl<Request, F: Fn(&Request) -> CircuitBreaker> Select<Request> for F {
    fn select(&self, request: &Request) -> CircuitBreaker {
        self(request)
    }
}
