//! The matrix: each kind, named or not, with each voucher, with and without a fallback.

use fuseboard_services::capture::{CapturePolicy, Idempotent, Kind, NotQueued, Queued, Undone};
use fuseboard_tower::capture::NotCaptured;
use http::request::Parts;
use http::{Method, Request, Response};
use tower::{ServiceBuilder, ServiceExt};

use crate::rig::{BYTES, Building, Error, KEY, Rig, Whole, post, whole};

/// Who vouches for sending the request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voucher {
    Owner,
    CallersKey,
    Nobody,
}

use Voucher::{CallersKey, Nobody, Owner};

#[derive(Clone, Copy, Debug)]
struct Cell {
    undone: Undone,
    served: bool,
    named: bool,
    voucher: Voucher,
    /// Whether it fails before the body was read.
    at_once: bool,
}

impl Cell {
    fn all() -> Vec<Cell> {
        let mut cells = Vec::new();
        for undone in Undone::ALL {
            for voucher in [Owner, CallersKey, Nobody] {
                for bits in 0..8 {
                    let (served, named, at_once) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
                    cells.push(Cell { undone, served, named, voucher, at_once });
                }
            }
        }
        cells
    }

    fn kind(self) -> Kind {
        if self.served { Kind::Fallback } else { Kind::of(self.undone) }
    }

    fn policy(self) -> CapturePolicy {
        let all = if self.served { CapturePolicy::ALL } else { CapturePolicy::UNDONE };
        match self.named {
            true => self.kind().into(),
            false => all.without(self.kind().into()),
        }
    }

    fn expected(self) -> bool {
        let sure = matches!(self.undone, Undone::Rejected | Undone::Connect);
        self.named && (sure || self.voucher != Nobody)
    }

    fn building(self, rig: &Rig) -> Building {
        let idempotent = if self.voucher == Owner { Idempotent::Always } else { Idempotent::ByKey };
        rig.capture().policy(self.policy()).idempotent(idempotent)
    }

    async fn send(self, rig: &Rig) -> Result<Response<Whole>, Error> {
        let key = (self.voucher == CallersKey).then_some(KEY);
        let request = post(whole(BYTES), key);
        if !self.served {
            return rig.send(self.building(rig), request).await;
        }
        let serve = move |undone: Undone, head: &Parts| {
            assert_eq!((undone, head.method.as_str()), (self.undone, "POST"));
            Some(Response::builder().status(299).body(whole(b"instead")).unwrap())
        };
        let layer = self.building(rig).fallback(serve).build().unwrap();
        ServiceBuilder::new().layer(layer).service(rig.client()).oneshot(request).await
    }
}

#[tokio::test]
async fn each_cell_of_the_matrix_is_captured_or_says_why_not() {
    let mut captured = 0;
    for cell in Cell::all() {
        let rig = Rig::new();
        match cell.at_once {
            true => rig.fails_at_once(cell.undone),
            false => rig.fails(cell.undone),
        }
        let result = cell.send(&rig).await;
        let own = cell.undone == Undone::Failure;
        let status = match (cell.served, cell.expected()) {
            (true, _) => Some(299),
            (false, true) => Some(202),
            (false, false) => own.then_some(503),
        };
        let got = result.as_ref().ok().map(|response| response.status().as_u16());
        assert_eq!(got, status, "{cell:?}");
        rig.conserved(cell.expected().into()).await;
        captured += usize::from(cell.expected());
        if cell.expected() {
            let queued = result.unwrap().extensions().get::<Queued>().copied().unwrap();
            has_the_letter(&rig, cell, queued).await;
            continue;
        }
        let why = match result {
            Ok(response) => response.extensions().get::<NotQueued>().cloned().unwrap(),
            Err(NotCaptured { error, why }) => {
                assert_eq!(error.rejected().is_some(), cell.undone == Undone::Rejected);
                why.unwrap()
            }
        };
        match why {
            NotQueued::NotNamed(kind) => assert_eq!((kind, cell.named), (cell.kind(), false)),
            NotQueued::MayBeDone(undone) => assert_eq!((undone, cell.named), (cell.undone, true)),
            other => panic!("{cell:?}: {other}"),
        }
    }
    assert_eq!(captured, 4 * (5 + 5 + 2), "no cell was left out");
}

