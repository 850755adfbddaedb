//! Where the program's services are found, and how a test swaps them.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use super::service::CircuitBreakerService;

type Slot = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

/// Holds one service of each type, made when it is first asked for. Clones share them.
///
/// There is one for the process. A test, a tenant or a request can have its own: [`enter`](Self::enter) makes it the one that
/// this thread's getters use, [`within`](Self::within) that of a future.
///
/// ```
/// use fuseboard_services::circuits::{
///     CircuitBreakerConfig, CircuitBreakerService, Runtime, get_circuit_breaker_service,
/// };
/// use std::sync::Arc;
///
/// let config = CircuitBreakerConfig { enabled: false, ..CircuitBreakerConfig::default() };
/// let disabled = CircuitBreakerService::builder().config(config).build()?;
/// let runtime = Runtime::new();
/// runtime.set(Arc::new(disabled));
///
/// assert!(get_circuit_breaker_service().is_enabled());
/// runtime.scope(|| assert!(!get_circuit_breaker_service().is_enabled()));
/// assert!(get_circuit_breaker_service().is_enabled());
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
#[derive(Clone, Default)]
pub struct Runtime {
    slots: Arc<Mutex<BTreeMap<TypeId, Slot>>>,
}

static OF_THE_PROCESS: LazyLock<Runtime> = LazyLock::new(Runtime::new);

thread_local! {
    /// The runtimes that this thread is in, the innermost last.
    static ENTERED: RefCell<Vec<(u64, Runtime)>> = const { RefCell::new(Vec::new()) };
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime without services.
    pub fn new() -> Self {
        Runtime::default()
    }

    /// The one that this thread entered last and has not left; otherwise that of the process.
    pub fn current() -> Self {
        let entered = ENTERED.with_borrow(|all| all.last().map(|(_, runtime)| runtime.clone()));
        entered.unwrap_or_else(|| OF_THE_PROCESS.clone())
    }

    /// The runtime of the process. What is [set](Self::set) in it holds for all threads that entered no other.
    pub fn of_the_process() -> Self {
        OF_THE_PROCESS.clone()
    }

    /// Makes this the current runtime of this thread until the guard is dropped.
    pub fn enter(&self) -> RuntimeGuard {
        let number = ENTERED.with_borrow_mut(|all| {
            let number = all.last().map_or(0, |(number, _)| number + 1);
            all.push((number, self.clone()));
            number
        });
        RuntimeGuard { number, stays: PhantomData }
    }

    /// Runs `run` in this runtime.
    pub fn scope<T>(&self, run: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        run()
    }

    /// Runs a future in this runtime, whatever threads it runs on.
    ///
    /// # Cancel safety
    ///
    /// That of the future.
    pub async fn within<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.scope(|| future.as_mut().poll(context))).await
    }

    /// The service of that type; made by `make` if there is none. It may ask the runtime for services of other types.
    pub fn get_or_init<S: Send + Sync + 'static>(&self, make: impl FnOnce() -> Arc<S>) -> Arc<S> {
        let slot = Arc::clone(self.lock().entry(TypeId::of::<S>()).or_default());
        let service = Arc::clone(slot.get_or_init(|| make()));
        service.downcast().expect("the slot of a type holds a service of that type")
    }

    /// Puts a service in place, of which those who ask from now on get clones. The one that was there is given back.
    pub fn set<S: Send + Sync + 'static>(&self, service: Arc<S>) -> Option<Arc<S>> {
        let service: Arc<dyn Any + Send + Sync> = service;
        let slot = Slot::new(OnceLock::from(service));
        let before = self.lock().insert(TypeId::of::<S>(), slot)?;
        before.get()?.clone().downcast().ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TypeId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as it lives, the thread is in a [`Runtime`]. It stays on its thread.
#[derive(Debug)]
#[must_use = "the thread leaves the runtime when the guard is dropped"]
pub struct RuntimeGuard {
    number: u64,
    stays: PhantomData<*const ()>,
}

impl Drop for RuntimeGuard {
    fn drop(&mut self) {
        // Guards may be dropped in any order. A thread that is ending has nothing left to leave.
        let _ = ENTERED.try_with(|all| {
            let gone = all.try_borrow_mut().ok().map(|mut all| {
                all.iter().position(|(number, _)| *number == self.number).map(|at| all.remove(at))
            });
            drop(gone);
        });
    }
}

/// The circuit breaker service of the [current](Runtime::current) runtime; one with the default configuration if none was
/// [set](Runtime::set).
///
/// ```
/// use fuseboard_services::circuits::get_circuit_breaker_service;
///
/// assert!(get_circuit_breaker_service().should_allow("payments")?);
/// # Ok::<(), fuseboard_services::circuits::ServiceError>(())
/// ```
pub fn get_circuit_breaker_service() -> Arc<CircuitBreakerService> {
    Runtime::current().get_or_init(Arc::default)
}
