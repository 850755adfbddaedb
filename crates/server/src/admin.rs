//! The admin API: what the server knows, and what operators do to it, as JSON.
//!
//! | route | answer |
//! |---|---|
//! | `GET /v1/circuits` | `{"circuits": [..]}`: every circuit |
//! | `GET /v1/circuits/{name}` | one circuit: state, metrics, totals, why it is open, its rules |
//! | `POST /v1/circuits/{name}/{order}` | `open`, `close`, `auto`, `reset`, `disable` or `metrics-only`: what it came to |
//! | `PUT /v1/circuits/{name}/override` | other policies for a while: `trip` and `retry`, `for`, `reason` |
//! | `DELETE /v1/circuits/{name}/override` | the configured policies again |
//! | `GET /v1/letters` | `{"letters": [..], "next": id or null}`, filtered |
//! | `GET /v1/letters/{id}` | one letter with its headers, body, last answer and history |
//! | `POST /v1/letters/{id}/replay` | replays a letter that is due, now: what it came to |
//! | `POST /v1/letters/replay` | 202 and the job of a batch |
//! | `GET /v1/letters/export` | a page of letters with all that is kept of them, credentials too: that is on record |
//! | `POST /v1/letters/import` | takes `letters` of an export: their numbers here, and those that were refused |
//! | `POST /v1/letters/{id}/requeue` | sends a letter that is in review back into the queue: its new status |
//! | `POST /v1/letters/{id}/discard` | gives up a letter that is pending or in review: its new status |
//! | `GET /v1/jobs[/{id}]` | the batches that run and the latest that ended; one with what became of each letter |
//! | `POST /v1/jobs/{id}/cancel` | the job, which ends once its present letter has |
//! | `GET /v1/governance` | kill switch, emergency level and error budgets, and who set them why |
//! | `PUT /v1/governance` | changes `kill_switch`, `emergency_level`, `reset_budget`; `seen` and `dry_run` |
//! | `GET /v1/audit` | `{"records": [..], "next": id or null}`, filtered, the newest first |
//! | `GET /healthz` | 200 `{"status": "ok"}`, or 503 and what is wrong |
//! | `GET /readyz` | the same, for who has a token; also 503 `{"status": "degraded"}` while requests are not kept |
//! | `GET /metrics` | [`crate::metrics`] |
//!
//! Letters come with the lowest id first. Their filters are `circuit`, `domain`, `status`, `failure`, `priority`,
//! `order_key` and `late`; those of the audit log `actor`, `action`, `subject`, `since` and `until`. `limit` goes from 1 to
//! 500, 100 if it is not given; `after` is the `next` of the page before. A page with `late` may have fewer letters than
//! asked for, and a next one all the same.
//!
//! A batch takes `circuit`, `domain`, `failure` (why letters were captured), `max`, `rate` (letters per second), `adaptive`,
//! `priority`, `dry_run` and `override`. Times are RFC 3339, durations milliseconds. A body or header that is text is
//! `text` (`body_text`), any other is `hex` (`body_hex`); credentials in headers are shown as `hidden`.
//!
//! `for` is a duration such as `30m`, or `never`; without it a pin holds for `circuits.pin_for`, and other policies for
//! `circuits.override_for`. `"replay": true` in a `close` starts the replay of the circuit's letters. `"override": true` in a
//! replay goes on although governance blocks it. A replay that is blocked, or whose circuit is open, is no error: its result
//! says so.
//!
//! Both health routes say `"unconfigured": {"circuit": letters}` if letters wait for an upstream that the configuration
//! does not have. Every `POST`, `PUT` and `DELETE` has an object with a `reason` as `application/json`; fields that it does
//! not know are refused. Who did what for which reason goes to the audit log, and of letters also to their history; the
//! actor is the token's name, or `admin`.
//!
//! Every error is a problem document (RFC 9457). A request is refused with 403 unless its `Host` is `localhost`, an
//! address that is this server's or one of `server.admin_hosts` (against DNS rebinding) and its `Origin`, if it has
//! one, is that host. Where the configuration has tokens, every route but `/healthz` asks for one:
//! `Authorization: Bearer ..`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use fuseboard_core::Board;
use fuseboard_core::time::Clock;
use fuseboard_services::wake::Bells;
use fuseboard_store::Letters;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::error;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::operations::Operations;

mod audit;
mod circuits;
mod fields;
mod governance;
mod guard;
pub(crate) mod health;
mod letters;
mod operate;
mod orders;
mod portable;
mod problem;
mod replays;
mod transfer;
mod views;

pub use problem::Problem;

/// How long requests in flight may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// What the admin API shows.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The circuits.
    pub board: Board,
    /// The letters.
    pub letters: Arc<dyn Letters>,
    /// What wakes a circuit's replay when a letter was requeued.
    pub bells: Bells,
    /// The tokens, the names, and which circuits there are.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is asked to do things.
    pub operations: Operations,
    /// Where the API listens: requests to this address are let in.
    pub address: SocketAddr,
}

/// The routes, with their guards.
pub fn router(state: AdminState) -> Router {
    let guard = middleware::from_fn_with_state(state.clone(), guard::guard);
    Router::new()
        .route("/v1/circuits", get(circuits::list))
        .route("/v1/circuits/{name}", get(circuits::one))
        .route("/v1/circuits/{name}/{order}", post(orders::control))
        .route(
            "/v1/circuits/{name}/override",
            put(orders::put_override).delete(orders::delete_override),
        )
        .route("/v1/letters", get(letters::list))
        .route("/v1/letters/replay", post(replays::batch))
        .route("/v1/letters/export", get(transfer::export))
        .route(
            "/v1/letters/import",
            post(transfer::import).layer(DefaultBodyLimit::max(transfer::LARGEST)),
        )
        .route("/v1/letters/{id}", get(letters::one))
        .route("/v1/letters/{id}/replay", post(replays::single))
        .route("/v1/letters/{id}/requeue", post(operate::requeue))
        .route("/v1/letters/{id}/discard", post(operate::discard))
        .route("/v1/jobs", get(replays::jobs))
        .route("/v1/jobs/{id}", get(replays::job))
        .route("/v1/jobs/{id}/cancel", post(replays::cancel))
        .route("/v1/governance", get(governance::show).put(governance::change))
        .route("/v1/audit", get(audit::list))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(guard)
        .with_state(state)
}

/// Serves the API until `stop` turns true, and then at most 5 s longer.
///
/// # Cancel safety
///
/// Dropped, it ends at once.
pub async fn serve(listener: TcpListener, state: AdminState, stop: watch::Receiver<bool>) {
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        // If the sender is gone, there is nobody left to serve for.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let serving =
        axum::serve(listener, router(state)).with_graceful_shutdown(stopped(stop.clone()));
    let out_of_time = async {
        stopped(stop).await;
        sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => if let Err(error) = served {
            error!(%error, "the admin API ended");
        },
        () = out_of_time => {}
    }
}
