//! That a claim costs the same however much has been before it.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event};
use fuseboard_core::time::{ManualClock, WallTime};
use fuseboard_store::{
    Audit, AuditQuery, By, ClaimFilter, Draft, LetterId, Letters, Postgres, PostgresOptions,
    Priority, Query, Settlement, conformance,
};
use futures_util::future::join_all;
use tokio_postgres::Client;

use crate::server::Server;

const MINUTE: Duration = Duration::from_secs(60);

/// The rows and the entries of indexes that were read in `schema` so far, dead ones included.
async fn read_so_far(client: &Client, schema: &str) -> i64 {
    let reads = "SELECT (SUM(seq_tup_read) + (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = $1))::bigint
         FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'letters'";
    client.query_one(reads, &[&schema]).await.unwrap().get(0)
}

/// What was read once the store has closed: its connections say so when they end.
async fn read_in_all(store: Postgres, client: &Client, schema: &str) -> i64 {
    store.close().await.unwrap();
    let mut last = -1;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await; // waits for: the server's statistics
        let now = read_so_far(client, schema).await;
        if now == last {
            return now;
        }
        last = now;
    }
}

async fn churn(store: &Postgres, letters: i64) {
    for n in 0..letters {
        let now = WallTime::from_unix_millis(1_000 + n);
        store.insert(conformance::draft("payments", &n.to_string(), now)).await.unwrap();
        let claimed = store.claim("payments", 1, MINUTE, now).await.unwrap();
        let fence = claimed[0].life.fence;
        store.settle(claimed[0].id, done(fence), now).await.unwrap();
    }
}

fn done(fence: u64) -> Settlement {
    let event = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
    Settlement { event, answer: None, note: String::new() }
}

#[tokio::test]
async fn claims_do_not_pass_over_all_that_was_claimed_before_while_a_snapshot_is_held() {
    // A server of its own: a snapshot keeps the dead rows of all databases of a server.
    let server = Server::start("");
    // Nor does it look from the bottom again when its clock stands still.
    let clock = Arc::new(ManualClock::new());
    let options = PostgresOptions { clock, ..server.options() };
    let (client, snapshot) = (server.client().await, server.client().await);
    let store = Postgres::open(options.clone()).await.unwrap();
    let hold = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class";
    snapshot.batch_execute(hold).await.unwrap();
    let letters = 1_500;
    churn(&store, letters).await;
    let read = read_in_all(store, &client, &options.schema).await;
    // A claim that began at the bottom would read half of all that was ever claimed, on average.
    let per_letter = read / letters;
    assert!(read > letters, "something was measured");
    assert!(per_letter < 40, "{per_letter} entries read for each letter");
}

#[tokio::test]
async fn every_question_is_answered_by_an_index() {
    let server = Server::shared();
    let options = server.options();
    let store = Postgres::open(options.clone()).await.unwrap();
    churn(&store, 50).await;
    store.next_due("payments").await.unwrap();
    store.counts().await.unwrap();
    let query = Query { circuit: Some("payments".to_owned()), ..Query::default() };
    store.list(query).await.unwrap();
    store.list(Query::default()).await.unwrap();
    store.export(Query::default()).await.unwrap();
    let now = WallTime::from_unix_millis(5_000);
    let draft = Draft {
        order_key: Some("customer-7".to_owned()),
        sla_deadline: Some(now),
        ..conformance::draft("payments", "late", now)
    };
    store.insert(draft).await.unwrap();
    store.first_in_line("payments", "customer-7").await.unwrap().expect("it was just inserted");
    assert_eq!(store.late(now).await.unwrap().len(), 1);
    assert_eq!(store.raise_late(Priority::Critical, now, 9).await.unwrap(), 1);
    let claimed = store.claim_by(ClaimFilter::default(), MINUTE, now).await.unwrap();
    store.settle(claimed[0].id, done(claimed[0].life.fence), now).await.unwrap();
    store.act(LetterId(1), Event::Discard, By::system(""), now).await.unwrap_err();
    let subject = Some("letter/1".to_owned());
    for query in [AuditQuery { subject, ..AuditQuery::default() }, AuditQuery::default()] {
        store.records(query).await.unwrap();
    }
    store.purge_records(now, 9).await.unwrap();
    store.purge(WallTime::from_unix_millis(2_000), 10).await.unwrap();
    let client = server.client().await;
    read_in_all(store, &client, &options.schema).await;
    let scans = "SELECT relname, seq_tup_read FROM pg_stat_user_tables
         WHERE schemaname = $1 AND relname IN ('letters', 'contents', 'answers', 'errors', 'history', 'audit')";
    let tables = client.query(scans, &[&options.schema]).await.unwrap();
    assert_eq!(tables.len(), 6);
    for table in tables {
        let (name, read): (String, i64) = (table.get(0), table.get(1));
        assert_eq!(read, 0, "{name} was read from end to end");
    }
}

#[tokio::test]
async fn a_claim_by_filter_reads_little_however_many_letters_it_does_not_want() {
    let server = Server::shared();
    let options = server.options();
    let store = Postgres::open(options.clone()).await.unwrap();
    let now = WallTime::from_unix_millis(1_000);
    let letter = |n: usize| Draft {
        domain: ["wanted", "other", "third"][n % 3].to_owned(),
        order_key: (n % 3 == 2).then(|| "one long line".to_owned()),
        sla_deadline: Some(now + MINUTE),
        ..conformance::draft("payments", &n.to_string(), now)
    };
    for n in 0..10 {
        join_all((n * 300..n * 300 + 300).map(|n| store.insert(letter(n)))).await;
    }
    let client = server.client().await;
    let before = read_in_all(store, &client, &options.schema).await;
    let store = Postgres::open(options.clone()).await.unwrap();
    let claims = 50;
    for _ in 0..claims {
        let domain = Some("wanted".to_owned());
        let filter = ClaimFilter { domain, ..ClaimFilter::default() };
        assert_eq!(store.claim_by(filter, MINUTE, now).await.unwrap().len(), 1);
        assert_eq!(store.raise_late(Priority::Critical, now, 9).await.unwrap(), 0);
    }
    let read = read_in_all(store, &client, &options.schema).await - before;
    let per_claim = read / claims;
    assert!(read > claims, "something was measured");
    assert!(per_claim < 400, "{per_claim} entries read for each claim, of 3,000");
}
