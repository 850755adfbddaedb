//! The matrix: each kind, named or not, with each voucher, with and without a fallback.

use std::collections::BTreeMap;

use fuseboard_services::capture::{CapturePolicy, Idempotent, Kind, NotQueued, Request, Undone};

use crate::rig::{BYTES, KEY, Rig, word};

/// Who vouches for making the call twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voucher {
    Owner,
    CallersKey,
    Nobody,
    /// The caller's key counts for nothing.
    IgnoredKey,
}

use Voucher::{CallersKey, IgnoredKey, Nobody, Owner};

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
struct Cell {
    undone: Undone,
    served: bool,
    named: bool,
    voucher: Voucher,
}

impl Cell {
    fn all() -> Vec<Cell> {
        let mut cells = Vec::new();
        for undone in Undone::ALL {
            for voucher in [Owner, CallersKey, Nobody, IgnoredKey] {
                for (served, named) in [(false, false), (false, true), (true, false), (true, true)]
                {
                    cells.push(Cell { undone, served, named, voucher });
                }
            }
        }
        cells
    }

    fn kind(self) -> Kind {
        if self.served { Kind::Fallback } else { Kind::of(self.undone) }
    }

    /// The kind of the cell, or everything but that.
    fn policy(self) -> CapturePolicy {
        let all = if self.served { CapturePolicy::ALL } else { CapturePolicy::UNDONE };
        let policy = match self.named {
            true => self.kind().into(),
            false => all.without(self.kind().into()),
        };
        match self.voucher {
            // What can never be captured may not be named.
            IgnoredKey if !self.named || self.served => {
                let sure = Kind::Rejected | Kind::Connect | Kind::Fallback;
                policy.and(sure)
            }
            _ => policy,
        }
    }

    /// Whether it becomes a letter, as the table of the design has it.
    fn expected(self) -> bool {
        let sure = matches!(self.undone, Undone::Rejected | Undone::Connect);
        self.named && (sure || matches!(self.voucher, Owner | CallersKey))
    }

    fn idempotent(self) -> Idempotent {
        match self.voucher {
            Owner => Idempotent::Always,
            CallersKey | Nobody => Idempotent::ByKey,
            IgnoredKey => Idempotent::Never,
        }
    }

    fn request(self) -> Request<Vec<u8>> {
        let request = Request::new(BYTES.to_vec());
        match self.voucher {
            CallersKey | IgnoredKey => request.key(KEY),
            Owner | Nobody => request,
        }
    }
}

#[tokio::test]
async fn each_cell_of_the_matrix_is_captured_or_says_why_not() {
    let mut tried = BTreeMap::<&str, usize>::new();
    for cell in Cell::all() {
        let rig = Rig::new();
        let charge = rig.charge().policy(cell.policy()).idempotent(cell.idempotent());
        let charge = match cell.served {
            true => charge.fallback(|_, _| Some("instead")),
            false => charge,
        };
        let sure = matches!(cell.undone, Undone::Rejected | Undone::Connect);
        let impossible = cell.named && !cell.served && !sure && cell.voucher == IgnoredKey;
        let charge = match charge.build() {
            Ok(charge) => charge,
            Err(error) => {
                assert!(impossible, "{cell:?}: {error}");
                *tried.entry("refused when built").or_default() += 1;
                continue;
            }
        };
        assert!(!impossible, "{cell:?}");
        rig.fails(cell.undone);
        let captured = charge.call(cell.request()).await;
        let expected = match (cell.served, cell.expected()) {
            (false, true) => "queued",
            (false, false) => "failed",
            (true, true) => "served and queued",
            (true, false) => "served",
        };
        assert_eq!(word(&captured), expected, "{cell:?}");
        *tried.entry(expected).or_default() += 1;
        rig.conserved(cell.expected().into()).await;
        match captured.not_queued() {
            None => has_the_letter(&rig, cell).await,
            Some(NotQueued::NotNamed(kind)) => {
                assert_eq!((*kind, cell.named), (cell.kind(), false))
            }
            Some(NotQueued::MayBeDone(undone)) => {
                assert_eq!((*undone, cell.named), (cell.undone, true))
            }
            Some(other) => panic!("{cell:?}: {other}"),
        }
    }
    let expected = [
        ("failed", 5 * 4 + 3),
        ("queued", 5 * 4 - 3 - 3),
        ("refused when built", 3),
        ("served", 5 * 4 + 6),
        ("served and queued", 5 * 4 - 6),
    ];
    assert_eq!(tried.into_iter().collect::<Vec<_>>(), expected, "no cell was left out");
}

/// One letter, with the bytes and the key that the first try had.
async fn has_the_letter(rig: &Rig, cell: Cell) {
    let letter = rig.only_letter().await;
    assert_eq!(letter.failure, cell.kind().as_str(), "{cell:?}");
    assert_eq!((letter.body.as_slice(), letter.circuit.as_str()), (BYTES, "payments"), "{cell:?}");
    assert_eq!((letter.method.as_str(), letter.uri.as_str()), ("CALL", "charge"));
    let seen = rig.other_side.seen();
    let expected = usize::from(cell.undone != Undone::Rejected);
    assert_eq!(seen.len(), expected, "{cell:?}");
    assert!(seen.iter().all(|seen| seen.key == letter.key && seen.payload == BYTES), "{cell:?}");
    match cell.voucher {
        CallersKey | IgnoredKey => assert_eq!(letter.key, KEY),
        Owner | Nobody => assert!(letter.key.starts_with("fuseboard-"), "{}", letter.key),
    }
}

#[tokio::test]
async fn what_was_answered_for_good_is_no_letter() {
    let rig = Rig::new();
    let charge = rig.charge().idempotent(Idempotent::Always).build().unwrap();
    rig.other_side.has(crate::rig::Trouble(None));
    let captured = charge.call(BYTES.to_vec()).await;
    assert!(matches!(captured.not_queued(), Some(NotQueued::Answered)));
    rig.conserved(0).await;
}

#[tokio::test]
async fn calls_that_are_done_leave_no_letter_and_each_has_a_key_of_its_own() {
    let rig = Rig::new();
    let charge = rig.charge().build().unwrap();
    for _ in 0..3 {
        assert_eq!(word(&charge.call(BYTES.to_vec()).await), "done");
    }
    assert_eq!(word(&charge.call(Request::new(BYTES.to_vec()).key("")).await), "done");
    let mut keys: Vec<_> = rig.other_side.seen().into_iter().map(|seen| seen.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
    rig.conserved(0).await;
}

#[tokio::test]
async fn the_same_key_and_payload_is_one_letter_and_another_payload_is_refused() {
    let rig = Rig::new();
    let charge = rig.charge().build().unwrap();
    rig.fails(Undone::Rejected);
    let request = |payload: &[u8]| Request::new(payload.to_vec()).key(KEY);
    let first = *charge.call(request(BYTES)).await.queued().unwrap();
    let again = *charge.call(request(BYTES)).await.queued().unwrap();
    assert_eq!((first.id, first.is_new, again.is_new), (again.id, true, false));
    let reused = charge.call(request(b"other")).await;
    let why = reused.not_queued().unwrap().to_string();
    assert!(why.contains("with another body"), "{why}");
    rig.conserved(1).await;
}