/// One letter, with what came in, and with the key that the first try had.
async fn has_the_letter(rig: &Rig, cell: Cell, queued: Queued) {
    let letter = rig.only_letter().await;
    assert_eq!((letter.id, letter.token, cell.kind()), (queued.id, queued.token, queued.kind));
    assert_eq!(letter.failure, cell.kind().as_str(), "{cell:?}");
    assert_eq!(letter.body, BYTES, "{cell:?}");
    let line = (letter.method.as_str(), letter.uri.as_str());
    assert_eq!(line, ("POST", "http://payments/charge?a=b"));
    assert_eq!(letter.content_type.as_deref(), Some("application/x-order"));
    let tests = letter.headers.iter().filter(|(name, _)| name == "x-test");
    assert_eq!(tests.map(|(_, value)| value.as_slice()).collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(letter.key == KEY, cell.voucher == CallersKey, "{}", letter.key);
    let seen = rig.other_side.seen();
    assert_eq!(seen.len(), usize::from(cell.undone != Undone::Rejected));
    assert!(seen.iter().all(|seen| seen.key == letter.key), "{seen:?}");
}

#[tokio::test]
async fn what_changes_nothing_is_not_kept_and_goes_through_as_it_is() {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
        let rig = Rig::new();
        let request = || {
            let request = Request::builder().method(method.clone()).uri("http://payments/");
            request.body(whole(BYTES)).unwrap()
        };
        rig.send(rig.capture(), request()).await.unwrap();
        assert_eq!(
            (rig.other_side.seen()[0].key.as_str(), &*rig.other_side.seen()[0].body),
            ("", BYTES)
        );
        rig.fails(Undone::Rejected);
        let why = rig.send(rig.capture(), request()).await.unwrap_err().why.unwrap();
        assert_eq!(why.to_string(), format!("{method} is not kept"));
        rig.conserved(0).await;
    }
}

#[tokio::test]
async fn what_is_done_leaves_no_letter() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let rig = Rig::new();
        let mut request = post(whole(BYTES), None);
        *request.method_mut() = method.clone();
        let response = rig.send(rig.capture(), request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.extensions().len()), (200, 0));
        let [seen] = rig.other_side.seen().try_into().unwrap();
        assert!(seen.key.starts_with("fuseboard-") && seen.body == BYTES, "{seen:?}");
        assert_eq!(seen.line, format!("{method} http://payments/charge?a=b"));
        rig.conserved(0).await;
    }
}

#[tokio::test]
async fn the_same_key_is_one_letter_for_one_caller_and_another_for_another() {
    let rig = Rig::new();
    rig.fails(Undone::Rejected);
    let send = async |host: &str, token: &'static str, body: &'static [u8]| {
        let mut request = post(whole(body), Some(KEY));
        *request.uri_mut() = format!("http://{host}/charge").parse().unwrap();
        request.headers_mut().insert("authorization", token.parse().unwrap());
        rig.send(rig.capture(), request).await
    };
    let id = |response: Response<Whole>| response.extensions().get::<Queued>().unwrap().id;
    let first = id(send("payments", "Bearer 1", BYTES).await.unwrap());
    assert_ne!(id(send("PAYMENTS", "Bearer 1", BYTES).await.unwrap()), first, "another URI");
    assert_eq!(id(send("payments", "Bearer 1", BYTES).await.unwrap()), first);
    assert_ne!(id(send("payments", "Bearer 2", b"other").await.unwrap()), first);
    let reused = send("payments", "Bearer 1", b"other").await.unwrap_err().why.unwrap();
    assert!(reused.to_string().contains("with another body"), "{reused}");
    rig.conserved(3).await;
}

#[test]
fn what_can_never_be_captured_is_refused_when_built() {
    let rig = Rig::new();
    let rows: [(Building, &str); 4] = [
        (
            rig.capture().policy(CapturePolicy::NOTHING),
            "capture: `nothing` is not possible: at least one kind, such as `rejected`",
        ),
        (
            rig.capture().policy(CapturePolicy::ALL),
            "capture: `fallback` is not possible: no fallback is ever served here: set one, or leave this kind out",
        ),
        (
            rig.capture().policy(Kind::Rejected | Kind::Reset).idempotent(Idempotent::Never),
            "capture: `reset` is not possible: it may have been done already and is never idempotent: say that it is, \
             always or by the caller's key, or name only `rejected`, `connect` and `fallback`",
        ),
        (rig.capture().limit(0), "limit: `0` is not possible: a number of bytes above zero"),
    ];
    for (building, expected) in rows {
        assert_eq!(building.build().unwrap_err().to_string(), expected);
    }
    let rule = rig.capture().build().unwrap().rule();
    assert_eq!((rule.policy, rule.idempotent), (CapturePolicy::UNDONE, Idempotent::ByKey));
}
