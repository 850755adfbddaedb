//! Whose a letter is: the same idempotency key from another caller, or for another host, means another request.

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap};
use sha2::{Digest, Sha256};

/// A digest of the host that a request is for and of the credentials that it came with. Each part goes in with its length,
/// so that no two requests share one by moving bytes from one part to the next.
pub(super) fn of(headers: &HeaderMap) -> Vec<u8> {
    let mut digest = Sha256::new();
    for name in [HOST, AUTHORIZATION, COOKIE] {
        let values = headers.get_all(&name);
        digest.update((values.iter().count() as u64).to_be_bytes());
        for value in values {
            let value = match name == HOST {
                true => value.as_bytes().to_ascii_lowercase(),
                false => value.as_bytes().to_vec(),
            };
            digest.update((value.len() as u64).to_be_bytes());
            digest.update(value);
        }
    }
    digest.finalize().to_vec()
}
