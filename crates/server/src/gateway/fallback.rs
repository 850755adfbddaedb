//! What happens instead of a call that was not done: the route's fallbacks in order, and at last the plain error.

use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::letter::Life;
use fuseboard_services::capture::{Undone, may_capture};
use fuseboard_store::{Draft, Inserted, StoreError, Token};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, Response, StatusCode, Uri};
use tracing::warn;

use super::Gateway;
use super::body::BodyError;
use super::exchange::{Inbound, origin_form, refuse_body};
use super::headers::{self, IDEMPOTENCY_KEY};
use super::relay::ReplyBody;
use super::reply::Reply;
use crate::config::Fallback;

/// Why something else happens instead.
pub(super) struct Instead {
    pub(super) undone: Undone,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
    /// The upstream's own failing answer, which comes after the fallbacks.
    pub(super) answer: Option<Response<ReplyBody>>,
}

/// What a letter says beside its body.
pub(super) struct Letterhead<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

/// Why a request did not become a letter.
enum NotQueued {
    /// The next fallback may still apply; why this one did not.
    Next(String),
    /// The request itself is wrong.
    Refused(Reply),
}

impl Instead {
    pub(super) fn new(undone: Undone, message: String) -> Self {
        Instead { undone, message, retry_after: None, answer: None }
    }

    /// The plain error, for when no fallback applies.
    fn status(&self) -> StatusCode {
        match self.undone {
            Undone::Rejected => StatusCode::SERVICE_UNAVAILABLE,
            Undone::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Undone::Connect | Undone::Reset | Undone::Failure => StatusCode::BAD_GATEWAY,
        }
    }
}

impl Gateway {
    pub(super) async fn instead(
        &self,
        inbound: Inbound<'_>,
        instead: Instead,
    ) -> Response<ReplyBody> {
        let circuit = inbound.route.upstream.breaker.name();
        let mut reason = instead.undone.to_string();
        for fallback in &inbound.route.fallback {
            match fallback {
                Fallback::Queue => match self.queue(&inbound, &instead).await {
                    Ok(accepted) => return accepted,
                    Err(NotQueued::Refused(reply)) => {
                        return reply.circuit(circuit).into_response();
                    }
                    Err(NotQueued::Next(why)) => reason = format!("{reason}; not queued: {why}"),
                },
                Fallback::Answer(answer) => {
                    let reply = Reply::new(answer.status, &reason, "").circuit(circuit);
                    let reply = reply.retry_after(instead.retry_after);
                    return reply.with_body(answer.body.clone(), &answer.content_type);
                }
            }
        }
        let status = instead.status();
        if let Some(answer) = instead.answer {
            return answer;
        }
        let reply = Reply::new(status, &reason, instead.message).circuit(circuit);
        reply.retry_after(instead.retry_after).into_response()
    }

    /// Makes the request a letter. The answer is an acknowledgement: the letter is on disk.
    async fn queue(
        &self,
        inbound: &Inbound<'_>,
        instead: &Instead,
    ) -> Result<Response<ReplyBody>, NotQueued> {
        let route = inbound.route;
        if !route.queues(&inbound.head.method) {
            return Err(NotQueued::Next(format!("{} is not kept", inbound.head.method)));
        }
        if !may_capture(instead.undone, route.idempotent || inbound.keyed_by_caller) {
            return Err(NotQueued::Next("it may have been done, and is not idempotent".to_owned()));
        }
        let body = match inbound.body.complete().await {
            Ok(body) => body,
            Err(BodyError::NotKept) => {
                let limit = route.queue_body;
                return Err(NotQueued::Next(format!("the body is larger than {limit} bytes")));
            }
            Err(error) => {
                let reply = refuse_body(error, self.config.server.max_body);
                return Err(NotQueued::Refused(reply));
            }
        };
        let circuit = route.upstream.breaker.name();
        let draft = self.draft(circuit, instead.undone, &inbound.letterhead(), &body);
        match self.letters.insert(draft).await {
            Ok(inserted) => {
                self.bells.ring(circuit);
                Ok(accepted(circuit, instead, inserted))
            }
            Err(StoreError::KeyReused { key, .. }) => {
                let detail = format!("idempotency-key: `{key}` was sent before with another body");
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(NotQueued::Refused(Reply::new(status, "key-reused", detail)))
            }
            Err(error) => {
                warn!(circuit, %error, "a request could not be kept");
                Err(NotQueued::Next(error.to_string()))
            }
        }
    }

    fn draft(
        &self,
        circuit: &str,
        undone: Undone,
        letterhead: &Letterhead<'_>,
        body: &Bytes,
    ) -> Draft {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let now = self.clock.wall();
        Draft {
            token: Token::random(),
            circuit: circuit.to_owned(),
            domain: circuit.to_owned(),
            failure: undone.as_str().to_owned(),
            method: letterhead.method.to_string(),
            uri: origin_form(letterhead.uri).to_string(),
            headers: headers::to_stored(letterhead.headers),
            content_type: letterhead.headers.get(CONTENT_TYPE).map(text),
            body: body.to_vec(),
            key: letterhead.headers.get(IDEMPOTENCY_KEY).map(text).unwrap_or_default(),
            order_key: None,
            life: Life::captured(now),
            captured_at: now,
        }
    }
}

fn accepted(circuit: &str, instead: &Instead, inserted: Inserted) -> Response<ReplyBody> {
    let page = format!("{}{}", super::pages::PREFIX, inserted.token());
    let body = serde_json::json!({ "status": "pending", "letter": page });
    let reply = Reply::new(StatusCode::ACCEPTED, instead.undone.as_str(), "").circuit(circuit);
    let reply = reply.retry_after(instead.retry_after);
    let mut response = reply.with_body(Bytes::from(body.to_string()), "application/json");
    if let Ok(location) = HeaderValue::try_from(page) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
