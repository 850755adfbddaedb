//! Circuits as OpenTelemetry instruments.

use std::sync::Arc;

use fuseboard_core::{Board, Listener, State, Transition};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::names;
use super::parent::parent;
use super::reading::Reading;
use super::stays::Stays;

/// Tells an OpenTelemetry meter what circuits do.
///
/// | name | instrument | unit | attributes |
/// |---|---|---|---|
/// | `fuseboard_transitions_total` | counter | `{transition}` | `circuit`, `from`, `to`, `cause` |
/// | `fuseboard_calls_total` | observable counter | `{call}` | `circuit`, `outcome` |
/// | `fuseboard_circuit_state` | observable gauge | | `circuit`, `state`: 1 for the present state, 0 for the six others |
/// | `fuseboard_state_seconds_total` | observable counter | `s` | `circuit`, `state` |
///
/// Transitions are counted at once, on the thread that makes them; that is in memory and does no I/O. The others are
/// observed: the reader's thread calls back at each collection, and the breakers say what they count anyway. So a call
/// costs no more than without metrics. For the same reason there is no histogram of durations: a breaker does not time
/// calls unless its rules look at latency. Time them where you make them.
///
/// Keyed circuits add up under their parent's name, so that attributes are bounded: `fuseboard_circuit_state` is then how
/// many of them are in the state, and there is no time.
///
/// ```
/// use fuseboard::{Board, Rules, listeners::OtelReporter};
/// use std::sync::Arc;
///
/// let meter = opentelemetry::global::meter("payments-service");
/// let otel = Arc::new(OtelReporter::new(&meter));
/// let board = Board::builder().shared_listener(otel.clone()).build();
/// otel.observe(&meter, &board);
/// board.get_or_create("payments", Rules::default())?; // also seen, as all that come later
/// # Ok::<(), fuseboard::BuildError>(())
/// ```
#[derive(Debug)]
pub struct OtelReporter {
    transitions: Counter<u64>,
    stays: Arc<Stays>,
}

impl OtelReporter {
    /// A listener that counts transitions with an instrument of `meter`.
    pub fn new(meter: &Meter) -> Self {
        let transitions = meter
            .u64_counter(names::TRANSITIONS)
            .with_description(names::TRANSITIONS_HELP)
            .with_unit("{transition}")
            .build();
        OtelReporter { transitions, stays: Arc::default() }
    }

    /// Lets `meter` observe the circuits of `board` at each collection, those that are made later too.
    ///
    /// This should be a listener of the same board: it learns from transitions how long a state lasted. To be called once:
    /// OpenTelemetry has no way to take a callback back, so the board lives for as long as the meter's provider.
    ///
    /// A callback takes each breaker's lock for a moment, and may notice there that a pin has ended, of which listeners are
    /// then told on the reader's thread. A listener of yours that makes instruments of the same provider when it is told would
    /// wait for itself: make them beforehand.
    pub fn observe(&self, meter: &Meter, board: &Board) {
        let source = board.clone();
        meter
            .u64_observable_gauge(names::CIRCUIT_STATE)
            .with_description(names::CIRCUIT_STATE_HELP)
            .with_callback(move |observer| {
                for reading in Reading::all(&source) {
                    for (state, circuits) in State::ALL.into_iter().zip(reading.states) {
                        observer.observe(circuits, &labels(&reading, "state", state.as_str()));
                    }
                }
            })
            .build();
        let source = board.clone();
        meter
            .u64_observable_counter(names::CALLS)
            .with_description(names::CALLS_HELP)
            .with_unit("{call}")
            .with_callback(move |observer| {
                for reading in Reading::all(&source) {
                    for (outcome, calls) in reading.totals.by_outcome() {
                        observer.observe(calls, &labels(&reading, "outcome", outcome));
                    }
                }
            })
            .build();
        let (source, stays) = (board.clone(), Arc::clone(&self.stays));
        meter
            .f64_observable_counter(names::STATE_SECONDS)
            .with_description(names::STATE_SECONDS_HELP)
            .with_unit("s")
            .with_callback(move |observer| {
                for reading in Reading::all(&source) {
                    for (state, time) in reading.single.iter().flat_map(|info| stays.read(info)) {
                        let labels = labels(&reading, "state", state.as_str());
                        observer.observe(time.as_secs_f64(), &labels);
                    }
                }
            })
            .build();
    }
}

fn labels(reading: &Reading, key: &'static str, value: &'static str) -> [KeyValue; 2] {
    [KeyValue::new("circuit", Arc::clone(&reading.circuit)), KeyValue::new(key, value)]
}

impl Listener for OtelReporter {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.stays.hear(circuit, transition);
        let labels = [
            KeyValue::new("circuit", parent(circuit).to_owned()),
            KeyValue::new("from", transition.from.as_str()),
            KeyValue::new("to", transition.to.as_str()),
            KeyValue::new("cause", transition.cause.as_str()),
        ];
        self.transitions.add(1, &labels);
    }
}
