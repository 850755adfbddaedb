//! Errors of the admin API: problem documents (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use fuseboard_store::StoreError;
use serde::Serialize;

/// Why a request got no answer, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    /// A problem with this HTTP status; `detail` says what was wrong and what would be right.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Problem { kind: "about:blank", title, status: status.as_u16(), detail: detail.into() }
    }

    /// The same as something that is wrong with a field of the body.
    pub(super) fn of_field(self, name: &str) -> Self {
        Problem::bad(format!("{name}: {}", self.detail))
    }

    /// The same, and what was done all the same.
    pub(super) fn after(mut self, done: &str) -> Self {
        self.detail = format!("{}; {done}", self.detail);
        self
    }

    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::NotFound => StatusCode::NOT_FOUND,
            StoreError::Refused(_) | StoreError::Outdated { .. } => StatusCode::CONFLICT,
            StoreError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.to_string())
    }
}

pub(super) async fn not_found(uri: Uri) -> Problem {
    let path = uri.path();
    let detail = format!(
        "there is nothing at `{path}`: expected /v1/circuits, /v1/letters, /v1/jobs, /v1/governance, /v1/audit, \
         /healthz, /readyz or /metrics"
    );
    Problem::new(StatusCode::NOT_FOUND, detail)
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_order = path.starts_with("/v1/circuits/") && path.matches('/').count() > 3;
    let expected = match last {
        "override" => "PUT or DELETE",
        "governance" => "GET or PUT",
        "requeue" | "discard" | "replay" | "import" | "cancel" => "POST",
        _ if is_order => "POST",
        _ => "GET",
    };
    let detail = format!("`{path}` does not take {method}: expected {expected}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
