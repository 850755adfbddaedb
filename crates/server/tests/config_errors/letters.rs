//! Keys and headers in the section `[letters]`, and the section `[store]`.

use std::path::PathBuf;

use fuseboard_server::config::{KeySetting, KeySource, LetterStore};

use super::{followed_by, parse, refused};

#[test]
fn keys_are_named_with_where_they_are() {
    let text = followed_by(
        "[letters]\nwithhold_headers = [\"Cookie\", \"authorization\"]\n\
         [letters.encryption]\nkey_id = \"2026-11\"\nkey_file = \"/run/2026-11.key\"\nlost = [\"2026-09\"]\n\
         previous = [{ key_id = \"2026-10\", key_env = \"OLD_KEY\" }]\n",
    );
    let letters = parse(&text).unwrap().letters;
    assert_eq!(letters.withhold.to_string(), "authorization, cookie");
    let key = |id: &str, source| KeySetting { id: id.to_owned(), source };
    let file = KeySource::File(PathBuf::from("/run/2026-11.key"));
    assert_eq!(letters.encryption.current, Some(key("2026-11", file)));
    let variable = KeySource::Variable("OLD_KEY".to_owned());
    assert_eq!(letters.encryption.previous, [key("2026-10", variable)]);
    assert_eq!(letters.encryption.lost, ["2026-09"]);

    let off = "[letters.encryption]\nprevious = [{ key_id = \"k\", key_file = \"k.key\" }]\n";
    let encryption = parse(&followed_by(off)).unwrap().letters.encryption;
    assert_eq!((encryption.current, encryption.previous.len()), (None, 1));
}

#[test]
fn the_store_of_letters_is_read_and_shown_without_its_password() {
    let url = "postgresql://ops:hush@db.internal:5432/letters?sslmode=verify-full&password=hush";
    let config = parse(&followed_by(&format!("[store]\nletters = {url:?}\n"))).unwrap();
    assert_eq!((config.letters.capacity, config.letters.max_bytes), (None, None));
    let LetterStore::Postgres(url) = &config.store else { panic!("{:?}", config.store) };
    assert_eq!(url.to_string(), "postgres://db.internal:5432/letters");
    assert!(!format!("{config:?}").contains("hush"));
    let limited = "[letters]\ncapacity = 10\n[store]\nletters_env = \"LETTERS\"\n";
    let config = parse(&followed_by(limited)).unwrap();
    assert_eq!(config.store, LetterStore::Variable("LETTERS".to_owned()));
    assert_eq!(config.letters.capacity, Some(10));
    let config = parse(&followed_by("[store]\nletters = \"sqlite\"\n")).unwrap();
    assert_eq!((config.store, config.letters.capacity), (LetterStore::Embedded, Some(1_000_000)));
}

#[test]
fn a_store_that_cannot_be_is_refused_and_no_password_is_shown() {
    let url = "9:11: store.letters: not possible: expected sqlite, or a URL such as \
               postgres://user:password@host:5432/database";
    let variable = "9:15: store.letters_env: not possible: expected the name of an environment variable, of up to 39 \
                    letters, digits and `_`";
    let rows = [
        ("letters = \"mysql://ops:hush@db/letters\"", url),
        ("letters = \"postgres://\"", url),
        ("letters = \"postgres://ops:hush@\"", url),
        ("letters = \"postgres://ops:hu?sh@db/letters\"", url),
        ("letters = 5432", url),
        ("letters_env = \"postgres://ops:hush@db/letters\"", variable),
        (
            "letters = \"sqlite\"\nletters_env = \"A\"",
            "10:15: store.letters_env: `A` is not possible: expected letters or letters_env, not both",
        ),
        (
            "letters_env = \"A\"\n[letters]\nmax_bytes = \"1GiB\"",
            "11:13: letters.max_bytes: `1GiB` is not possible: expected none for letters in PostgreSQL, which limits its \
             own size",
        ),
        (
            "circuits = \"sqlite\"",
            "9:1: store.circuits: there is no such key: expected letters, letters_env",
        ),
    ];
    for (lines, expected) in rows {
        refused(&followed_by(&format!("[store]\n{lines}\n")), &format!("f.toml:{expected}"));
    }
}

#[test]
fn what_cannot_be_is_refused_where_it_stands_and_no_key_is_shown() {
    let hex = "0123456789abcdef".repeat(4);
    let rows = [
        (
            "[letters.encryption]\n".to_owned(),
            "8:1: letters.encryption: not possible: expected key_id, with",
        ),
        (
            "[letters.encryption]\nkey_id = \"k\"\n".to_owned(),
            "letters.encryption.key_file: missing: expected the path",
        ),
        (
            "[letters.encryption]\nkey_file = \"k\"\n".to_owned(),
            "letters.encryption.key_id: missing: expected a name",
        ),
        (
            "[letters.encryption]\nkey_id = \"a b\"\nkey_file = \"k\"\n".to_owned(),
            "9:10: letters.encryption.key_id: `a b` is not possible: expected a name for the key, of 1 to 64",
        ),
        (
            "[letters.encryption]\nkey_id = \"k\"\nkey_file = \"k\"\nkey_env = \"K\"\n".to_owned(),
            "11:11: letters.encryption.key_env: `K` is not possible: expected key_file or key_env, not both",
        ),
        (
            format!("[letters.encryption]\nkey_id = \"k\"\nkey_env = \"{hex}\"\n"),
            "10:11: letters.encryption.key_env: not possible: expected the name of an environment variable",
        ),
        (
            format!("[letters.encryption]\nkey_id = \"k\"\nkey = \"{hex}\"\n"),
            "10:1: letters.encryption.key: there is no such key: expected key_id, key_file, key_env",
        ),
        (
            "[letters.encryption]\nkey_id = \"k\"\nkey_file = \"k\"\n\
             previous = [{ key_id = \"k\", key_file = \"l\" }]\n"
                .to_owned(),
            "11:13: letters.encryption.previous[0]: `k` is not possible: expected each key once",
        ),
        (
            "[letters]\nwithhold_headers = [\"a b\"]\n".to_owned(),
            "9:21: letters.withhold_headers[0]: `a b` is not possible: expected the name of a header",
        ),
        (
            "[letters]\nwithhold_headers = [\"Idempotency-Key\"]\n".to_owned(),
            "9:21: letters.withhold_headers[0]: `Idempotency-Key` is not possible: expected another header",
        ),
        (
            "[letters]\nwithhold_headers = []\n".to_owned(),
            "9:20: letters.withhold_headers: `[]` is not possible: expected a list such as",
        ),
    ];
    for (lines, expected) in rows {
        let error = parse(&followed_by(&lines)).unwrap_err().to_string();
        assert!(error.contains(expected), "{lines}: {error}");
        assert!(!error.contains(&hex[..20]), "it shows the key: {error}");
    }
    refused(
        &followed_by("[letters]\nwithold_headers = [\"cookie\"]\n"),
        "f.toml:9:1: letters.withold_headers: there is no such key: did you mean `withhold_headers`? expected capacity, \
         max_bytes, retention, audit_retention, audit_queue, sla, raise_late, max_attempts, max_crashes, retry, encryption, \
         withhold_headers",
    );
}
