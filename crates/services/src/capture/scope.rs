//! Whose an idempotency key is: the same key from another caller means another call.

use sha2::{Digest, Sha256};

/// A digest of `groups`, which say who sent a key and where it was for: the values of a header, say, for each header that
/// matters. Each part goes in with its length, so that no two callers share one by moving bytes from one part to the next.
///
/// ```
/// use fuseboard_services::capture::scope_of;
///
/// let one = scope_of([vec![b"shop".to_vec()], vec![b"token-1".to_vec()]]);
/// assert_ne!(one, scope_of([vec![b"shop".to_vec()], vec![b"token-2".to_vec()]]));
/// assert_ne!(one, scope_of([vec![], vec![b"shop".to_vec(), b"token-1".to_vec()]]));
/// ```
pub fn scope_of(groups: impl IntoIterator<Item = Vec<Vec<u8>>>) -> Vec<u8> {
    let mut digest = Sha256::new();
    for values in groups {
        digest.update((values.len() as u64).to_be_bytes());
        for value in values {
            digest.update((value.len() as u64).to_be_bytes());
            digest.update(value);
        }
    }
    digest.finalize().to_vec()
}
