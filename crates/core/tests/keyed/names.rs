//! Names of keyed circuits: whatever a key is, its circuit's name is short, printable and its own.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fuseboard_core::{CircuitBreaker, Keyed, KeyedLimits};
use proptest::prelude::*;

fn keyed() -> Keyed<String> {
    Keyed::builder("payments").build().unwrap()
}

fn name_of(key: &str) -> String {
    keyed().get(key).name().to_owned()
}

#[test]
fn a_name_shows_its_key_with_all_that_could_harm_written_as_in_urls() {
    let rows = [
        ("eu-1", "eu-1"),
        ("", ""),
        ("10.0.0.5:9000", "10.0.0.5:9000"),
        ("/v1/orders,a=b+c", "/v1/orders,a=b+c"),
        ("zahlung/äß漢字", "zahlung/äß漢字"),
        ("bob@example.com", "bob%40example.com"),
        ("*", "%2A"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("a~b", "a%7Eb"),
        ("a][b", "a%5D%5Bb"),
        ("line\r\nbreak", "line%0D%0Abreak"),
        ("\0\u{7f}\u{1b}[31m", "%00%7F%1B%5B31m"),
        ("\u{202e}gpj.exe", "%E2%80%AEgpj.exe"),
        ("\u{feff}\u{200b}", "%EF%BB%BF%E2%80%8B"),
        ("<b>\"`'\\", "%3Cb%3E%22%60%27%5C"),
        ("😀", "%F0%9F%98%80"),
    ];
    for (key, shown) in rows {
        assert_eq!(name_of(key), format!("payments[{shown}]"), "{key:?}");
    }
}

#[test]
fn the_parent_keeps_the_name_it_was_given() {
    assert_eq!(keyed().name(), "payments");
}

#[test]
fn what_is_too_long_to_show_ends_in_a_digest_that_is_the_same_everywhere() {
    let fits = "x".repeat(64);
    assert_eq!(name_of(&fits), format!("payments[{fits}]"));
    let [one, other] = ["y", "z"].map(|last| name_of(&format!("{fits}{last}")));
    assert_ne!(one, other);
    let shown = format!("payments[{}~", "x".repeat(47));
    for name in [&one, &other] {
        assert!(name.starts_with(&shown) && name.len() == "payments[]".len() + 64, "{name}");
    }
    assert_eq!(one, format!("payments[{}~7d70a42549704454]", "x".repeat(47)));
    assert_eq!(one, name_of(&format!("{fits}y")), "in another table with another secret");
    let escaped = name_of(&" ".repeat(22));
    assert_eq!(escaped[..escaped.len() - 17], format!("payments[{}~", "%20".repeat(15)));
}

#[test]
fn a_key_with_a_very_long_text_takes_no_place() {
    let keyed = Keyed::<String>::builder("payments")
        .limits(KeyedLimits::default().capacity(1))
        .build()
        .unwrap();
    let (longest, too_long, huge) = ("ä".repeat(512), "x".repeat(1025), "x\n".repeat(1 << 19));
    assert!(keyed.get(&longest).name().starts_with("payments[ä"));
    for key in [&too_long, &huge] {
        assert_eq!(keyed.get(key).id(), keyed.overflow().id());
        assert!(keyed.find(key).is_none());
    }
    assert!(keyed.find(&longest).is_some(), "and takes nobody else's");
    assert_eq!((keyed.len(), keyed.info().overflowed), (1, 2));
}

/// A key whose text fails, panics, or never ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Odd {
    Fails,
    Panics,
    Endless,
    Plain,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Odd::Fails => Err(fmt::Error),
            Odd::Panics => panic!("meant"),
            Odd::Endless => loop {
                f.write_str("and on ")?;
            },
            Odd::Plain => f.write_str("plain"),
        }
    }
}

#[test]
fn a_key_that_cannot_be_written_shares_the_overflow_circuit() {
    let keyed = Keyed::<Odd>::builder("odd").build().unwrap();
    for key in [Odd::Fails, Odd::Endless] {
        assert_eq!(keyed.get(&key).id(), keyed.overflow().id());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| keyed.get(&Odd::Panics))).is_err());
    assert_eq!(keyed.get(&Odd::Plain).name(), "odd[plain]", "one key's panic is no other's");
}

proptest! {
    #[test]
    fn every_key_has_a_name_that_a_circuit_can_have_and_no_other_short_key_has(
        keys in prop::collection::btree_set(any::<String>(), 1..20),
    ) {
        let keyed = keyed();
        let mut names = BTreeSet::new();
        for key in &keys {
            let name = keyed.get(key).name().to_owned();
            prop_assert!(CircuitBreaker::builder(&*name).build().is_ok());
            let shown = name.strip_prefix("payments[").and_then(|rest| rest.strip_suffix(']'));
            let plain = |character: char| {
                character.is_alphanumeric() || "-_.:/+,=%~".contains(character)
            };
            prop_assert!(shown.is_some_and(|shown| shown.chars().all(plain)), "{}", name);
            prop_assert!(names.insert(name), "{:?} has another key's name", key);
        }
        prop_assert_eq!(keyed.len(), keys.len());
    }
}
