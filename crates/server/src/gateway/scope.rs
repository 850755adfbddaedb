//! Whose a letter is: the same idempotency key from another caller, or for another host, means another request.

use fuseboard_services::capture::scope_of;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName};

/// A digest of the host that a request is for and of the credentials that it came with.
pub(super) fn of(headers: &HeaderMap) -> Vec<u8> {
    let values = |name: HeaderName| {
        let values = headers.get_all(&name).into_iter();
        let bytes = values.map(|value| match name == HOST {
            true => value.as_bytes().to_ascii_lowercase(),
            false => value.as_bytes().to_vec(),
        });
        bytes.collect()
    };
    scope_of([HOST, AUTHORIZATION, COOKIE].map(values))
}
