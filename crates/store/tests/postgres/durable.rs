//! What is acknowledged stays, whatever the server's own settings, limits and restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fuseboard_core::letter::{Answer, Event, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{
    Audit, AuditQuery, FullReason, Letters, Postgres, PostgresOptions, Query, Settlement,
    StoreError, conformance,
};
use futures_util::future::join_all;

use crate::server::Server;

const NOW: WallTime = WallTime::from_unix_millis(1_000);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_server_that_commits_without_waiting_for_its_disk_waits_for_it_here() {
    // Without waiting, what was committed within the last ten seconds would go with the processes.
    let mut server = Server::start("-c synchronous_commit=off -c wal_writer_delay=10s");
    let store = server.empty().await;
    let inserts = (0..20).map(|n| store.insert(conformance::draft("a", &n.to_string(), NOW)));
    let inserted: Result<Vec<_>, _> = join_all(inserts).await.into_iter().collect();
    let claimed = store.claim("a", 1, MINUTE, NOW).await.unwrap();
    server.tell("KILL");
    server.restart();
    for inserted in inserted.unwrap() {
        assert!(store.get(inserted.id()).await.unwrap().is_some(), "{}", inserted.id());
    }
    let kept = store.get(claimed[0].id).await.unwrap().unwrap();
    assert_eq!(kept.life.fence, 1);
}

#[tokio::test]
async fn a_server_that_never_waits_for_its_disk_is_refused() {
    let server = Server::start("-c fsync=off");
    let refused = Postgres::open(server.options()).await;
    let Err(StoreError::Misconfigured { problem }) = refused else { panic!("{refused:?}") };
    assert!(problem.contains("fsync = off"), "{problem}");
}

#[tokio::test]
async fn a_disk_that_is_full_takes_nothing_and_is_used_again_when_it_has_room() {
    let server = Server::shared();
    let options = server.options();
    let store = Postgres::open(options.clone()).await.unwrap();
    let client = server.client().await;
    // What the server says when a file cannot grow.
    let full = format!(
        "CREATE FUNCTION {0}.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
         END $$;
         CREATE TRIGGER no_room BEFORE INSERT ON {0}.letters EXECUTE FUNCTION {0}.no_room()",
        options.schema
    );
    client.batch_execute(&full).await.unwrap();
    let insert = |n: i32| store.insert(conformance::draft("payments", &n.to_string(), NOW));
    for refused in join_all((0..30).map(insert)).await {
        let disk = matches!(refused, Err(StoreError::Full { reason: FullReason::Disk }));
        assert!(disk, "{refused:?}");
    }
    client
        .batch_execute(&format!("DROP TRIGGER no_room ON {}.letters", options.schema))
        .await
        .unwrap();
    for inserted in join_all((0..30).map(insert)).await {
        inserted.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().captured, 30);
}

#[tokio::test]
async fn captures_and_settles_go_on_while_all_who_read_wait() {
    let server = Server::shared();
    let options = PostgresOptions { connections: 4, ..server.options() };
    let schema = options.schema.clone();
    let store = Arc::new(Postgres::open(options).await.unwrap());
    // So that all connections are there: a new one asks about all tables.
    join_all((0..8).map(|_| store.claim("payments", 1, MINUTE, NOW))).await;
    let client = server.client().await;
    client.batch_execute(&format!("BEGIN; LOCK TABLE {schema}.audit")).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..10 {
        let store = store.clone();
        readers.push(tokio::spawn(async move { store.records(AuditQuery::default()).await }));
    }
    tokio::task::yield_now().await;
    let begun = Instant::now();
    let id = store.insert(conformance::draft("payments", "k", NOW)).await.unwrap().id();
    let fence = store.claim("payments", 1, MINUTE, NOW).await.unwrap()[0].life.fence;
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    let settlement = Settlement { event, answer: None, note: String::new() };
    store.settle(id, settlement, NOW).await.unwrap();
    assert!(readers.iter().all(|reader| !reader.is_finished()), "{:?}", begun.elapsed());
    client.batch_execute("ROLLBACK").await.unwrap();
    for reader in readers {
        reader.await.unwrap().unwrap();
    }
}

/// Captures and replays until told to stop; what it was told of, which must then be true.
async fn work(store: Arc<Postgres>, worker: usize, end: Arc<AtomicBool>) -> (u64, u64) {
    let (mut captured, mut settled) = (0, 0);
    let may_fail = |error: StoreError| {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    };
    for n in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        let draft = conformance::draft("payments", &format!("{worker} {n}"), NOW);
        match store.insert(draft).await {
            Ok(_) => captured += 1,
            Err(error) => may_fail(error),
        }
        for letter in store.claim("payments", 2, MINUTE, NOW).await.unwrap_or_default() {
            let event =
                Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
            let settlement = Settlement { event, answer: None, note: String::new() };
            match store.settle(letter.id, settlement, NOW).await {
                Ok(_) => settled += 1,
                Err(error) => may_fail(error),
            }
        }
    }
    (captured, settled)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_the_server_under_load_lose_nothing_and_miscount_nothing() {
    let mut server = Server::start("");
    let store = Arc::new(server.empty().await);
    let end = Arc::new(AtomicBool::new(false));
    let workers = (0..6).map(|n| tokio::spawn(work(store.clone(), n, end.clone())));
    let workers: Vec<_> = workers.collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await; // waits for: work being under way
        // A fast shutdown, after which the keeper starts it again.
        server.tell("INT");
        server.wait_until_ready();
    }
    end.store(true, Ordering::Relaxed);
    let (mut captured, mut settled) = (0, 0);
    for worker in workers {
        let (more, done) = worker.await.unwrap();
        (captured, settled) = (captured + more, settled + done);
    }
    assert!(captured > 20 && settled > 20, "{captured} captured, {settled} settled");
    let counts = store.counts().await.unwrap();
    // Some more may have been committed when the connection was cut.
    assert!((captured..captured + 100).contains(&counts.captured), "{captured} {counts:?}");
    assert!(
        (settled..settled + 100).contains(&counts.of(Status::Resolved)),
        "{settled} {counts:?}"
    );
    for status in Status::ALL {
        let query = Query { status: Some(status), limit: 1_000_000, ..Query::default() };
        let letters = store.list(query).await.unwrap().len() as u64;
        assert_eq!(letters, counts.of(status), "{status:?}");
    }
}
