//! Calls that come together share a commit, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::Event;
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    By, Draft, Inserted, LetterId, Letters, Postgres, PostgresOptions, StoreError, conformance,
};
use futures_util::future::join_all;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

async fn open(options: &PostgresOptions) -> Arc<Postgres> {
    Arc::new(Postgres::open(options.clone()).await.unwrap())
}

fn letter(key: impl ToString) -> Draft {
    conformance::draft("payments", &key.to_string(), NOW)
}

/// In how many transactions the letters of `schema` were last written.
async fn transactions(schema: &str) -> i64 {
    let client = Server::shared().client().await;
    let count = format!("SELECT count(DISTINCT xmin::text) FROM {schema}.letters");
    client.query_one(&count, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn calls_that_come_together_share_a_commit() {
    let options = Server::shared().options();
    let store = Postgres::open(options.clone()).await.unwrap();
    let inserted = join_all((0..200).map(|n| store.insert(letter(n)))).await;
    let ids: Vec<LetterId> = inserted.into_iter().map(|inserted| inserted.unwrap().id()).collect();
    assert!(transactions(&options.schema).await <= 4);
    let act = |id: &LetterId| store.act(*id, Event::SetAside, By::system(""), NOW);
    for answer in join_all(ids.iter().map(act)).await {
        answer.unwrap();
    }
    assert!(transactions(&options.schema).await <= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_bring_the_same_keys_in_opposite_order_do_not_wait_in_a_circle() {
    // A server of its own: it counts its deadlocks. Each would be found after a second at the earliest.
    let server = Server::start("");
    let options = server.options();
    let (first, second) = (open(&options).await, open(&options).await);
    for round in 0..40 {
        let group = |store: Arc<Postgres>, backwards: bool| async move {
            let key = |n: i32| format!("{round} {}", if backwards { 99 - n } else { n });
            let inserts = (0..100).map(|n| store.insert(letter(key(n))));
            let inserted: Result<Vec<_>, _> = join_all(inserts).await.into_iter().collect();
            assert_eq!(inserted.unwrap().len(), 100);
        };
        let (a, b) = (group(first.clone(), false), group(second.clone(), true));
        let (a, b) = tokio::join!(tokio::spawn(a), tokio::spawn(b));
        a.and(b).unwrap();
    }
    assert_eq!(first.counts().await.unwrap().captured, 4_000);
    drop((first, second));
    let deadlocks = "SELECT sum(deadlocks)::bigint FROM pg_stat_database";
    let client = server.client().await;
    tokio::time::sleep(Duration::from_secs(1)).await; // waits for: the server's statistics
    let deadlocks: i64 = client.query_one(deadlocks, &[]).await.unwrap().get(0);
    assert_eq!(deadlocks, 0);
}

#[tokio::test]
async fn letters_are_numbered_in_the_order_in_which_they_came() {
    let store = Server::shared().empty().await;
    // So few are polled in order.
    let inserted = join_all((0..25).map(|n| store.insert(letter(n)))).await;
    let ids: Vec<_> = inserted.into_iter().map(|inserted| inserted.unwrap().id()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn each_of_the_calls_that_share_a_commit_has_its_own_answer() {
    for capacity in [None, Some(1_000)] {
        let options = PostgresOptions { capacity, ..Server::shared().options() };
        let store = Postgres::open(options).await.unwrap();
        let old = store.insert(letter("old")).await.unwrap();
        let token = letter("x").token;
        let drafts = vec![
            letter("new"),
            letter("new"),
            Draft { body: b"other".to_vec(), ..letter("new") },
            letter("old"),
            Draft { body: b"other".to_vec(), ..letter("old") },
            Draft { token, ..letter("first") },
            Draft { token, ..letter("second") },
            Draft { token: old.token(), ..letter("third") },
            letter("last"),
        ];
        let tokens: Vec<_> = drafts.iter().map(|draft| draft.token).collect();
        let answers = join_all(drafts.into_iter().map(|draft| store.insert(draft))).await;
        let new = |place: usize| match &answers[place] {
            Ok(Inserted::New(id, token)) if *token == tokens[place] => *id,
            other => panic!("{place} is not new: {other:?}"),
        };
        let [first, _, last] = [new(0), new(5), new(8)];
        assert!(first < last);
        let same = |place: usize, id| matches!(&answers[place], Ok(Inserted::Same(same, ..)) if *same == id);
        let reused = |place: usize, id| matches!(&answers[place], Err(StoreError::KeyReused { existing, .. }) if *existing == id);
        let taken = |place: usize| matches!(&answers[place], Err(StoreError::TokenTaken));
        assert!(same(1, first) && same(3, old.id()), "{answers:?}");
        assert!(reused(2, first) && reused(4, old.id()), "{answers:?}");
        assert!(taken(6) && taken(7), "{answers:?}");
        assert_eq!(store.counts().await.unwrap().captured, 4);
    }
}

#[tokio::test]
async fn a_full_store_takes_no_more_of_a_group_than_there_is_room_for() {
    let options = PostgresOptions { capacity: Some(3), ..Server::shared().options() };
    let store = Postgres::open(options).await.unwrap();
    let answers = join_all((0..5).map(|n| store.insert(letter(n)))).await;
    let full = |answer: &&Result<Inserted, _>| matches!(answer, Err(StoreError::Full { .. }));
    assert_eq!(answers.iter().filter(full).count(), 2, "{answers:?}");
    assert_eq!(store.counts().await.unwrap().captured, 3);
}

#[tokio::test]
async fn what_is_said_of_one_letter_at_once_happens_in_order() {
    let store = Server::shared().empty().await;
    let id = store.insert(letter("k")).await.unwrap().id();
    let act = |event| store.act(id, event, By::system(""), NOW);
    let events = [Event::SetAside, Event::Requeue, Event::SetAside, Event::Discard, Event::Requeue];
    let answers = join_all(events.map(act)).await;
    let fences: Vec<_> = answers.iter().flatten().map(|life| life.fence).collect();
    assert_eq!(fences, [1, 2, 3, 4]);
    assert!(matches!(answers[4], Err(StoreError::Refused(_))), "{:?}", answers[4]);
    assert_eq!(store.history(id).await.unwrap().len(), 5);
}
