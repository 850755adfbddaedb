//! Letters and moments that the conformance functions start from.

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Rules, Status};
use fuseboard_core::policy::Retry;
use fuseboard_core::time::WallTime;

use crate::audit::By;
use crate::letters::{
    Draft, Letter, LetterId, Letters, Priority, Query, Settlement, StoredAnswer, Token,
};

/// The circuit of most letters here.
pub(super) const PAYMENTS: &str = "payments";

/// How long claims last here.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// The rules that a store under test is made with: three attempts, three crashes, waits of 1 s, 2 s, 4 s without jitter.
pub fn rules() -> Rules {
    let retry = Retry::Backoff {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(60),
        multiplier: 2.0,
        jitter: 0.0,
    };
    Rules { max_attempts: 3, max_crashes: 3, retry }
}

/// A small letter, captured at `at` and due at once, with a token of its own.
pub fn draft(circuit: &str, key: &str, at: WallTime) -> Draft {
    Draft {
        token: Token::random(),
        circuit: circuit.to_owned(),
        domain: "orders".to_owned(),
        failure: "rejected".to_owned(),
        method: "POST".to_owned(),
        uri: "/charge?order=7".to_owned(),
        headers: vec![("accept".to_owned(), b"*/*".to_vec())],
        content_type: Some("application/json".to_owned()),
        body: b"{\"amount\":3}".to_vec(),
        key: key.to_owned(),
        scope: b"alice".to_vec(),
        order_key: None,
        priority: Priority::Normal,
        sla_deadline: None,
        sealed_by: None,
        fingerprint: None,
        life: Life::captured(at),
        captured_at: at,
    }
}

/// `seconds` after some beginning.
pub(super) fn at(seconds: i64) -> WallTime {
    WallTime::from_unix_millis(1_700_000_000_000 + seconds * 1_000)
}

/// Inserts a letter that is due at `seconds`.
pub(super) async fn insert(letters: &dyn Letters, key: &str, seconds: i64) -> LetterId {
    letters.insert(draft(PAYMENTS, key, at(seconds))).await.unwrap().id()
}

/// Claims at `seconds` the only letter that is due.
pub(super) async fn claim_one(letters: &dyn Letters, seconds: i64) -> Letter {
    let mut claimed = letters.claim(PAYMENTS, 10, LEASE, at(seconds)).await.unwrap();
    assert_eq!(claimed.len(), 1, "one letter is due: {claimed:?}");
    claimed.remove(0)
}

pub(super) async fn get(letters: &dyn Letters, id: LetterId) -> Letter {
    letters.get(id).await.unwrap().expect("the letter is here")
}

pub(super) fn settled(fence: u64, answer: Answer) -> Settlement {
    let event = Event::Settled { fence, answer, draw: 0.5 };
    Settlement { event, answer: None, note: format!("{answer:?}") }
}

pub(super) fn handed_back(fence: u64) -> Settlement {
    let note = "handed back: the circuit opened".to_owned();
    Settlement { event: Event::HandedBack { fence }, answer: None, note }
}

/// An answer whose bytes are no text.
pub(super) fn answer(status: u16, at: WallTime) -> StoredAnswer {
    let headers = vec![("x-raw".to_owned(), vec![0xff, 0x00, b'\n'])];
    StoredAnswer {
        status,
        headers,
        body: vec![0, 159, 146, 150],
        at,
        truncated: true,
        sealed_by: None,
    }
}

/// Inserts, claims and resolves a letter, all at `seconds`.
pub(super) async fn resolve_one(letters: &dyn Letters, key: &str, seconds: i64) -> LetterId {
    let id = insert(letters, key, seconds).await;
    let fence = claim_one(letters, seconds).await.life.fence;
    letters.settle(id, settled(fence, Answer::Done), at(seconds)).await.unwrap();
    id
}

/// An operator, without a reason.
pub(super) fn ops() -> By {
    By::new("ops", "")
}

/// That for each circuit, letters captured = letters in all statuses + letters purged, and that the counts are those of
/// the letters that are here. Every conformance function ends with it.
pub async fn letters_are_conserved(letters: &dyn Letters) {
    let counts = letters.counts().await.unwrap();
    let mut here = std::collections::BTreeMap::<(String, Status), u64>::new();
    let mut query = Query::default();
    loop {
        let page = letters.list(query.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some(last.id);
        for summary in page {
            *here.entry((summary.circuit, summary.life.status)).or_default() += 1;
        }
    }
    let (mut captured, mut purged) = (0, 0);
    for (name, circuit) in &counts.circuits {
        let sum = circuit.by_status.values().sum::<u64>() + circuit.purged;
        assert_eq!(circuit.captured, sum, "circuit `{name}` lost or made letters: {circuit:?}");
        for status in Status::ALL {
            let listed = here.remove(&(name.clone(), status)).unwrap_or_default();
            assert_eq!(circuit.of(status), listed, "`{name}` miscounts {status}");
        }
        captured += circuit.captured;
        purged += circuit.purged;
    }
    assert!(here.is_empty(), "letters that no count knows: {here:?}");
    assert_eq!((counts.captured, counts.purged), (captured, purged));
}
