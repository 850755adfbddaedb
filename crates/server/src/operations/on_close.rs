//! A circuit that closes has its letters replayed as a job, where the configuration says so.

use fuseboard_core::{Listener, State, Transition};
use fuseboard_services::replay_service::{OnCircuitClose, ReplayService};
use fuseboard_store::By;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::{info, warn};

/// Circuits that closed and whose jobs are not begun yet. More than these close only while nobody takes them, and those who
/// closed before are replayed all the same.
const WAITING: usize = 1024;

/// Hears of circuits that close. It never waits.
#[derive(Clone, Debug)]
pub struct OnClose {
    closed: Sender<String>,
}

/// A listener for a board, and where it tells of circuits that closed.
pub fn closings() -> (OnClose, Receiver<String>) {
    let (closed, closings) = mpsc::channel(WAITING);
    (OnClose { closed }, closings)
}

impl Listener for OnClose {
    fn on_transition(&self, circuit: &str, transition: &Transition) {
        if transition.to == State::Closed {
            // Without room, the continuous replay does these letters, as it would anyway.
            let _ = self.closed.try_send(circuit.to_owned());
        }
    }
}

/// Begins a job for each circuit that closes, for ever. What fails is no person's business yet: it stays in the queue.
pub(super) async fn run(mut closed: Receiver<String>, replays: ReplayService, max_items: usize) {
    while let Some(circuit) = closed.recv().await {
        let by = By::system("the circuit closed");
        let options =
            OnCircuitClose { max_items, escalate_failures: false, by, ..OnCircuitClose::default() };
        match replays.start_on_circuit_close(&circuit, options) {
            Ok(job) => info!(circuit, %job, "the circuit closed: its letters are replayed"),
            Err(error) => warn!(circuit, %error, "the circuit closed, but no replay began"),
        }
    }
}
