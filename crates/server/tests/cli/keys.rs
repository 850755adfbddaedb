//! Keys for letters, as the real binary takes them.

use std::fs;

use crate::{CONFIG, run};

#[test]
fn check_says_which_key_seals_and_what_is_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuseboard.toml");
    let letters = "[letters]\nwithhold_headers = [\"Cookie\"]\n\
                   encryption = { key_id = \"2026-11\", key_env = \"FUSEBOARD_KEY\" }\n";
    fs::write(&path, format!("{CONFIG}\n{letters}")).unwrap();
    let (code, out, err) = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let line = "kept for 7d, sealed with the key `2026-11`, without cookie\n";
    assert!(out.contains(line), "{out}");
}

#[test]
fn a_key_that_is_none_ends_the_start_with_2_before_the_data_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("fuseboard.toml"), folder.path().join("short.key"));
    fs::write(&key, "c0ffee".repeat(10)).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndata = {:?}\n\
         [upstreams.a]\nendpoints = [\"http://127.0.0.1:9\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"a\"\n\
         [letters.encryption]\nkey_id = \"k\"\nkey_file = {key:?}\n",
        folder.path().join("data")
    );
    fs::write(&path, text).unwrap();
    let (code, _, err) = run(&["serve", "--config", path.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{err}");
    let expected = format!(
        "fuseboard: letters.encryption: the key file `{}`: not a key: expected 32 random bytes as 64 hexadecimal digits or in \
         base64, found base64 of 45 bytes\n",
        key.display()
    );
    assert_eq!(err, expected);
    assert!(!folder.path().join("data").exists());
}
