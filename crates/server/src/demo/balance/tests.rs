//! Each claim breaks when, and only when, what it claims is not so.

use http::StatusCode;

use super::*;
use crate::demo::ledger::LedgerFile;
use crate::demo::traffic::Place;

fn payment(key: &str, answer: Answer) -> Payment {
    Payment { key: key.to_owned(), amount: 100, place: Place::Online, answer }
}

fn ledger(deliveries: &[&str]) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let mut file = LedgerFile::open(&path).unwrap();
    for key in deliveries {
        file.record(key, 100, None).unwrap();
    }
    Ledger::read(&path).unwrap()
}

/// A ledger in which `a` was applied twice, as no honest service writes it.
fn dishonest() -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let line = |key: &str| format!("{{\"key\":\"{key}\",\"amount\":100,\"applied\":true}}\n");
    std::fs::write(&path, ["a", "a", "b"].map(line).concat()).unwrap();
    Ledger::read(&path).unwrap()
}

fn good() -> Accounts {
    let page = "/.fuseboard/letters/1".to_owned();
    Accounts {
        planned: 4,
        payments: vec![
            payment("a", Answer::Served),
            payment("b", Answer::Queued { page }),
            payment("c", Answer::Refused(StatusCode::SERVICE_UNAVAILABLE)),
            payment("d", Answer::Unknown("reset".to_owned())),
        ],
        ledger: ledger(&["a", "b", "b"]),
        letters: LetterCounts { captured: 1, resolved: 1, ..LetterCounts::default() },
        pages: Pages { read: 1, wrong: Vec::new() },
    }
}

fn broken(accounts: &Accounts) -> Vec<&'static str> {
    let claims = Balance::of(accounts).claims;
    claims.iter().filter(|claim| !claim.holds).map(|claim| claim.text).collect()
}

#[test]
fn a_good_day_balances_with_repeats_and_whatever_became_of_the_unknown() {
    let done_after_all = Accounts { ledger: ledger(&["a", "b", "b", "d"]), ..good() };
    for accounts in [good(), done_after_all] {
        let balance = Balance::of(&accounts);
        assert!(balance.holds(), "{:?}", balance.claims);
        assert_eq!(balance.repeats, 1);
    }
}

#[test]
fn each_fault_breaks_the_claim_that_it_belongs_to() {
    let letters = |captured, resolved| LetterCounts { captured, resolved, ..good().letters };
    let twice = || vec![payment("a", Answer::Served), good().payments.remove(1)];
    let rows = [
        (
            "lost",
            Accounts { ledger: ledger(&["a"]), ..good() },
            "acknowledged: each done exactly once",
        ),
        (
            "done twice",
            Accounts { ledger: dishonest(), ..good() },
            "acknowledged: each done exactly once",
        ),
        (
            "refused, yet done",
            Accounts { ledger: ledger(&["a", "b", "c"]), ..good() },
            "refused: none was done",
        ),
        (
            "not sent",
            Accounts { ledger: ledger(&["a", "b", "x"]), ..good() },
            "every entry is a payment that was sent",
        ),
        (
            "no answer counted",
            Accounts { planned: 5, ..good() },
            "sent = acknowledged + refused + unknown",
        ),
        (
            "one key twice",
            Accounts { planned: 3, payments: [twice(), twice()[..1].to_vec()].concat(), ..good() },
            "sent = acknowledged + refused + unknown",
        ),
        ("not resolved", Accounts { letters: letters(2, 1), ..good() }, "captured = resolved"),
        (
            "202 without a letter",
            Accounts { letters: letters(0, 0), ..good() },
            "captured = resolved",
        ),
        (
            "a page is wrong",
            Accounts { pages: Pages { read: 1, wrong: vec!["b: 404".to_owned()] }, ..good() },
            "each 202's page has the service's own 201",
        ),
    ];
    for (fault, accounts, claim) in rows {
        assert_eq!(broken(&accounts), [claim], "{fault}");
    }
}

#[test]
fn what_breaks_a_claim_is_named() {
    let accounts = Accounts { ledger: ledger(&["a"]), ..good() };
    let claims = Balance::of(&accounts).claims;
    assert_eq!(claims[1].figures, "1 of 2");
    assert_eq!(claims[1].broken_by, ["b was done 0 times"]);
}
