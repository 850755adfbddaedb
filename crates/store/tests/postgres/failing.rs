//! A server that dies, hangs, or is not what it should be.

use std::time::{Duration, Instant};

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use fuseboard_store::{Letters, Postgres, PostgresOptions, Query, StoreError, conformance};

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_acknowledged_letter() {
    let mut server = Server::start("");
    let store = std::sync::Arc::new(server.empty().await);
    let mut writers = Vec::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0.. {
                let draft = conformance::draft("payments", &format!("{writer}-{n}"), NOW);
                match store.insert(draft).await {
                    Ok(inserted) => acknowledged.push(inserted.id()),
                    Err(StoreError::Unavailable { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            acknowledged
        }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // waits for: letters being captured
    server.tell("KILL");
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() > 8, "{} letters", acknowledged.len());
    let down = store.get(acknowledged[0]).await;
    assert!(matches!(down, Err(StoreError::Unavailable { .. })), "{down:?}");

    server.restart();
    for id in &acknowledged {
        assert!(store.get(*id).await.unwrap().is_some(), "{id} was acknowledged");
    }
    let counts = store.counts().await.unwrap();
    let page = store.list(Query { limit: 1_000_000, ..Query::default() }).await.unwrap();
    assert_eq!(counts.of(Status::Pending), page.len() as u64);
    assert!(page.len() >= acknowledged.len());
    store.insert(conformance::draft("payments", "after", NOW)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_is_unavailable_in_bounded_time_and_comes_back() {
    let mut server = Server::start("");
    let timeout = Duration::from_millis(500);
    let options = PostgresOptions { timeout, ..server.options() };
    let store = Postgres::open(options).await.unwrap();
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    server.tell("STOP");
    for _ in 0..2 {
        let begun = Instant::now();
        let (read, inserted, claimed) = tokio::join!(
            store.get(id),
            store.insert(conformance::draft("payments", "late", NOW)),
            store.claim("payments", 1, timeout, NOW),
        );
        let answers = [read.map(drop), inserted.map(drop), claimed.map(drop)];
        for answer in answers {
            assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
        }
        assert!(begun.elapsed() < timeout * 6, "{:?}", begun.elapsed());
    }
    server.tell("CONT");
    let begun = Instant::now();
    while store.get(id).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not come back");
    }
    store.insert(conformance::draft("payments", "after", NOW)).await.unwrap();
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew_without_anybody_noticing() {
    let server = Server::start("");
    let store = server.empty().await;
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let client = server.client().await;
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'fuseboard'";
    client.execute(cut, &[]).await.unwrap();
    assert!(store.get(id).await.unwrap().is_some());
    store.insert(conformance::draft("payments", "other", NOW)).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_waits_for_a_lock_ends_in_bounded_time() {
    let server = Server::shared();
    let options = PostgresOptions { timeout: Duration::from_millis(300), ..server.options() };
    let schema = options.schema.clone();
    let store = Postgres::open(options).await.unwrap();
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let client = server.client().await;
    client.batch_execute(&format!("BEGIN; LOCK TABLE {schema}.letters")).await.unwrap();
    let read = store.get(id).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    let inserted = store.insert(conformance::draft("payments", "other", NOW)).await;
    assert!(matches!(inserted, Err(StoreError::Unavailable { .. })), "{inserted:?}");
    assert!(!inserted.unwrap_err().outcome_is_unknown(), "the server said that it wrote nothing");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(store.get(id).await.unwrap().is_some());
    assert_eq!(store.counts().await.unwrap().captured, 1);
}

#[tokio::test]
async fn one_call_that_the_server_refuses_does_not_spoil_those_it_shares_a_commit_with() {
    let store = Server::shared().empty().await;
    // Names of circuits are part of an index, whose entries have a limit, and do not compress well here.
    let mut noise = String::new();
    let mut state = 1_u64;
    for _ in 0..20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.push(char::from(b'!' + (state >> 33) as u8 % 90));
    }
    let inserts = (0..20).map(|n| {
        let circuit = if n == 7 { noise.as_str() } else { "payments" };
        store.insert(conformance::draft(circuit, &n.to_string(), NOW))
    });
    let inserted = futures_util::future::join_all(inserts).await;
    for (n, inserted) in inserted.into_iter().enumerate() {
        assert_eq!(inserted.is_err(), n == 7, "{n}: {inserted:?}");
    }
    assert_eq!(store.counts().await.unwrap().captured, 19);
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let server = Server::shared();
    let options = server.options();
    assert!(!format!("{options:?} {options:#?}").contains("secret"));
    let store = Postgres::open(options).await.unwrap();
    assert!(!format!("{store:?}").contains("secret"));
    let wrong = server.url().replace("secret", "hush-hush");
    let urls =
        [wrong.clone(), wrong.replace("@127", "@127.0.0.1.hush-hush:x"), "hush-hush".to_owned()];
    for url in urls {
        let refused = Postgres::open(PostgresOptions { url, ..server.options() }).await;
        let error = refused.expect_err("it is not the password");
        let mut said = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            said.push_str(&format!("{error} {error:?}"));
            cause = error.source();
        }
        assert!(!said.contains("hush-hush"), "{said}");
    }
}
