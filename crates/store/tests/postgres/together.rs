//! Calls that come together share a commit, and nothing else.

use fuseboard_core::letter::Event;
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    By, Draft, Inserted, LetterId, Letters, Postgres, PostgresOptions, StoreError, conformance,
};
use futures_util::future::join_all;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

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
