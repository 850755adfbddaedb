//! Keys in files and variables, and what is said of those that cannot be used.

use std::fs;

use fuseboard_store::{KeyError, Keyring, SealingKey, StoreError};

use crate::{NOW, get, insert, key, letter, memory, over, ring};

const BYTES: [u8; 32] =
    *b"0123456789abcdef\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\0\x01\x02\x03\x04\x05\x06\x07";
const HEX: &str = "30313233343536373839616263646566fffefdfcfbfaf9f80001020304050607";
const BASE64: &str = "MDEyMzQ1Njc4OWFiY2RlZv/+/fz7+vn4AAECAwQFBgc=";

#[tokio::test]
async fn a_key_in_a_file_is_the_same_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let beneath = memory();
    let id =
        insert(&over(&beneath, Keyring::new(SealingKey::new("k", BYTES).unwrap())), letter("1"))
            .await;
    let upper = HEX.to_uppercase();
    let forms = [
        HEX.to_owned(),
        upper,
        BASE64.to_owned(),
        BASE64.trim_end_matches('=').to_owned(),
        format!("\n {BASE64}\r\n"),
    ];
    for form in forms {
        fs::write(&path, &form).unwrap();
        let keys = Keyring::new(SealingKey::from_file("k", &path).unwrap());
        assert_eq!(get(&over(&beneath, keys), id).await.body, letter("1").body, "{form}");
    }
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let table = [
        (String::new(), "found nothing"),
        (HEX[..62].to_owned(), "found 62 bytes that are neither"),
        (format!("{HEX}00"), "found 66 bytes that are neither"),
        (BASE64[..40].to_owned(), "found base64 of 30 bytes"),
        ("correct horse battery staple".to_owned(), "found 28 bytes that are neither"),
        (format!("{}g", &HEX[..63]), "found base64 of 48 bytes"),
        (format!("{}!", &HEX[..63]), "found 64 bytes that are neither"),
    ];
    for (text, found) in table {
        fs::write(&path, &text).unwrap();
        let error = SealingKey::from_file("k", &path).expect_err(&text).to_string();
        let expected = "expected 32 random bytes as 64 hexadecimal digits or in base64";
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(error.contains(expected) && error.contains(found), "{text}: {error}");
        assert!(text.is_empty() || !error.contains(&text[..8]), "it shows the key: {error}");
    }
    let missing = SealingKey::from_file("k", folder.path().join("none")).unwrap_err();
    assert!(matches!(&missing, KeyError::File { path, .. } if path.ends_with("none")));
    let unset = SealingKey::from_variable("k", "FUSEBOARD_NO_SUCH_KEY").unwrap_err();
    assert!(unset.to_string().contains("`FUSEBOARD_NO_SUCH_KEY` is not set"), "{unset}");
    let wrong = SealingKey::from_variable("k", "CARGO_PKG_NAME").unwrap_err().to_string();
    assert!(wrong.starts_with("the environment variable `CARGO_PKG_NAME`: not a key"), "{wrong}");
}

#[test]
fn keys_have_plain_names_and_no_two_the_same() {
    for name in ["", "a b", "caf\u{e9}", "k/1", &"k".repeat(65)] {
        let error = SealingKey::new(name, BYTES).unwrap_err();
        assert!(matches!(&error, KeyError::Name(was) if was == name), "{error}");
    }
    let twice = ring("k", 1).with_older(key("k", 2)).unwrap_err();
    assert!(matches!(&twice, KeyError::Twice(name) if name == "k"), "{twice}");
}

#[test]
fn nothing_that_is_printed_has_key_material() {
    let key = SealingKey::new("2026-11", BYTES).unwrap();
    let letters =
        over(&memory(), Keyring::new(key.clone()).with_older(crate::key("old", 7)).unwrap());
    let keys = format!("{key:?} {letters:?}");
    assert!(keys.contains("SealingKey(2026-11)") && keys.contains("SealingKey(old)"), "{keys}");
    for shown in ["48, 49, 50", "3031", "7, 7, 7"] {
        assert!(!keys.contains(shown), "{keys}");
    }
}

#[tokio::test]
async fn another_key_under_a_known_name_is_refused_at_the_start() {
    let beneath = memory();
    over(&beneath, ring("k", 1)).check_keys(&[], NOW).await.unwrap();
    over(&beneath, ring("k", 1)).check_keys(&[], NOW).await.unwrap();
    let wrong = over(&beneath, ring("k", 2)).check_keys(&[], NOW).await;
    assert!(matches!(&wrong, Err(StoreError::WrongKey { key }) if key == "k"), "{wrong:?}");
    let older = ring("new", 3).with_older(key("k", 2)).unwrap();
    let wrong = over(&beneath, older).check_keys(&[], NOW).await;
    assert!(matches!(&wrong, Err(StoreError::WrongKey { key }) if key == "k"), "{wrong:?}");
}
