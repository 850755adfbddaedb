//! Which headers go on to the other side, and which end here.

use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// The request header that makes a repeat recognisable.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On a replay: the number of the try, 1 for the first.
pub(crate) const REPLAY: HeaderName = HeaderName::from_static("fuseboard-replay");
/// On answers that the gateway made itself: the circuit.
pub(crate) const CIRCUIT: HeaderName = HeaderName::from_static("fuseboard-circuit");
/// On answers that the gateway made itself: why.
pub(crate) const REASON: HeaderName = HeaderName::from_static("fuseboard-reason");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Removes what belongs to one connection only (RFC 9110, 7.6.1), and what only the gateway may say.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Whoever names it would only make the request one to nobody.
        .filter(|name| name != HOST)
        .collect();
    let always = [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        REPLAY,
    ];
    for name in always.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Adds the caller's address to `X-Forwarded-For`.
pub(crate) fn add_forwarded_for(headers: &mut HeaderMap, peer: std::net::IpAddr) {
    let before = headers.get_all(FORWARDED_FOR);
    let mut hops: Vec<String> = before.iter().map(lossy).collect();
    hops.push(peer.to_string());
    if let Ok(value) = HeaderValue::try_from(hops.join(", ")) {
        headers.insert(FORWARDED_FOR, value);
    }
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The headers as a letter keeps them: in order, bytes as they came.
pub(crate) fn to_stored(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pairs = headers.iter();
    pairs.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// Headers from a letter. What is no header, and can only come from a damaged store, is left out.
pub(crate) fn from_stored(stored: &[(String, Vec<u8>)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(stored.len());
    for (name, value) in stored {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The delay in seconds of a `Retry-After`. A date, which needs synchronised clocks to mean anything, is not used.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<std::time::Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    Some(std::time::Duration::from_secs(value.trim().parse().ok()?))
}
