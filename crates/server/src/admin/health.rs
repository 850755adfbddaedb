//! Whether the server can do its work, and what it counted.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fuseboard_core::letter::Status;
use fuseboard_store::Counts;
use serde::Serialize;
use tokio::time::timeout;

use super::{AdminState, Problem};
use crate::config::Config;
use crate::metrics::{self, Scrape};
use crate::operations::Operations;

/// A store that takes longer than this to count is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Letters that nobody replays, by their circuit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unconfigured: BTreeMap<String, u64>,
}

/// Whether the process lives and its store answers.
pub(super) async fn alive(State(state): State<AdminState>) -> Result<Response, Problem> {
    let health = Health { status: "ok", detail: None, unconfigured: stranded(&state).await? };
    Ok(Json(health).into_response())
}

/// Whether requests do well to come here: also whether they would be kept.
pub(super) async fn ready(State(state): State<AdminState>) -> Result<Response, Problem> {
    let unconfigured = stranded(&state).await?;
    let Some(reason) = state.metrics.refusing() else {
        return Ok(Json(Health { status: "ok", detail: None, unconfigured }).into_response());
    };
    let detail = Some(format!("the store did not keep the latest request: {reason}"));
    let health = Health { status: "degraded", detail, unconfigured };
    Ok((StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response())
}

pub(super) async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    let counts = count(&state).await.ok();
    let late = timeout(PATIENCE, state.letters.late(state.clock.wall())).await;
    let late = late.ok().and_then(Result::ok);
    let Operations { governance, audit, .. } = &state.operations;
    let text = state.metrics.encode(&Scrape {
        board: &state.board,
        counts: counts.as_ref(),
        late: late.as_deref(),
        governance: &governance.status(),
        audit: audit.counts(),
    });
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

/// How many letters wait, by circuit, for an upstream that the configuration does not have: nobody replays them.
pub(crate) fn unconfigured(counts: &Counts, config: &Config) -> BTreeMap<String, u64> {
    let strange = counts.circuits.iter().filter(|(name, _)| !config.upstreams.contains_key(*name));
    let unfinished = strange.map(|(name, counts)| {
        let statuses = Status::ALL.into_iter().filter(|status| !status.is_final());
        (name.clone(), statuses.map(|status| counts.of(status)).sum())
    });
    unfinished.filter(|(_, letters)| *letters > 0).collect()
}

async fn stranded(state: &AdminState) -> Result<BTreeMap<String, u64>, Problem> {
    match count(state).await {
        Ok(counts) => Ok(unconfigured(&counts, &state.config)),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("store: {why}"))),
    }
}

async fn count(state: &AdminState) -> Result<Counts, String> {
    match timeout(PATIENCE, state.letters.counts()).await {
        Ok(counts) => counts.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
