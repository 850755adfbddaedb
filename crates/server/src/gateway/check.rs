//! What makes a request unfit, whatever it asks for.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{Request, Response, StatusCode, Version};

use super::framing::Flaw;
use super::headers::IDEMPOTENCY_KEY;
use super::relay::ReplyBody;
use super::reply::Reply;
use crate::config::Server;

/// The answer to a request that is unfit by its head. `flaw` is what its bytes told.
///
/// It ends the connection: where the next request would begin cannot be trusted.
pub(super) fn refusal<B>(
    request: &Request<B>,
    flaw: Option<Flaw>,
    limits: &Server,
) -> Option<Response<ReplyBody>> {
    let headers = request.headers();
    let checked = check_head(flaw, limits.max_header_bytes)
        .and_then(|()| check_framing(headers))
        .and_then(|()| check_host(request))
        .and_then(|()| check_key(headers))
        .and_then(|()| check_length(headers, limits.max_body));
    let mut response = checked.err()?.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn check_head(flaw: Option<Flaw>, most: usize) -> Result<(), Reply> {
    match flaw {
        None => Ok(()),
        Some(Flaw::Both) => refuse("content-length and transfer-encoding: expected one of them"),
        Some(Flaw::LargeHead) => {
            let detail = format!("the head is larger than {most} bytes");
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            Err(Reply::new(status, "large-head", detail))
        }
    }
}

/// A body has one length, or is in chunks and nothing else.
fn check_framing(headers: &HeaderMap) -> Result<(), Reply> {
    let values = headers.get_all(TRANSFER_ENCODING).iter();
    let text = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let codings = text.collect::<Vec<_>>().join(",");
    let mut codings = codings.split(',').map(str::trim);
    if codings.clone().any(|coding| !["", "chunked"].contains(&coding)) {
        let detail = "transfer-encoding: expected chunked alone";
        return Err(Reply::new(StatusCode::NOT_IMPLEMENTED, "transfer-coding", detail));
    }
    match codings.nth(1) {
        Some(_) => refuse("transfer-encoding: there is more than one: expected chunked alone"),
        None => Ok(()),
    }
}

fn check_host<B>(request: &Request<B>) -> Result<(), Reply> {
    if request.uri().authority().is_some_and(|authority| !fit_host(authority.as_str())) {
        return refuse("the target: expected a host, and perhaps a port");
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => refuse("host: there is more than one: expected one"),
        (None, _) if request.version() == Version::HTTP_11 => refuse("host: expected one"),
        (Some(host), None)
            if !host.to_str().is_ok_and(|host| host.is_empty() || fit_host(host)) =>
        {
            refuse("host: expected a host, and perhaps a port")
        }
        _ => Ok(()),
    }
}

fn fit_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let port = text.strip_prefix(authority.host()).unwrap_or("@");
    port.is_empty() || authority.port_u16().is_some()
}

fn check_key(headers: &HeaderMap) -> Result<(), Reply> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(_), Some(_)) => refuse("idempotency-key: there is more than one"),
        (Some(key), None) if !fit_key(key) => {
            refuse("idempotency-key: expected 1 to 255 printable ASCII characters")
        }
        _ => Ok(()),
    }
}

fn fit_key(key: &HeaderValue) -> bool {
    let printable = key.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte));
    printable && (1..=255).contains(&key.len())
}

fn check_length(headers: &HeaderMap, most: u64) -> Result<(), Reply> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length.is_some_and(|length: u64| length > most) {
        true => Err(too_large(most)),
        false => Ok(()),
    }
}

fn refuse(detail: &str) -> Result<(), Reply> {
    Err(Reply::new(StatusCode::BAD_REQUEST, "bad-request", detail))
}

pub(super) fn too_large(most: u64) -> Reply {
    let detail = format!("the body is larger than {most} bytes");
    Reply::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}
