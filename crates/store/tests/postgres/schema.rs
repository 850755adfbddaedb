//! Which schemas are taken, which are refused, and how new ones come to be.

use std::time::Duration;

use fuseboard_core::time::WallTime;
use fuseboard_store::{Letters, Postgres, PostgresOptions, StoreError, conformance};

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);

#[tokio::test]
async fn a_schema_that_is_there_is_opened_with_all_that_is_in_it() {
    let options = Server::shared().options();
    let store = Postgres::open(options.clone()).await.unwrap();
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let before = store.get(id).await.unwrap();
    store.close().await.unwrap();
    let store = Postgres::open(options).await.unwrap();
    assert_eq!(store.get(id).await.unwrap(), before);
    assert_eq!(store.counts().await.unwrap().captured, 1);
}

#[tokio::test]
async fn nodes_that_start_together_on_an_empty_database_all_come_up() {
    let options = Server::shared().options();
    let open = || Postgres::open(options.clone());
    let (a, b, c) = tokio::join!(open(), open(), open());
    for store in [a, b, c] {
        store.unwrap().insert(conformance::draft("payments", "k", NOW)).await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let options = Server::shared().options();
    drop(Postgres::open(options.clone()).await.unwrap());
    let client = Server::shared().client().await;
    let newer = format!("UPDATE {}.fuseboard SET version = 99", options.schema);
    client.batch_execute(&newer).await.unwrap();
    match Postgres::open(options.clone()).await {
        Err(StoreError::Newer { found: 99, known: 1, path }) => {
            assert!(path.to_string_lossy().contains(&options.schema), "{path:?}");
        }
        other => panic!("not refused as newer: {other:?}"),
    }
}

#[tokio::test]
async fn a_node_that_is_left_behind_while_it_runs_makes_no_new_connections() {
    let server = Server::start("");
    let options = server.options();
    let store = Postgres::open(options.clone()).await.unwrap();
    let client = server.client().await;
    let newer = format!("UPDATE {}.fuseboard SET version = 99", options.schema);
    client.batch_execute(&newer).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'fuseboard'";
    client.execute(cut, &[]).await.unwrap();
    let refused = store.insert(conformance::draft("payments", "k", NOW)).await;
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_left_alone() {
    let table = [
        "CREATE TABLE {s}.invoices (id int)",
        "CREATE TABLE {s}.fuseboard (version text); INSERT INTO {s}.fuseboard VALUES ('one')",
        "CREATE TABLE {s}.fuseboard (version int)",
        "CREATE TABLE {s}.fuseboard (n int)",
        "CREATE TABLE {s}.fuseboard (version int); INSERT INTO {s}.fuseboard VALUES (-1)",
        "CREATE TABLE {s}.fuseboard (version int); INSERT INTO {s}.fuseboard VALUES (1)",
        "CREATE TABLE {s}.fuseboard (version int); INSERT INTO {s}.fuseboard VALUES (1);
         CREATE TABLE {s}.letters (id text); CREATE TABLE {s}.contents (id text)",
    ];
    let client = Server::shared().client().await;
    for garbage in table {
        let options = Server::shared().options();
        let schema = &options.schema;
        let garbage = garbage.replace("{s}", schema);
        client.batch_execute(&format!("CREATE SCHEMA {schema}; {garbage}")).await.unwrap();
        let names =
            format!("SELECT count(*) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace");
        let before: i64 = client.query_one(&names, &[]).await.unwrap().get(0);
        let refused = Postgres::open(options.clone()).await;
        assert!(matches!(refused, Err(StoreError::NotOurs { .. })), "{garbage}: {refused:?}");
        let after: i64 = client.query_one(&names, &[]).await.unwrap().get(0);
        assert_eq!(before, after, "{garbage}");
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_named() {
    let options = Server::shared().options();
    let schemas = ["", "Caps", "a b", "a\"; DROP SCHEMA public; --"];
    let bad_schemas =
        schemas.map(|schema| PostgresOptions { schema: schema.to_owned(), ..options.clone() });
    let bad_urls = ["", "mysql://x", "postgresql://127.0.0.1/x?sslmode=maybe"]
        .map(|url| PostgresOptions { url: url.to_owned(), ..options.clone() });
    let bad_timeout = PostgresOptions { timeout: Duration::ZERO, ..options.clone() };
    for options in bad_schemas.into_iter().chain(bad_urls).chain([bad_timeout]) {
        let refused = Postgres::open(options.clone()).await;
        assert!(matches!(refused, Err(StoreError::Misconfigured { .. })), "{options:?}");
    }
}
