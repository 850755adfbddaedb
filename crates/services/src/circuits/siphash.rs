//! SipHash-2-4 (Aumasson and Bernstein, 2012) with keys that never change.
//!
//! Where a key goes on the ring has to be the same in every process, version, platform and language. The hash of the standard
//! library promises that of none; SipHash has a written definition, test vectors, and an implementation in every language, and
//! is short enough to stand here.

/// `fuseboard.cells/` as bytes: not a secret, only the same for all.
const KEY: (u64, u64) = (u64::from_le_bytes(*b"fuseboar"), u64::from_le_bytes(*b"d.cells/"));

/// The hash of `bytes` under the fixed keys.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    siphash24(KEY, bytes)
}

fn siphash24((k0, k1): (u64, u64), bytes: &[u8]) -> u64 {
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        absorb(&mut state, u64::from_le_bytes(*word));
    }
    // The last word ends with the length, of which only the lowest byte counts.
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    absorb(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    round(state);
    state[0] ^= word;
}

fn round([v0, v1, v2, v3]: &mut [u64; 4]) {
    *v0 = v0.wrapping_add(*v1);
    *v1 = v1.rotate_left(13) ^ *v0;
    *v0 = v0.rotate_left(32);
    *v2 = v2.wrapping_add(*v3);
    *v3 = v3.rotate_left(16) ^ *v2;
    *v0 = v0.wrapping_add(*v3);
    *v3 = v3.rotate_left(21) ^ *v0;
    *v2 = v2.wrapping_add(*v1);
    *v1 = v1.rotate_left(17) ^ *v2;
    *v2 = v2.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::siphash24;

    /// The key 00 01 .. 0f of the reference implementation, under which it lists the hashes of 00 01 .. of each length.
    const REFERENCE: (u64, u64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);

    #[test]
    fn it_is_the_siphash_of_its_authors() {
        let rows: [(usize, u64); 4] = [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ];
        for (length, expected) in rows {
            let bytes: Vec<u8> = (0..length as u8).collect();
            assert_eq!(siphash24(REFERENCE, &bytes), expected, "{length} bytes");
        }
    }
}
