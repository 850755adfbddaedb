//! Who may ask: requests meant for this server, by whoever has a token.

use std::hint::black_box;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{AdminState, Problem};

/// The one route that needs no token: who watches over the process need not be trusted with its contents.
const OPEN_ROUTE: &str = "/healthz";

/// Lets a request through, or answers 403 or 401. Nothing is to be kept by caches or guessed at by browsers.
pub(super) async fn guard(
    State(state): State<AdminState>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"fuseboard\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn admit(state: &AdminState, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let host = only(headers, header::HOST).filter(|host| is_ours(host, state.address.ip()));
    let Some(host) = host else {
        let detail = format!(
            "Host: expected localhost or an address of this server, such as {}",
            state.address
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    };
    if headers.contains_key(header::ORIGIN) && !is_same_origin(headers, host) {
        let detail = format!("Origin: expected http://{host}, or none");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if request.uri().path() == OPEN_ROUTE || has_token(state, headers) {
        return Ok(());
    }
    let detail = "Authorization: expected `Bearer` and a token of [server.tokens]";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
}

/// The value of a header that is there exactly once, as text.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// A name that somebody else's DNS answers for is never ours; an address is, if we listen there. The port is not
/// looked at: a tunnel may change it.
fn is_ours(host: &str, listening: IpAddr) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == listening || listening.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost") && !host.contains('@'),
    }
}

fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    let origin = only(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host)
    })
}

fn has_token(state: &AdminState, headers: &HeaderMap) -> bool {
    let tokens = &state.config.server.tokens;
    if tokens.is_empty() {
        return true;
    }
    let credentials = only(headers, header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let Some((scheme, given)) = credentials else { return false };
    let given = given.trim_start();
    // All are compared, so that the time does not tell which was nearly right.
    let found = tokens.values().fold(false, |found, secret| equal(given, secret) | found);
    scheme.eq_ignore_ascii_case("bearer") && found
}

/// Whether both are the same, in a time that depends on their lengths only.
fn equal(given: &str, secret: &str) -> bool {
    let differing =
        given.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    given.len() == secret.len() && differing == 0
}
