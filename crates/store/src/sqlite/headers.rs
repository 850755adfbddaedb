//! Headers as one blob: lengths and bytes, so that every byte survives.

/// A blob that is not what [`encode`] makes.
#[derive(Debug, thiserror::Error)]
#[error("not a list of headers: it breaks off, or a name is not UTF-8")]
pub(crate) struct Malformed;

/// For each header its name and its value, each as a 32-bit little-endian length and that many bytes.
pub(crate) fn encode(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let length = headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    let mut blob = Vec::with_capacity(length);
    for (name, value) in headers {
        for part in [name.as_bytes(), value] {
            let length = u32::try_from(part.len()).expect("a header has less than 4 GiB");
            blob.extend_from_slice(&length.to_le_bytes());
            blob.extend_from_slice(part);
        }
    }
    blob
}

pub(crate) fn decode(mut blob: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Malformed> {
    let mut headers = Vec::new();
    while !blob.is_empty() {
        let name = String::from_utf8(part(&mut blob)?.to_vec()).map_err(|_| Malformed)?;
        headers.push((name, part(&mut blob)?.to_vec()));
    }
    Ok(headers)
}

fn part<'a>(blob: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (length, rest) = blob.split_first_chunk().ok_or(Malformed)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (part, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
    *blob = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_survive_exactly(headers: Vec<(String, Vec<u8>)>) {
            prop_assert_eq!(decode(&encode(&headers)).unwrap(), headers);
        }

        #[test]
        fn a_blob_that_breaks_off_is_refused(name: String, value: Vec<u8>, cut in 1_usize..8) {
            let blob = encode(&[(name, value)]);
            prop_assert!(decode(&blob[..blob.len() - cut]).is_err());
        }
    }
}
