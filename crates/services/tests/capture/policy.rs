//! Policies in text: what reads back the same, and what an error points at.

use fuseboard_services::capture::{CapturePolicy, Kind};
use proptest::prelude::*;

#[test]
fn a_policy_reads_back_as_it_was_printed() {
    for bits in 0u8..64 {
        let kinds = Kind::ALL.into_iter().enumerate();
        let kinds = kinds.filter(|(at, _)| bits & (1 << at) != 0).map(|(_, kind)| kind);
        let policy = CapturePolicy::of(kinds.clone());
        assert_eq!(policy.to_string().parse(), Ok(policy));
        assert_eq!(policy.kinds().collect::<Vec<_>>(), kinds.collect::<Vec<_>>());
    }
}

#[test]
fn a_policy_is_a_set_of_kinds() {
    let rows = [
        ("rejected", "rejected"),
        (" connect|rejected ", "rejected | connect"),
        ("reset | reset", "reset"),
        ("nothing", "nothing"),
        ("nothing | timeout", "timeout"),
        (
            "fallback | failure | reset | timeout | connect | rejected",
            "rejected | connect | timeout | reset | failure | fallback",
        ),
    ];
    for (text, printed) in rows {
        assert_eq!(text.parse::<CapturePolicy>().unwrap().to_string(), printed);
    }
    let built = Kind::Timeout | Kind::Rejected;
    assert_eq!("rejected | timeout".parse(), Ok(built));
    assert_eq!(built | CapturePolicy::UNDONE | Kind::Fallback, CapturePolicy::ALL);
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    const WORDS: &str =
        "`rejected`, `connect`, `timeout`, `reset`, `failure`, `fallback` or `nothing`";
    let rows = [
        ("", 1, WORDS, "the end"),
        ("late", 1, WORDS, "`late`"),
        ("Rejected", 1, WORDS, "`Rejected`"),
        ("rejected |", 11, WORDS, "the end"),
        ("rejected | | reset", 12, WORDS, "`|`"),
        ("rejected & reset", 10, "`|` or the end", "`&`"),
        ("rejected reset", 10, "`|` or the end", "`reset`"),
        ("rejected(1)", 9, "`|` or the end", "`(`"),
        ("!reset", 1, WORDS, "`!`"),
        ("5xx", 1, WORDS, "`5xx`"),
    ];
    for (text, column, expected, found) in rows {
        let error = text.parse::<CapturePolicy>().unwrap_err();
        assert_eq!(
            (error.column(), error.expected(), error.found()),
            (column, expected, found),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_or_reads_back(text in "[a-z|& ()!]{0,40}|(rejected|reset|failure)( ?[|] ?(nothing|reset|late)){0,4}") {
        if let Ok(policy) = text.parse::<CapturePolicy>() {
            prop_assert_eq!(policy.to_string().parse(), Ok(policy));
        }
    }
}
