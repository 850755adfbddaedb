//! One sealed message: a version, a nonce, and what XChaCha20-Poly1305 makes of the bytes and of where they belong.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};

use super::keyring::SealingKey;
use crate::random;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

/// By how many bytes a message is longer than what is in it.
pub(super) const OVERHEAD: usize = 1 + NONCE + TAG;

/// Seals `plain`, so that it opens with the same key and only for the same `place`. A nonce of 192 bits may be drawn for
/// each message: they do not repeat, however many processes share the key.
pub(super) fn seal(key: &SealingKey, place: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = random::bytes::<NONCE>();
    let mut message = Vec::with_capacity(plain.len() + OVERHEAD);
    message.push(VERSION);
    message.extend_from_slice(&nonce);
    message.extend_from_slice(plain);
    let sealed = (&mut message[1 + NONCE..]).into();
    let tag = cipher(key)
        .encrypt_inout_detached(&XNonce::from(nonce), place, sealed)
        .expect("less than 256 GiB, which is the cipher's limit, fit into memory");
    message.extend_from_slice(&tag);
    message
}

/// What is in a message; `None` unless this key sealed it for this `place`, and every byte is as it was.
pub(super) fn open(key: &SealingKey, place: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = message.split_first()?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
    let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
    if *version != VERSION {
        return None;
    }
    let mut plain = sealed.to_vec();
    let buffer = plain.as_mut_slice().into();
    let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
    cipher(key).decrypt_inout_detached(&nonce, place, buffer, &tag).ok()?;
    Some(plain)
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.seals).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::new("k", [byte; 32]).unwrap()
    }

    proptest! {
        #[test]
        fn a_message_opens_as_it_was_and_is_longer_by_a_fixed_number(plain: Vec<u8>, place: Vec<u8>) {
            let message = seal(&key(1), &place, &plain);
            prop_assert_eq!(message.len(), plain.len() + OVERHEAD);
            prop_assert_eq!(open(&key(1), &place, &message), Some(plain.clone()));
            prop_assert_ne!(seal(&key(1), &place, &plain), message, "no nonce comes twice");
        }

        #[test]
        fn another_key_place_or_bit_opens_nothing(plain: Vec<u8>, place: Vec<u8>, at: prop::sample::Index, bit in 0_u8..8) {
            let mut message = seal(&key(1), &place, &plain);
            prop_assert_eq!(open(&key(2), &place, &message), None);
            prop_assert_eq!(open(&key(1), &[&place[..], b"."].concat(), &message), None);
            prop_assert_eq!(open(&key(1), &place, &message[..message.len() - 1]), None);
            let at = at.index(message.len());
            message[at] ^= 1 << bit;
            prop_assert_eq!(open(&key(1), &place, &message), None);
        }

        #[test]
        fn garbage_opens_nothing(garbage: Vec<u8>) {
            let with_version = [&[VERSION][..], &garbage].concat();
            prop_assert_eq!(open(&key(1), b"", &garbage), None);
            prop_assert_eq!(open(&key(1), b"", &with_version), None);
        }
    }
}
