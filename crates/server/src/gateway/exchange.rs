//! The life of one request: routed, admitted, sent, judged; and if it was not done, what happens instead.

use std::net::SocketAddr;
use std::sync::Arc;

use fuseboard_core::{Failure, Outcome, Rejected, Ticket};
use fuseboard_services::capture::Undone;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::Gateway;
use super::body::{BodyError, KeptBody};
use super::check;
use super::fallback::Instead;
use super::headers;
use super::pool::Home;
use super::relay::{AtEnd, Relayed, ReplyBody};
use super::reply::Reply;
use super::routes::{Route, without_port};
use super::turn::Turn;
use super::upstream::{Exchange, Lost, judge_answer};

/// A request whose route is known, with all that its fallbacks may need.
pub(super) struct Inbound<'a> {
    pub(super) route: &'a Route,
    pub(super) head: Parts,
    pub(super) body: KeptBody,
    /// Whether the caller sent an idempotency key of its own.
    pub(super) keyed_by_caller: bool,
}

impl Gateway {
    /// Answers one request.
    pub(super) async fn exchange(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<ReplyBody> {
        let (mut head, incoming) = request.into_parts();
        if let Some(authority) = head.uri.authority() {
            // It counts, whatever the header says (RFC 9112, 3.2.2).
            if let Ok(host) = HeaderValue::try_from(authority.as_str()) {
                head.headers.insert(HOST, host);
            }
        }
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.map(without_port);
        let Some(route) = self.routes.find(host, &head.method, head.uri.path()) else {
            let detail = format!("no route takes {} {}", head.method, head.uri.path());
            return Reply::new(StatusCode::NOT_FOUND, "no-route", detail).into_response();
        };
        headers::strip(&mut head.headers);
        let keyed_by_caller = head.headers.contains_key(headers::IDEMPOTENCY_KEY);
        headers::add_forwarded_for(&mut head.headers, peer.ip());
        let queues = route.queues(&head.method);
        if queues && !keyed_by_caller {
            head.headers.insert(headers::IDEMPOTENCY_KEY, self.new_key());
        }
        let keep = if queues { route.queue_body } else { 0 };
        let body =
            KeptBody::new(incoming, keep, self.config.server.max_body, Arc::clone(&self.clock));
        self.attempt(Inbound { route, head, body, keyed_by_caller }).await
    }

    async fn attempt(&self, inbound: Inbound<'_>) -> Response<ReplyBody> {
        match inbound.route.upstream.breaker.try_acquire() {
            Ok(ticket) => self.send(inbound, ticket).await,
            Err(rejected) => self.instead(inbound, Instead::rejected(rejected)).await,
        }
    }

    async fn send(&self, inbound: Inbound<'_>, ticket: Ticket) -> Response<ReplyBody> {
        let upstream = &inbound.route.upstream;
        // A probe's slot is not the caller's to hold.
        inbound.body.hurry(ticket.is_probe().then_some(upstream.timeout));
        let request = inbound.to_upstream();
        let hung_after = upstream.breaker.rules().cancelled_after();
        let turn = Turn::new(ticket, &inbound.body, &*self.clock, hung_after);
        let exchange = upstream.send(request).await;
        let (ticket, took) = turn.over();
        inbound.body.hurry(None);
        if exchange.is_call() {
            self.metrics.observe_call(upstream.breaker.name(), took);
        }
        if let Some(error) = inbound.body.failed() {
            // The caller's side broke. That says nothing about the upstream.
            ticket.ignored();
            return refuse_body(error, self.config.server.max_body).into_response();
        }
        match exchange {
            Exchange::Lost(lost) => {
                let failure = lost.judge(&inbound.route.failure);
                settle(ticket, failure);
                self.instead(inbound, Instead::lost(lost)).await
            }
            Exchange::Answered(response, home) => {
                self.answered(inbound, ticket, response, home).await
            }
        }
    }

    async fn answered(
        &self,
        inbound: Inbound<'_>,
        ticket: Ticket,
        response: Response<Incoming>,
        home: Home,
    ) -> Response<ReplyBody> {
        let upstream = &inbound.route.upstream;
        let (pool, patience) = (upstream.pool.clone(), upstream.timeout);
        let hung_after = upstream.breaker.rules().cancelled_after();
        let relay = |response: Response<Incoming>, ticket| {
            let (head, body) = response.into_parts();
            let relayed = Relayed::new(body, patience, AtEnd { ticket, hung_after, home, pool });
            Response::from_parts(to_caller(head), ReplyBody::Relayed(Box::new(relayed)))
        };
        match judge_answer(&response, &inbound.route.failure) {
            None if ticket.is_probe() => {
                ticket.success();
                relay(response, None)
            }
            None => relay(response, Some(ticket)),
            Some(failure) => {
                ticket.failure(failure);
                let answer = relay(response, None);
                self.instead(inbound, Instead::answered(answer)).await
            }
        }
    }
}

impl Inbound<'_> {
    fn to_upstream(&self) -> Request<super::body::RequestBody> {
        let mut request = Request::new(self.body.to_send());
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = origin_form(&self.head.uri);
        *request.headers_mut() = self.head.headers.clone();
        if request.body().size_hint().exact().is_none() {
            // Without it the body of a method that rarely has one would be left out.
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        request
    }
}

/// The head of an upstream's answer as the gateway says it.
fn to_caller(mut head: http::response::Parts) -> http::response::Parts {
    if head.headers.contains_key(TRANSFER_ENCODING) {
        // Beside chunks a length means nothing (RFC 9112, 6.3).
        head.headers.remove(CONTENT_LENGTH);
    }
    headers::strip(&mut head.headers);
    head.version = Version::HTTP_11;
    head
}

fn settle(ticket: Ticket, failure: Option<Failure>) {
    match failure {
        Some(failure) => ticket.failure(failure),
        None => ticket.settle(Outcome::Ignored),
    }
}

/// Path and query: an endpoint is no proxy, and takes no absolute form.
pub(super) fn origin_form(uri: &http::Uri) -> http::Uri {
    uri.path_and_query().map(|path| http::Uri::from(path.clone())).unwrap_or_default()
}

/// The answer to a caller whose body did not arrive whole.
pub(super) fn refuse_body(error: BodyError, most: u64) -> Reply {
    match error {
        BodyError::TooLarge => check::too_large(most),
        BodyError::Slow => Reply::new(StatusCode::REQUEST_TIMEOUT, "slow-body", error.to_string()),
        BodyError::Broken | BodyError::NotKept | BodyError::TakenOver => {
            Reply::new(StatusCode::BAD_REQUEST, "bad-body", error.to_string())
        }
    }
}

impl Instead {
    fn rejected(rejected: Rejected) -> Self {
        let message = rejected.to_string();
        Instead { retry_after: rejected.retry_after, ..Instead::new(Undone::Rejected, message) }
    }

    fn lost(lost: Lost) -> Self {
        Instead::new(lost.undone, lost.message)
    }

    fn answered(answer: Response<ReplyBody>) -> Self {
        let message = format!("the upstream answered {}", answer.status());
        let retry_after = headers::retry_after(answer.headers());
        Instead { retry_after, answer: Some(answer), ..Instead::new(Undone::Failure, message) }
    }
}
