//! The answers that the gateway makes itself: problem details (RFC 9457) with the circuit and the reason.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::headers::{CIRCUIT, REASON};
use super::relay::ReplyBody;

/// An answer of the gateway's own, in the making.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    reason: String,
    detail: String,
    circuit: Option<String>,
    retry_after: Option<Duration>,
}

impl Reply {
    /// An answer with `status` because of `reason`, a word or two; `detail` is a sentence.
    pub(crate) fn new(status: StatusCode, reason: &str, detail: impl Into<String>) -> Self {
        let (reason, detail) = (reason.to_owned(), detail.into());
        Reply { status, reason, detail, circuit: None, retry_after: None }
    }

    pub(crate) fn circuit(mut self, circuit: &str) -> Self {
        self.circuit = Some(circuit.to_owned());
        self
    }

    pub(crate) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Why, in a word or two.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// The problem details as the answer's body.
    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "reason": self.reason,
            "circuit": self.circuit,
        });
        let body = Bytes::from(problem.to_string());
        self.with_body(body, "application/problem+json")
    }

    /// Another body than problem details.
    pub(crate) fn with_body(self, body: Bytes, content_type: &str) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::Whole(Full::new(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(value) = HeaderValue::try_from(self.reason) {
            headers.insert(REASON, value);
        }
        if let Some(value) = self.circuit.and_then(|name| HeaderValue::try_from(name).ok()) {
            headers.insert(CIRCUIT, value);
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: a caller that comes back too early is only rejected again.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
        }
        response
    }
}
