//! Who is told of transitions, and how: after every lock is gone, in generation order, one at a time.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Notice;
use crate::machine::Transition;

/// Is told of what happens to circuits.
///
/// It runs on the thread whose call made the transition, so it should be quick; one that does I/O belongs on a thread
/// of its own. A panic in it is contained, and the next listener is told all the same. It may call the breaker.
///
/// Every closure that takes a circuit's name and a [`Transition`] is a listener:
///
/// ```
/// use fuseboard_core::{CircuitBreaker, machine::Transition};
///
/// let breaker = CircuitBreaker::builder("payments")
///     .listener(|circuit: &str, transition: &Transition| println!("{circuit} is {}", transition.to))
///     .build()?;
/// # Ok::<(), fuseboard_core::BuildError>(())
/// ```
pub trait Listener: Send + Sync {
    /// The state changed.
    fn on_transition(&self, circuit: &str, transition: &Transition);

    /// Under `metrics_only` the tripper has just turned true; `why` names what held. Ignored unless implemented.
    fn on_would_trip(&self, circuit: &str, why: &str) {
        let _ = (circuit, why);
    }
}

impl<F: Fn(&str, &Transition) + Send + Sync> Listener for F {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self(circuit, transition);
    }
}

/// The listeners of one breaker, and what they have not been told yet.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Vec<Arc<dyn Listener>>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    somebody_tells: bool,
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners({})", self.listeners.len())
    }
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        Listeners { listeners, waiting: Mutex::default() }
    }

    /// Queues notices. To be called under the circuit's lock, which keeps them in generation order.
    pub(crate) fn queue(&self, notices: impl Iterator<Item = Notice>) {
        if self.listeners.is_empty() {
            return;
        }
        self.waiting().notices.extend(notices);
    }

    /// Tells what waits, unless another thread is doing so: that one will tell this too.
    pub(crate) fn tell(&self, circuit: &str) {
        while let Some(notice) = self.next() {
            for listener in &self.listeners {
                // A listener that panics must neither lose the others' news nor harm the call that made it.
                let _ = catch_unwind(AssertUnwindSafe(|| match &notice {
                    Notice::Transition(transition) => listener.on_transition(circuit, transition),
                    Notice::WouldTrip { why, .. } => listener.on_would_trip(circuit, why),
                }));
            }
            self.waiting().somebody_tells = false;
        }
    }

    fn next(&self) -> Option<Notice> {
        let mut waiting = self.waiting();
        if waiting.somebody_tells {
            return None;
        }
        let notice = waiting.notices.pop_front()?;
        waiting.somebody_tells = true;
        Some(notice)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
