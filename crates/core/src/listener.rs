//! Who is told of transitions, and how: after every lock is gone, in generation order, one at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

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

/// What the listeners of one breaker have not been told yet. It stands under the circuit's lock, which keeps the notices in
/// generation order.
#[derive(Debug, Default)]
pub(crate) struct News {
    notices: VecDeque<Notice>,
    somebody_tells: bool,
}

impl News {
    pub(crate) fn queue(&mut self, notices: impl Iterator<Item = Notice>) {
        self.notices.extend(notices);
    }

    /// What to tell next, unless another thread is telling: that one will tell this too. Whoever gets it calls
    /// [`told`](Self::told) afterwards.
    pub(crate) fn next(&mut self) -> Option<Notice> {
        if self.somebody_tells {
            return None;
        }
        let notice = self.notices.pop_front()?;
        self.somebody_tells = true;
        Some(notice)
    }

    pub(crate) fn told(&mut self) {
        self.somebody_tells = false;
    }
}

/// Tells each listener of `notice`. To be called without any lock.
pub(crate) fn tell(listeners: &[Arc<dyn Listener>], circuit: &str, notice: &Notice) {
    for listener in listeners {
        // A listener that panics must neither lose the others' news nor harm the call that made it.
        let _ = catch_unwind(AssertUnwindSafe(|| match notice {
            Notice::Transition(transition) => listener.on_transition(circuit, transition),
            Notice::WouldTrip { why, .. } => listener.on_would_trip(circuit, why),
        }));
    }
}
