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

/// Who asks: the name of the token, or `admin` where none is asked for.
#[derive(Clone, Debug)]
pub(super) struct Actor(pub(super) String);

/// Lets a request through, or answers 403 or 401. Nothing is to be kept by caches or guessed at by browsers.
pub(super) async fn guard(
    State(state): State<AdminState>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&state, &request) {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
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

fn admit(state: &AdminState, request: &Request) -> Result<Actor, Problem> {
    let headers = request.headers();
    let host = only(headers, header::HOST).filter(|host| is_ours(host, state));
    let Some(host) = host else {
        let detail = format!(
            "Host: expected localhost, an address of this server, such as {}, or one of server.admin_hosts",
            state.address
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    };
    if headers.contains_key(header::ORIGIN) && !is_same_origin(headers, host) {
        let detail = format!("Origin: expected http://{host}, or none");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if let Some(actor) = actor(state, headers) {
        return Ok(actor);
    }
    if request.uri().path() == OPEN_ROUTE {
        return Ok(Actor("nobody".to_owned()));
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

/// A name that somebody else's DNS answers for is never ours, unless the configuration says so; an address is, if we
/// listen there. The port is not looked at: a tunnel may change it.
fn is_ours(host: &str, state: &AdminState) -> bool {
    let listening = state.address.ip();
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == listening || listening.is_unspecified(),
        Err(_) => {
            let hosts = &state.config.server.admin_hosts;
            let mut names = hosts.iter().map(String::as_str).chain(["localhost"]);
            names.any(|ours| name.eq_ignore_ascii_case(ours)) && !host.contains('@')
        }
    }
}

fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    let origin = only(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host)
    })
}

fn actor(state: &AdminState, headers: &HeaderMap) -> Option<Actor> {
    let tokens = &state.config.server.tokens;
    if tokens.is_empty() {
        return Some(Actor("admin".to_owned()));
    }
    let (scheme, given) = only(headers, header::AUTHORIZATION)?.split_once(' ')?;
    let given = given.trim_start();
    // All are compared, so that the time does not tell which was nearly right.
    let found = tokens.iter().fold(
        None,
        |found, (name, secret)| {
            if equal(given, secret) { Some(name) } else { found }
        },
    );
    let name = found.filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(Actor(name.clone()))
}

/// Whether both are the same, in a time that depends on their lengths only.
fn equal(given: &str, secret: &str) -> bool {
    let differing =
        given.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    given.len() == secret.len() && differing == 0
}
