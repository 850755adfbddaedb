//! What a listener was told, to be kept and passed on.

use std::sync::Arc;

use fuseboard_core::{Listener, Transition};

/// What a listener was told about a circuit, to be kept and passed on.
///
/// ```
/// use fuseboard::listeners::{News, What};
///
/// fn summary(news: &News) -> String {
///     match &news.what {
///         What::Transition(transition) => format!("{} is {}", news.circuit, transition.to),
///         What::WouldTrip(why) => format!("{} would have opened: {why}", news.circuit),
///     }
/// }
/// # assert_eq!(summary(&News::would_trip("prices", "failures(3): 3 of 5 failed")),
/// #     "prices would have opened: failures(3): 3 of 5 failed");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The circuit's name.
    pub circuit: Arc<str>,
    /// What happened to it.
    pub what: What,
}

/// What happened to a circuit.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Its state changed.
    Transition(Box<Transition>),
    /// Under `metrics_only` the tripper has just turned true: what held.
    WouldTrip(String),
}

impl News {
    /// News of a change of state.
    pub fn transition(circuit: &str, transition: &Transition) -> Self {
        News { circuit: circuit.into(), what: What::Transition(Box::new(transition.clone())) }
    }

    /// News of a tripper that has turned true under `metrics_only`.
    pub fn would_trip(circuit: &str, why: &str) -> Self {
        News { circuit: circuit.into(), what: What::WouldTrip(why.to_owned()) }
    }

    /// Tells `listener`, on this thread.
    pub fn tell(&self, listener: &dyn Listener) {
        match &self.what {
            What::Transition(transition) => listener.on_transition(&self.circuit, transition),
            What::WouldTrip(why) => listener.on_would_trip(&self.circuit, why),
        }
    }
}
