//! Where letters are, as the real binary says it: never with a password.

use std::fs;

use crate::{CONFIG, run_with};

const DATABASE: &str = "postgres://ops:hush@127.0.0.1:1/letters";

#[test]
fn check_says_which_store_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuseboard.toml");
    let rows = [
        (
            format!("letters = {DATABASE:?}"),
            "postgres://127.0.0.1:1/letters: as many as fit, finished",
        ),
        (
            "letters_env = \"LETTERS\"".to_owned(),
            "PostgreSQL, at the URL in $LETTERS: as many as fit, finished",
        ),
        ("letters = \"sqlite\"".to_owned(), "fuseboard-data: up to 1000000 waiting, finished"),
    ];
    for (line, expected) in rows {
        fs::write(&path, format!("{CONFIG}\n[store]\n{line}\n")).unwrap();
        let (code, out, err) = run_with(&[], &["check", "--config", path.to_str().unwrap()]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.contains(expected), "{out}");
        assert!(!out.contains("hush"), "{out}");
    }
}

#[test]
fn the_url_of_a_variable_is_used_and_a_server_that_is_away_ends_the_start_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuseboard.toml");
    let addresses = "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
    let rest = "[upstreams.a]\nendpoints = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\nupstream = \"a\"\n";
    fs::write(&path, format!("{addresses}{rest}[store]\nletters_env = \"LETTERS\"\n")).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    for (value, expected) in [
        (
            DATABASE,
            "fuseboard: store.letters_env: the store is unavailable (opening the database): ",
        ),
        (
            "hush",
            "fuseboard: store.letters_env: `LETTERS` holds no such thing: expected a URL such as",
        ),
    ] {
        let (code, _, err) = run_with(&[("LETTERS", value)], &arguments);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.starts_with(expected), "{err}");
        assert!(!err.contains("hush"), "{err}");
    }
}
