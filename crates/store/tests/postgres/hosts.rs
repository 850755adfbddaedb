//! Servers that are elsewhere than they were, or take no writes.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use fuseboard_store::{Letters, Postgres, PostgresOptions, StoreError, conformance};

use futures_util::future::join_all;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

#[tokio::test]
async fn of_several_hosts_one_that_does_not_answer_is_passed_over() {
    let server = Server::shared();
    // It lets in whoever comes, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for other in [silent.local_addr().unwrap(), closed] {
        let (url, timeout) = (server.url_after(other), Duration::from_secs(4));
        let options = PostgresOptions { url, timeout, ..server.options() };
        let store = Postgres::open(options).await.unwrap();
        let begun = Instant::now();
        let insert = |n: i32| store.insert(conformance::draft("payments", &n.to_string(), NOW));
        for inserted in join_all((0..4).map(insert)).await {
            inserted.unwrap();
        }
        assert!(begun.elapsed() < timeout, "it goes to the one that answered before");
    }
}

#[tokio::test]
async fn a_socket_in_the_file_system_will_do() {
    let server = Server::shared();
    for mode in ["prefer", "disable"] {
        let url = format!("{}?sslmode={mode}", server.url_of_its_socket());
        let store = Postgres::open(PostgresOptions { url, ..server.options() }).await.unwrap();
        store.insert(conformance::draft("payments", "k", NOW)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_refused_until_it_takes_over_and_then_has_all_that_was_acknowledged() {
    let mut primary = Server::start("");
    let standby = primary.standby();
    let client = primary.client().await;
    for statement in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"]
    {
        client.batch_execute(statement).await.unwrap();
    }
    let both = standby.url_after(primary.address());
    let store = Postgres::open(PostgresOptions { url: both, ..primary.options() }).await.unwrap();
    let only_standby = PostgresOptions { url: standby.url(), ..primary.options() };
    let refused = Postgres::open(only_standby).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");

    let store = Arc::new(store);
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0.. {
                let draft = conformance::draft("payments", &format!("{writer}-{n}"), NOW);
                match store.insert(draft).await {
                    Ok(inserted) => acknowledged.push(inserted.id()),
                    Err(StoreError::Unavailable { .. }) => return acknowledged,
                    Err(other) => panic!("{other}"),
                }
            }
            acknowledged
        }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // waits for: letters being captured
    primary.tell("KILL");
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() > 4, "{} letters", acknowledged.len());
    let taken_over = standby.client().await.query_one("SELECT pg_promote()", &[]).await.unwrap();
    assert!(taken_over.get::<_, bool>(0));
    for id in &acknowledged {
        assert!(store.get(*id).await.unwrap().is_some(), "{id} was acknowledged");
    }
    store.insert(conformance::draft("payments", "after", NOW)).await.unwrap();
    assert!(store.counts().await.unwrap().of(Status::Pending) > acknowledged.len() as u64);
}
