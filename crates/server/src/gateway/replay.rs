//! Doing a letter again over HTTP: the request as it came, byte for byte, with its idempotency key.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::Outcome;
use fuseboard_core::letter::Answer;
use fuseboard_core::time::Clock;
use fuseboard_services::capture::Undone;
use fuseboard_services::replay::{Deliver, Delivering, Delivery};
use fuseboard_store::{Letter, StoredAnswer};
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::{RequestBody, collect_up_to};
use super::headers::{self, IDEMPOTENCY_KEY, REPLAY};
use super::pool::Home;
use super::routes::Routes;
use super::upstream::{Exchange, Lost, Upstream, judge_answer};
use crate::metrics::Metrics;

/// How much of an answer is kept with its letter.
const ANSWER_KEPT: usize = 1024 * 1024;

/// Replays the letters of one upstream.
#[derive(Debug)]
pub(crate) struct HttpReplay {
    pub(crate) upstream: Arc<Upstream>,
    /// Which answers are failures depends on the route that a letter came by.
    pub(crate) routes: Arc<Routes>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Deliver for HttpReplay {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(self.replay(letter))
    }
}

impl HttpReplay {
    async fn replay(&self, letter: &Letter) -> Delivery {
        let request = match request_of(letter) {
            Ok(request) => request,
            Err(problem) => return impossible(problem),
        };
        let began = self.clock.now();
        let exchange = self.upstream.send(request).await;
        let took = self.clock.now().since(began);
        if exchange.is_call() {
            self.metrics.observe_call(self.upstream.breaker.name(), took);
        }
        match exchange {
            Exchange::Lost(lost) => self.not_answered(letter, &lost),
            Exchange::Answered(response, home) => self.answered(letter, response, home).await,
        }
    }

    fn not_answered(&self, letter: &Letter, lost: &Lost) -> Delivery {
        let answer = match lost.undone {
            Undone::Connect => Answer::NotReached,
            _ => Answer::Again { retry_after: None },
        };
        let failure = match self.routes.of(letter) {
            Some(route) => lost.judge(&route.failure),
            None => lost.failure(),
        };
        let outcome = if failure.is_some() { Outcome::Failure } else { Outcome::Ignored };
        Delivery { answer, outcome, failure, stored: None, note: lost.message.clone() }
    }

    async fn answered(
        &self,
        letter: &Letter,
        response: Response<Incoming>,
        home: Home,
    ) -> Delivery {
        let retry_after = headers::retry_after(response.headers());
        let status = response.status().as_u16();
        let failure =
            self.routes.of(letter).and_then(|route| judge_answer(&response, &route.failure));
        let (mut head, body) = response.into_parts();
        let collecting = timeout(self.upstream.timeout, collect_up_to(body, ANSWER_KEPT)).await;
        let (body, truncated) = match collecting {
            Ok(Ok(collected)) => collected,
            Ok(Err(error)) => {
                return Delivery::unanswered(format!("the answer broke off: {error}"));
            }
            Err(_) => return Delivery::unanswered("the answer stalled".to_owned()),
        };
        if !truncated {
            self.upstream.pool.give_back(home);
        }
        headers::strip(&mut head.headers);
        let stored = StoredAnswer {
            status,
            headers: headers::to_stored(&head.headers),
            body: body.to_vec(),
            at: self.clock.wall(),
            truncated,
            sealed_by: None,
        };
        Delivery {
            answer: Answer::from_http(status, retry_after),
            outcome: if failure.is_some() { Outcome::Failure } else { Outcome::Success },
            failure,
            stored: Some(stored),
            note: format!("answered {status}"),
        }
    }

    /// The longest time that one replay takes, with room to write its result down.
    pub(crate) fn lease(timeout: Duration) -> Duration {
        timeout * 2 + Duration::from_secs(10)
    }
}

/// The letter's request.
fn request_of(letter: &Letter) -> Result<Request<RequestBody>, String> {
    if let Some(key) = &letter.sealed_by {
        return Err(format!("its content is sealed with the key `{key}`, which is not ours"));
    }
    let body = Bytes::copy_from_slice(&letter.body);
    let mut request = Request::new(RequestBody::Whole(Full::new(body)));
    let method = Method::from_bytes(letter.method.as_bytes());
    *request.method_mut() = method.map_err(|_| format!("`{}` is no method", letter.method))?;
    let uri = letter.uri.parse::<Uri>();
    *request.uri_mut() = uri.map_err(|error| format!("`{}`: {error}", letter.uri))?;
    let mut headers = headers::from_stored(&letter.headers);
    headers.remove(TRANSFER_ENCODING);
    // The length is that of the kept bytes, however the caller framed them.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(letter.body.len()));
    let key = HeaderValue::try_from(letter.key.as_str());
    headers
        .insert(IDEMPOTENCY_KEY, key.map_err(|_| "the idempotency key is no header".to_owned())?);
    headers.insert(REPLAY, HeaderValue::from(letter.life.attempts + 1));
    *request.headers_mut() = headers;
    Ok(request)
}

/// A letter that cannot be made a request again. That says nothing about the upstream.
fn impossible(problem: String) -> Delivery {
    let (answer, outcome) = (Answer::Never, Outcome::Ignored);
    Delivery { answer, outcome, failure: None, stored: None, note: problem }
}
