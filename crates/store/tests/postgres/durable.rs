//! What is acknowledged stays, whatever the server's own settings, limits and restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// What workers were told was done.
#[derive(Default)]
struct Done {
    captured: AtomicU64,
    settled: AtomicU64,
    over: AtomicBool,
}

impl Done {
    fn so_far(&self) -> (u64, u64) {
        (self.captured.load(Ordering::Relaxed), self.settled.load(Ordering::Relaxed))
    }
}

/// Captures and replays until it is over.
async fn work(store: Arc<Postgres>, worker: usize, done: Arc<Done>) {
    let note = |told: Result<(), StoreError>, count: &AtomicU64| match told {
        Ok(()) => drop(count.fetch_add(1, Ordering::Relaxed)),
        Err(error) => assert!(matches!(error, StoreError::Unavailable { .. }), "{error}"),
    };
    for n in 0.. {
        if done.over.load(Ordering::Relaxed) {
            return;
        }
        let draft = conformance::draft("payments", &format!("{worker} {n}"), NOW);
        note(store.insert(draft).await.map(|_| ()), &done.captured);
        for letter in store.claim("payments", 2, MINUTE, NOW).await.unwrap_or_default() {
            let fence = letter.life.fence;
            let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
            let settlement = Settlement { event, answer: None, note: String::new() };
            note(store.settle(letter.id, settlement, NOW).await.map(|_| ()), &done.settled);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_the_server_under_load_lose_nothing_and_miscount_nothing() {
    let mut server = Server::start("");
    let store = Arc::new(server.empty().await);
    let done = Arc::new(Done::default());
    let workers = (0..6).map(|n| tokio::spawn(work(store.clone(), n, done.clone())));
    let workers: Vec<_> = workers.collect();
    for restart in 0..4 {
        if restart > 0 {
            // A fast shutdown, after which the keeper starts it again.
            server.tell("INT");
            server.wait_until_ready();
        }
        let (before, begun) = (done.so_far(), Instant::now());
        while done.so_far().0 < before.0 + 10 || done.so_far().1 < before.1 + 5 {
            assert!(
                begun.elapsed() < MINUTE,
                "restart {restart}: {:?} as {before:?}",
                done.so_far()
            );
            tokio::time::sleep(Duration::from_millis(20)).await; // waits for: work being under way
        }
    }
    done.over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let (captured, settled) = done.so_far();
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
