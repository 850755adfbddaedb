//! Whether the server can do its work, and what it counted.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use fuseboard_store::Counts;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{AdminState, Problem};
use crate::metrics;

/// A store that takes longer than this to count is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn check(State(state): State<AdminState>) -> Result<Json<Value>, Problem> {
    match count(&state).await {
        Ok(_) => Ok(Json(json!({ "status": "ok" }))),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("store: {why}"))),
    }
}

pub(super) async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    let counts = count(&state).await.ok();
    let text = state.metrics.encode(&state.board, counts.as_ref(), &*state.clock);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

async fn count(state: &AdminState) -> Result<Counts, String> {
    match timeout(PATIENCE, state.letters.counts()).await {
        Ok(counts) => counts.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
