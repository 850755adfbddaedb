//! Circuits as metrics of the `metrics` crate.

use fuseboard_core::{Board, Info, KeyedInfo, Listener, State, Transition};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::names;
use super::parent::parent;
use super::reading::Reading;
use super::stays::Stays;

/// Tells the recorder of the [`metrics`] crate, whichever you installed, what circuits do.
///
/// | name | kind | labels | what |
/// |---|---|---|---|
/// | `fuseboard_transitions_total` | counter | `circuit`, `from`, `to`, `cause` | changes of state |
/// | `fuseboard_calls_total` | counter | `circuit`, `outcome` | calls: success, failure, ignored, cancelled, rejected, stale |
/// | `fuseboard_circuit_state` | gauge | `circuit`, `state` | 1 for the state that the circuit is in, 0 for the six others |
/// | `fuseboard_state_seconds_total` | counter | `circuit`, `state` | time spent in each state, in whole seconds |
///
/// Transitions are counted at once, on the thread that makes them. Everything else is read from the breakers by
/// [`publish`](MetricsReporter::publish), so that a call costs no more than without metrics: a breaker counts its calls
/// anyway. For the same reason there is no histogram of durations: a breaker does not time calls unless its rules look at
/// latency. Time them where you make them.
///
/// Keyed circuits add up under their parent's name, so that labels are bounded: `fuseboard_circuit_state` is then how many
/// of them are in the state, and there is no time.
///
/// ```
/// use fuseboard::{Board, Rules, listeners::MetricsReporter};
/// use std::sync::Arc;
///
/// let reporter = Arc::new(MetricsReporter::new());
/// let board = Board::builder().shared_listener(reporter.clone()).build();
/// board.get_or_create("payments", Rules::default())?;
///
/// reporter.publish(&board); // before each scrape, or every few seconds
/// # Ok::<(), fuseboard::BuildError>(())
/// ```
#[derive(Debug)]
pub struct MetricsReporter {
    stays: Stays,
}

impl MetricsReporter {
    /// Describes the metrics to the recorder that is installed now, so install yours first.
    pub fn new() -> Self {
        describe_counter!(names::TRANSITIONS, Unit::Count, names::TRANSITIONS_HELP);
        describe_counter!(names::CALLS, Unit::Count, names::CALLS_HELP);
        describe_counter!(names::STATE_SECONDS, Unit::Seconds, names::STATE_SECONDS_HELP);
        describe_gauge!(names::CIRCUIT_STATE, names::CIRCUIT_STATE_HELP);
        MetricsReporter { stays: Stays::default() }
    }

    /// Sets the counters of calls and time, and the gauges, to what the circuits of `board` say now.
    ///
    /// This should be a listener of the same board: it learns from transitions how long a state lasted. It takes each
    /// breaker's lock for a moment, and may notice there that a pin has ended, of which listeners are then told on this
    /// thread.
    pub fn publish(&self, board: &Board) {
        for reading in Reading::all(board) {
            self.set(&reading);
        }
    }

    /// The same for one circuit: for a breaker that is on no board.
    ///
    /// ```
    /// use fuseboard::{CircuitBreaker, listeners::MetricsReporter};
    /// use std::sync::Arc;
    ///
    /// let reporter = Arc::new(MetricsReporter::new());
    /// let breaker = CircuitBreaker::builder("payments").shared_listener(reporter.clone()).build()?;
    /// reporter.publish_one(&breaker.info());
    /// # Ok::<(), fuseboard::BuildError>(())
    /// ```
    pub fn publish_one(&self, info: &Info) {
        self.set(&Reading::of(info.clone()));
    }

    /// The same for keyed circuits that are on no board.
    pub fn publish_keyed(&self, info: &KeyedInfo) {
        self.set(&Reading::of_keyed(info));
    }

    fn set(&self, reading: &Reading) {
        let circuit = || reading.circuit.to_string();
        for (state, circuits) in State::ALL.into_iter().zip(reading.states) {
            gauge!(names::CIRCUIT_STATE, "circuit" => circuit(), "state" => state.as_str())
                .set(circuits as f64);
        }
        for (outcome, calls) in reading.totals.by_outcome() {
            counter!(names::CALLS, "circuit" => circuit(), "outcome" => outcome).absolute(calls);
        }
        for (state, time) in reading.single.iter().flat_map(|info| self.stays.read(info)) {
            counter!(names::STATE_SECONDS, "circuit" => circuit(), "state" => state.as_str())
                .absolute(time.as_secs());
        }
    }
}

impl Default for MetricsReporter {
    fn default() -> Self {
        MetricsReporter::new()
    }
}

impl Listener for MetricsReporter {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        self.stays.hear(circuit, transition);
        let labels = [
            ("circuit", parent(circuit).to_owned()),
            ("from", transition.from.as_str().to_owned()),
            ("to", transition.to.as_str().to_owned()),
            ("cause", transition.cause.as_str().to_owned()),
        ];
        counter!(names::TRANSITIONS, &labels).increment(1);
    }
}
