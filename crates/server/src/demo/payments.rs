//! The payment service of the demo and of the end-to-end tests: it does each payment once, and misbehaves when asked to.
//!
//! - `POST /payments`, and any path below it, with `Idempotency-Key` and `{"amount": 1250}`: records the delivery in its
//!   [ledger](super::ledger), on the disk, and only then answers 201. A repeat of a key gets the same answer, and nothing
//!   is done again. A key with another amount is 422.
//! - `GET /healthz`: 200 while it lives.
//! - `PUT /behaviour` with a [`Behaviour`]: a brown-out on demand. `GET /behaviour` says how it behaves.
//!
//! SIGKILL it at any moment: what it answered with 201 is in its ledger. What it recorded and did not answer is there,
//! too; that is what idempotency keys are for.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use fuseboard_core::random::{Random, SeededRandom};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::ledger::{LedgerError, LedgerFile};

/// The header by which the gateway marks a replay.
const REPLAY: &str = "fuseboard-replay";
/// How long an answer takes that never comes: longer than anybody waits.
const NEVER: Duration = Duration::from_secs(3600);

/// How the service treats the payments that reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The share that is answered 500 and not done.
    pub fail_rate: f64,
    /// The share that is done and never answered.
    pub hang_rate: f64,
    /// How long each answer takes, in milliseconds.
    pub latency_ms: u64,
}

impl Behaviour {
    fn check(self) -> Result<Self, String> {
        for (field, value) in [("fail_rate", self.fail_rate), ("hang_rate", self.hang_rate)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{field}: {value} is not a share: expected 0.0 to 1.0"));
            }
        }
        if self.fail_rate + self.hang_rate > 1.0 {
            let sum = self.fail_rate + self.hang_rate;
            return Err(format!(
                "fail_rate + hang_rate: {sum} is more than all: expected up to 1.0"
            ));
        }
        Ok(self)
    }
}

/// The arguments of `fuseboard payments`.
#[derive(Clone, Debug, clap::Args)]
pub struct PaymentsOptions {
    /// Where to listen; port 0 takes a free one, and the first line of output says which
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The file of the durable record; made if it is not there
    #[arg(long, value_name = "FILE")]
    pub ledger: PathBuf,
    /// The share of payments that is answered 500 and not done
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub fail_rate: f64,
    /// The share of payments that is done and never answered
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub hang_rate: f64,
    /// How long each answer takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// End when standard input does, so that the service never outlives who started it
    #[arg(long)]
    pub until_stdin_ends: bool,
}

/// Runs the service until it is killed. Its first line of output is `listening on ADDR`.
pub fn payments(options: PaymentsOptions) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ran = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let ran = runtime.block_on(listen_and_serve(options));
        // A hanging read of standard input must not keep the process.
        runtime.shutdown_background();
        ran
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("fuseboard payments: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn listen_and_serve(options: PaymentsOptions) -> Result<(), String> {
    let PaymentsOptions { listen, fail_rate, hang_rate, latency, .. } = options;
    let behaviour = Behaviour { fail_rate, hang_rate, latency_ms: latency }.check()?;
    let ledger = LedgerFile::open(&options.ledger).map_err(|error| error.to_string())?;
    let bound = TcpListener::bind(listen).await;
    let listener = bound.map_err(|error| format!("--listen {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {address}").map_err(|error| error.to_string())?;
    stdout.flush().map_err(|error| error.to_string())?;
    tokio::select! {
        served = serve(listener, ledger, behaviour) => served.map_err(|error| error.to_string()),
        () = stdin_ended(), if options.until_stdin_ends => Ok(()),
    }
}

async fn stdin_ended() {
    let mut ignored = [0; 64];
    let mut stdin = tokio::io::stdin();
    while matches!(stdin.read(&mut ignored).await, Ok(1..)) {}
}

/// Serves payments on `listener` and keeps them in `ledger`, until it is dropped.
///
/// # Errors
///
/// Only what the listener itself cannot go on after.
pub fn serve(
    listener: TcpListener,
    ledger: LedgerFile,
    behaviour: Behaviour,
) -> impl Future<Output = std::io::Result<()>> + Send {
    let service = Arc::new(Service {
        ledger: Mutex::new(ledger),
        behaviour: Mutex::new(behaviour),
        random: SeededRandom::from_entropy(),
    });
    let router = Router::new()
        .route("/payments", any(pay))
        .route("/payments/{*below}", any(pay))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/behaviour", get(behaves).put(behave))
        .with_state(service);
    let listener = listener.tap_io(|stream| {
        // Answers are small; waiting for more to send with them would be all of their latency.
        let _ = stream.set_nodelay(true);
    });
    async move { axum::serve(listener, router).await }
}

struct Service {
    ledger: Mutex<LedgerFile>,
    behaviour: Mutex<Behaviour>,
    random: SeededRandom,
}

impl Service {
    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Order {
    amount: u64,
}

async fn behaves(State(service): State<Arc<Service>>) -> Json<Behaviour> {
    Json(service.behaviour())
}

async fn behave(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    let asked = serde_json::from_slice::<Behaviour>(&body).map_err(|error| error.to_string());
    match asked.and_then(Behaviour::check) {
        Ok(behaviour) => {
            *service.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
            Json(behaviour).into_response()
        }
        Err(message) => problem(StatusCode::BAD_REQUEST, &message),
    }
}

async fn pay(
    State(service): State<Arc<Service>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        let allow = [(http::header::ALLOW, "POST")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "expected POST\n").into_response();
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(key) = header("idempotency-key").filter(|key| !key.is_empty()) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "Idempotency-Key: missing: expected one per payment",
        );
    };
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => {
            let message = format!("body: {error}: expected {{\"amount\": cents}}");
            return problem(StatusCode::BAD_REQUEST, &message);
        }
    };
    let behaviour = service.behaviour();
    let draw = service.random.draw();
    if behaviour.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(behaviour.latency_ms)).await;
    }
    if draw < behaviour.fail_rate {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the payment was not done");
    }
    let answer = record(&service, key, order.amount, header(REPLAY)).await;
    if draw < behaviour.fail_rate + behaviour.hang_rate {
        tokio::time::sleep(NEVER).await;
    }
    answer
}

async fn record(service: &Arc<Service>, key: &str, amount: u64, replay: Option<&str>) -> Response {
    let (service, replay) = (Arc::clone(service), replay.map(str::to_owned));
    let owned_key = key.to_owned();
    let recording = tokio::task::spawn_blocking(move || {
        let mut ledger = service.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.record(&owned_key, amount, replay.as_deref())
    });
    match recording.await {
        Ok(Ok(_)) => {
            // The same for a repeat: whoever asks again learns what the first one would have.
            let done = json!({ "payment": key, "amount": amount, "status": "done" });
            (StatusCode::CREATED, Json(done)).into_response()
        }
        Ok(Err(error @ LedgerError::KeyReused { .. })) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
        }
        Ok(Err(error)) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

#[cfg(test)]
mod tests;
