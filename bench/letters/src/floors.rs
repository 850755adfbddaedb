//! The floors: what the disk and the database give who asks for nothing but that rows are safe.
//!
//! Each has one table of six columns with no index but its key, no deduplication, no history, no counts.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use fuseboard_store::Draft;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, Statement};

use crate::drive::Failure;
use crate::server::Server;

/// Keeps a letter and returns when it is safe.
pub(crate) type Capture =
    Arc<dyn Fn(Draft) -> BoxFuture<'static, Result<u64, Failure>> + Send + Sync>;

/// Rows that share one commit at most: as many as in the stores.
pub(crate) const GROUP: usize = 256;

/// Connections that rows are written through one by one: as many as the store has.
const CONNECTIONS: usize = 8;

const QUEUE: usize = 1024;

const HEADERS: &[u8] = b"accept: */*";

type Row = (Draft, oneshot::Sender<()>);

/// A table in SQLite, one commit for up to `group` rows.
pub(crate) fn sqlite(file: &Path, group: usize) -> Result<Capture, Failure> {
    let connection = Connection::open(file)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE bare (id INTEGER PRIMARY KEY, circuit TEXT, uri TEXT, key TEXT, headers BLOB, body BLOB)",
    )?;
    let (sender, rows) = mpsc::channel(QUEUE);
    // It ends with the senders; an error shows in that nobody answers.
    thread::spawn(move || write_to_sqlite(&connection, rows, group));
    Ok(through(sender))
}

fn write_to_sqlite(
    connection: &Connection,
    mut rows: mpsc::Receiver<Row>,
    group: usize,
) -> rusqlite::Result<()> {
    let mut gathered: Vec<Row> = Vec::with_capacity(group);
    let mut insert = connection.prepare(
        "INSERT INTO bare (circuit, uri, key, headers, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    while rows.blocking_recv_many(&mut gathered, group) > 0 {
        begin.execute([])?;
        for (draft, _) in &gathered {
            insert.execute((&draft.circuit, &draft.uri, &draft.key, HEADERS, &draft.body))?;
        }
        commit.execute([])?;
        answer(&mut gathered);
    }
    Ok(())
}

const TABLE: &str = "(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, circuit text, uri text, key text, headers bytea, body bytea)";

/// A table in PostgreSQL, one commit for each row, over as many connections as the store has.
pub(crate) async fn postgres_rows(server: &Server) -> Result<Capture, Failure> {
    let first = server.client().await;
    first.batch_execute(&format!("CREATE TABLE bare_rows {TABLE}")).await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = server.client().await;
        let insert = client
            .prepare("INSERT INTO bare_rows (circuit, uri, key, headers, body) VALUES ($1, $2, $3, $4, $5)")
            .await?;
        connections.push((client, insert));
    }
    let (free, taken) = async_queue(connections).await?;
    Ok(Arc::new(move |draft| {
        let (free, taken) = (free.clone(), taken.clone());
        Box::pin(async move {
            let next = taken.lock().await.recv().await;
            let (client, insert) = next.ok_or("the connections are gone")?;
            let Draft { circuit, uri, key, body, .. } = &draft;
            let written = client.execute(&insert, &[circuit, uri, key, &HEADERS, body]).await;
            free.send((client, insert)).await.map_err(|_| "the connections are gone")?;
            Ok(written?)
        })
    }))
}

type Connections = (
    mpsc::Sender<(Client, Statement)>,
    Arc<tokio::sync::Mutex<mpsc::Receiver<(Client, Statement)>>>,
);

/// A pool: who needs one waits until one is free.
async fn async_queue(connections: Vec<(Client, Statement)>) -> Result<Connections, Failure> {
    let (free, taken) = mpsc::channel(connections.len());
    for connection in connections {
        free.send(connection).await.map_err(|_| "the connections are gone")?;
    }
    Ok((free, Arc::new(tokio::sync::Mutex::new(taken))))
}

/// A table in PostgreSQL, one statement for as many rows as have gathered.
pub(crate) async fn postgres_groups(server: &Server) -> Result<Capture, Failure> {
    let client = server.client().await;
    client.batch_execute(&format!("CREATE TABLE bare_groups {TABLE}")).await?;
    let insert = client
        .prepare(
            "INSERT INTO bare_groups (circuit, uri, key, headers, body)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])",
        )
        .await?;
    let (sender, rows) = mpsc::channel(QUEUE);
    // It ends with the senders; an error shows in that nobody answers.
    tokio::spawn(write_to_postgres(client, insert, rows));
    Ok(through(sender))
}

async fn write_to_postgres(
    client: Client,
    insert: Statement,
    mut rows: mpsc::Receiver<Row>,
) -> Result<(), tokio_postgres::Error> {
    let mut gathered: Vec<Row> = Vec::with_capacity(GROUP);
    while rows.recv_many(&mut gathered, GROUP).await > 0 {
        let text = |column: fn(&Draft) -> &str| -> Vec<&str> {
            gathered.iter().map(|(draft, _)| column(draft)).collect()
        };
        let circuits = text(|draft| &draft.circuit);
        let (uris, keys) = (text(|draft| &draft.uri), text(|draft| &draft.key));
        let headers = vec![HEADERS; gathered.len()];
        let bodies: Vec<&[u8]> = gathered.iter().map(|(draft, _)| &draft.body[..]).collect();
        client.execute(&insert, &[&circuits, &uris, &keys, &headers, &bodies]).await?;
        answer(&mut gathered);
    }
    Ok(())
}

/// A capture that hands its row to a writer and waits for the answer.
fn through(sender: mpsc::Sender<Row>) -> Capture {
    Arc::new(move |draft| {
        let sender = sender.clone();
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            sender.send((draft, reply)).await.map_err(|_| "a floor has ended")?;
            answer.await.map_err(|_| "a floor has failed")?;
            Ok(1)
        })
    })
}

fn answer(gathered: &mut Vec<Row>) {
    for (_, reply) in gathered.drain(..) {
        // A caller who has gone does not hear of it.
        let _ = reply.send(());
    }
}
