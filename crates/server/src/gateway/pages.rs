//! The pages of letters: who was told `202 Accepted` looks here for what became of the request.
//!
//! | page | answer |
//! |---|---|
//! | `GET /.fuseboard/letters/{token}` | the letter's status, as JSON |
//! | `GET /.fuseboard/letters/{token}/answer` | the upstream's answer, verbatim; 404 until the letter is resolved or in review |
//!
//! A token is 128 random bits: who has it may see the letter.

use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::letter::{Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{Letter, StoredAnswer};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::Gateway;
use super::headers;
use super::relay::ReplyBody;
use super::reply::Reply;

/// When to look again for what is due already.
const SOON: Duration = Duration::from_secs(1);

/// Where the pages are. No route may lie below it.
pub(super) const PREFIX: &str = "/.fuseboard/letters/";

impl Gateway {
    /// The page at `path`, which begins with `/.fuseboard/`.
    pub(super) async fn page(&self, method: &Method, path: &str) -> Response<ReplyBody> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let detail = "the pages of letters can only be read";
            let reply = Reply::new(StatusCode::METHOD_NOT_ALLOWED, "read-only", detail);
            let mut response = reply.into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let (token, answer) = match rest.strip_suffix("/answer") {
            Some(token) => (token, true),
            None => (rest, false),
        };
        let Ok(token) = token.parse() else { return no_letter() };
        match self.letters.by_token(token).await {
            Ok(Some(letter)) if answer => answer_of(letter, self.clock.wall()),
            Ok(Some(letter)) => status_of(&letter),
            Ok(None) => no_letter(),
            Err(error) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Reply::new(status, "store", error.to_string()).into_response()
            }
        }
    }
}

fn no_letter() -> Response<ReplyBody> {
    Reply::new(StatusCode::NOT_FOUND, "no-letter", "there is no such letter").into_response()
}

fn status_of(letter: &Letter) -> Response<ReplyBody> {
    let life = &letter.life;
    let body = serde_json::json!({
        "status": life.status.as_str(),
        "circuit": letter.circuit,
        "attempts": life.attempts,
        "captured_at": rfc3339(letter.captured_at),
        "not_before": rfc3339(life.not_before),
        "idempotency_key": letter.key,
        "answer_status": letter.answer.as_ref().map(|answer| answer.status),
        "last_error": letter.last_error,
    });
    let reply = Reply::new(StatusCode::OK, life.status.as_str(), "").circuit(&letter.circuit);
    reply.with_body(Bytes::from(body.to_string()), "application/json")
}

/// The answer that stands: one to a try that is to be made again is nothing to go by.
fn answer_of(letter: Letter, now: WallTime) -> Response<ReplyBody> {
    let status = letter.life.status;
    let stands = matches!(status, Status::Resolved | Status::RequiresReview);
    let Some(answer) = letter.answer.filter(|_| stands) else {
        let detail = format!("the letter is {status}; there is no answer");
        let reply = Reply::new(StatusCode::NOT_FOUND, status.as_str(), detail);
        let reply = reply.circuit(&letter.circuit).retry_after(next_try(&letter.life, now));
        return reply.into_response();
    };
    let StoredAnswer { status: code, headers: stored, body, truncated, .. } = answer;
    if truncated {
        let detail = "the answer was larger than what is kept";
        let reply = Reply::new(StatusCode::GONE, "answer-too-large", detail);
        return reply.circuit(&letter.circuit).into_response();
    }
    let mut response = Response::new(ReplyBody::Whole(Full::new(Bytes::from(body))));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers::from_stored(&stored);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How long it is until a letter may have an answer, if it is to be tried again by itself.
fn next_try(life: &Life, now: WallTime) -> Option<Duration> {
    let due = match life.status {
        Status::Pending => life.not_before,
        Status::Replaying => now,
        _ => return None,
    };
    Some(due.since(now).max(SOON))
}

fn rfc3339(time: WallTime) -> Option<String> {
    let timestamp = jiff::Timestamp::from_millisecond(time.as_unix_millis()).ok()?;
    Some(timestamp.to_string())
}
