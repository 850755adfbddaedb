//! A request's head as a letter keeps it, and as it comes out again.

use fuseboard_core::CircuitBreaker;
use fuseboard_services::capture::{Work, scope_of};
use fuseboard_services::replay_service::ReplayContext;
use fuseboard_services::store::{Letter, Priority, Token};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Request, Uri};

/// The request header that makes a repeat recognisable.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On a replay: the number of the try, 1 for the first.
pub(super) const REPLAY: HeaderName = HeaderName::from_static("fuseboard-replay");

/// Gives a request an idempotency key if its caller did not; says whether its caller did.
pub(super) fn give_key(headers: &mut HeaderMap, circuit: &CircuitBreaker) -> bool {
    let empty = |value: &HeaderValue| value.is_empty();
    if headers.get(IDEMPOTENCY_KEY).is_some_and(|value| !empty(value)) {
        return true;
    }
    let key = match ReplayContext::current() {
        Some(replay) if replay.circuit == circuit.name() => replay.key,
        Some(replay) => format!("{}/{}", replay.key, circuit.name()),
        None => format!("fuseboard-{}", Token::random()),
    };
    if let Ok(value) = HeaderValue::try_from(key) {
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    false
}

/// What a letter says of a request.
pub(super) fn work(
    head: &Parts,
    body: Vec<u8>,
    circuit: &str,
    domain: &str,
    priority: Priority,
) -> Work {
    let text = |name| {
        let value = head.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = head.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    Work {
        circuit: circuit.to_owned(),
        domain: domain.to_owned(),
        priority,
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        headers: headers.collect(),
        content_type: text(CONTENT_TYPE),
        body,
        key: text(IDEMPOTENCY_KEY).unwrap_or_default(),
        scope: scope(head),
    }
}

/// Whose key it is: the host that the request is for, and the credentials that it came with.
fn scope(head: &Parts) -> Vec<u8> {
    let values = |name: HeaderName| {
        let values = head.headers.get_all(name).into_iter();
        values.map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>()
    };
    let authority = head.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    let host = match authority {
        Some(authority) => vec![authority.into_bytes()],
        None => values(HOST).into_iter().map(|host| host.to_ascii_lowercase()).collect(),
    };
    scope_of([host, values(AUTHORIZATION), values(COOKIE)])
}

/// The letter's request, or why there is none.
pub(super) fn request_of<B: From<Vec<u8>>>(letter: &Letter) -> Result<Request<B>, String> {
    let mut request = Request::new(B::from(letter.body.clone()));
    let method = Method::from_bytes(letter.method.as_bytes());
    *request.method_mut() = method.map_err(|_| format!("`{}` is no method", letter.method))?;
    let uri = letter.uri.parse::<Uri>();
    *request.uri_mut() = uri.map_err(|error| format!("`{}`: {error}", letter.uri))?;
    let headers = request.headers_mut();
    for (name, value) in &letter.headers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    // What belonged to the connection on which it came.
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(letter.body.len()));
    let key = HeaderValue::try_from(letter.key.as_str());
    let key = key.map_err(|_| "the idempotency key is no header".to_owned())?;
    headers.insert(IDEMPOTENCY_KEY, key);
    headers.insert(REPLAY, HeaderValue::from(letter.life.attempts.saturating_add(1)));
    Ok(request)
}
