//! How nodes tell one another that there is work: one connection that listens and notifies.
//!
//! A notification is sent after the commit that it is about, in a transaction of its own: PostgreSQL lets only one
//! transaction that notifies commit at a time, which would undo the sharing of commits. What is lost on the way costs
//! time only: whoever replays looks again by themselves.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Notification, SimpleQueryMessage};

use super::fault::Fault;
use super::floor::Floors;
use super::query::CIRCUITS;
use super::schema::quoted;
use super::session::Link;
use super::text::{escape, unescape};

/// Notifications gather for so long, one for each circuit.
const GATHERED: Duration = Duration::from_millis(10);

/// How often the clocks are compared, and with that the connection tried.
const CHECKED: Duration = Duration::from_secs(5);

/// How long to wait before listening again.
const AGAIN: Duration = Duration::from_secs(1);

/// Payloads must be shorter than this, in bytes.
const LONGEST: usize = 8_000;

/// What is to be told to other nodes: for each circuit, when a letter of it is due first, by the server's clock. However
/// long the connection is down, it grows no longer than there are circuits.
#[derive(Default)]
pub(crate) struct News {
    due: Mutex<BTreeMap<String, i64>>,
    any: Notify,
}

impl News {
    pub(crate) fn add(&self, circuit: &str, at: i64) {
        let mut due = self.due();
        match due.get_mut(circuit) {
            Some(first) => *first = at.min(*first),
            None => drop(due.insert(circuit.to_owned(), at)),
        }
        drop(due);
        self.any.notify_one();
    }

    fn due(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who wants to know of work that came from elsewhere.
pub(crate) type Ring = Arc<dyn Fn(&str) + Send + Sync>;

/// Everybody who wants to know.
#[derive(Default)]
pub(crate) struct Rings(Mutex<Vec<Ring>>);

impl Rings {
    pub(crate) fn add(&self, ring: Ring) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ring);
    }

    fn ring(&self, circuit: &str) {
        // Not under the lock: whoever is rung may take their time or add another.
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        rings.iter().for_each(|ring| ring(circuit));
    }
}

/// What the task that listens has.
pub(crate) struct Bell {
    pub(crate) link: Arc<Link>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) rings: Arc<Rings>,
    pub(crate) news: Arc<News>,
}

/// A connection that listens.
struct Line {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Bell {
    /// Listens, and again when the connection is lost. It never ends by itself.
    pub(crate) async fn run(self) {
        loop {
            let listening = timeout(self.link.limit.saturating_mul(2), self.listen()).await;
            if let Ok(Ok(line)) = listening {
                // It failed; whoever has news uses other connections, which tell more of it.
                let _ = self.serve(&line).await;
            }
            sleep(AGAIN).await;
        }
    }

    async fn listen(&self) -> Result<Line, Fault> {
        let (client, mut connection) = self.link.dial().await?;
        let (floors, rings) = (self.floors.clone(), self.rings.clone());
        let (learn_pid, own) = tokio::sync::watch::channel(None);
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(notification) = message
                    && *own.borrow() != Some(notification.process_id())
                {
                    hear(&notification, &floors, &rings);
                }
            }
        });
        let line = Line { client, driver };
        let pid = rows(&line.client, "SELECT pg_backend_pid()").await?;
        let pid = pid.first().and_then(|pid| pid.parse().ok());
        // The driver may have ended already; then the next statement says so.
        let _ = learn_pid.send(pid);
        line.client.batch_execute(&self.link.path()).await?;
        // A notification that is lost with the server's power is no loss.
        line.client.batch_execute("SET synchronous_commit = off").await?;
        line.client.batch_execute(&format!("LISTEN {}", quoted(&self.channel()))).await?;
        // Something may have come while nobody listened.
        self.floors.forget();
        for circuit in rows(&line.client, CIRCUITS).await? {
            self.rings.ring(&unescape(circuit));
        }
        Ok(line)
    }

    fn channel(&self) -> String {
        format!("fuseboard_{}", self.link.home.schema)
    }

    /// Passes on the news of this node and compares the clocks, until the connection fails.
    async fn serve(&self, line: &Line) -> Result<Infallible, Fault> {
        let (limit, channel) = (self.link.limit, self.channel());
        let mut checks = interval(CHECKED);
        loop {
            tokio::select! {
                () = self.news.any.notified() => {}
                _ = checks.tick() => {
                    let measured = timeout(limit, self.link.measure(&line.client)).await;
                    self.link.skew.measured(measured.map_err(|_| Fault::TimedOut)??);
                    continue;
                }
            }
            sleep(GATHERED).await;
            let due = std::mem::take(&mut *self.news.due());
            let told = timeout(limit, tell(&line.client, &channel, &due)).await;
            if let Err(fault) = told.map_err(|_| Fault::TimedOut).and_then(|told| Ok(told?)) {
                due.iter().for_each(|(circuit, at)| self.news.add(circuit, *at));
                return Err(fault);
            }
        }
    }
}

async fn tell(
    client: &Client,
    channel: &str,
    news: &BTreeMap<String, i64>,
) -> Result<(), tokio_postgres::Error> {
    let payloads = news.iter().map(|(circuit, at)| format!("{at} {}", escape(circuit)));
    let told = payloads.filter(|payload| payload.len() < LONGEST).map(|payload| async move {
        let with: [(&(dyn ToSql + Sync), Type); 2] =
            [(&channel, Type::TEXT), (&payload, Type::TEXT)];
        client.query_typed("SELECT pg_notify($1, $2)", &with).await.map(drop)
    });
    join_all(told).await.into_iter().collect()
}

fn hear(notification: &Notification, floors: &Floors, rings: &Rings) {
    let Some((at, circuit)) = notification.payload().split_once(' ') else { return };
    let Ok(at) = at.parse() else { return };
    let circuit = unescape(circuit.to_owned());
    floors.due(&circuit, at);
    rings.ring(&circuit);
}

/// The first column of the rows.
async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let answer = client.simple_query(sql).await?;
    let first = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(answer.into_iter().filter_map(first).collect())
}
