//! Connections that are cut where it hurts: nobody can say whether the server has done what it was told.

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Draft, Inserted, Letters, Postgres, PostgresOptions, Settlement, StoreError, conformance,
};

use crate::proxy::{Cut, Proxy};
use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A store behind a proxy, and the same without one.
async fn behind_a_proxy() -> (Postgres, Proxy, Postgres) {
    let server = Server::shared();
    let proxy = Proxy::to(server.address()).await;
    let direct = server.options();
    let url = server.url().replace(&server.address().to_string(), &proxy.address.to_string());
    let store = Postgres::open(PostgresOptions { url, ..direct.clone() }).await.unwrap();
    (store, proxy, Postgres::open(direct).await.unwrap())
}

fn settlement(fence: u64) -> Settlement {
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    Settlement { event, answer: None, note: String::new() }
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_is_neither_acknowledged_nor_doubled() {
    let (there, back) = (Cut::OnTheWayThere, Cut::OnTheWayBack);
    let table = [
        // The line, where it is cut, whether the server has it.
        (None, there("the key"), false),
        (None, back("INSERT 0 1\0"), true),
        (Some("line"), there("the key"), false),
        (Some("line"), there("COMMIT\0"), false),
        (Some("line"), back("COMMIT\0"), true),
    ];
    for (line, cut, kept) in table {
        let (store, proxy, direct) = behind_a_proxy().await;
        store.insert(conformance::draft("payments", "before", NOW)).await.unwrap();
        let order_key = line.map(str::to_owned);
        let draft = Draft { order_key, ..conformance::draft("payments", "the key", NOW) };
        proxy.cut_at(cut);
        let answer = store.insert(draft.clone()).await;
        assert!(proxy.has_cut(), "{cut:?}");
        let error = answer.expect_err("nobody answered");
        assert!(error.outcome_is_unknown(), "{cut:?}: {error}");
        assert_eq!(direct.by_token(draft.token).await.unwrap().is_some(), kept, "{cut:?}");
        let again = store.insert(draft.clone()).await.unwrap();
        assert_eq!(matches!(again, Inserted::Same(_, token, _) if token == draft.token), kept);
        assert_eq!(direct.counts().await.unwrap().of(Status::Pending), 2, "{cut:?}");
    }
}

#[tokio::test]
async fn a_settle_whose_answer_is_lost_happened_once_or_not_at_all() {
    for (cut, done) in
        [(Cut::OnTheWayThere("COMMIT\0"), false), (Cut::OnTheWayBack("COMMIT\0"), true)]
    {
        let (store, proxy, direct) = behind_a_proxy().await;
        let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
        let fence = store.claim("payments", 1, MINUTE, NOW).await.unwrap()[0].life.fence;
        proxy.cut_at(cut);
        let error = store.settle(id, settlement(fence), NOW).await.expect_err("nobody answered");
        assert!(proxy.has_cut() && error.outcome_is_unknown(), "{error}");
        let status = direct.get(id).await.unwrap().unwrap().life.status;
        assert_eq!(status == Status::Resolved, done, "{cut:?}: {status:?}");
        let again = store.settle(id, settlement(fence), NOW).await;
        assert_eq!(again.is_err(), done, "{cut:?}: {again:?}");
        assert_eq!(direct.counts().await.unwrap().of(Status::Resolved), 1, "{cut:?}");
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_ends_with_its_lease() {
    let (store, proxy, direct) = behind_a_proxy().await;
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    proxy.cut_at(Cut::OnTheWayBack("COMMIT\0"));
    let claimed = store.claim("payments", 1, MINUTE, NOW).await;
    assert!(matches!(claimed, Err(StoreError::Unavailable { .. })), "{claimed:?}");
    assert!(direct.claim("payments", 1, MINUTE, NOW).await.unwrap().is_empty());
    let next = direct.claim("payments", 1, MINUTE, NOW + MINUTE).await.unwrap();
    assert_eq!((next[0].id, next[0].life.fence), (id, 2));
    // The one that never heard of its claim cannot settle with what it would have been.
    let late = store.settle(id, settlement(1), NOW + MINUTE).await;
    assert!(matches!(late, Err(StoreError::Fenced(_))), "{late:?}");
}

#[tokio::test]
async fn what_was_cut_before_it_was_said_is_said_again() {
    let (store, proxy, _direct) = behind_a_proxy().await;
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    proxy.cut_at(Cut::OnTheWayThere("BEGIN"));
    let claimed = store.claim("payments", 1, MINUTE, NOW).await.unwrap();
    assert!(proxy.has_cut());
    assert_eq!(claimed[0].id, id);
    proxy.cut_at(Cut::OnTheWayThere("BEGIN"));
    store.settle(id, settlement(1), NOW).await.unwrap();
    assert!(proxy.has_cut());
}
