//! One connection, with everything that will be asked over it prepared.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fuseboard_core::time::Clock;
use futures_util::future::{BoxFuture, join_all, try_join_all};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Connection, Error, Row, Socket, Statement};

use super::fault::Fault;
use super::schema::{self, Home, quoted};
use super::skew::{Measure, Skew};
use super::tls::{Secret, Tls};
use super::url::{BadUrl, Server};
use super::{
    PostgresOptions, audit, claim, draft, edit, insert, kinds, late, leases, line, purge, query,
    row, settings, tidy, writes,
};
use crate::error::StoreError;

/// How often the clocks are compared to begin with. The least round trip tells most.
const MEASURES: usize = 3;

/// The parameters of a statement.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement that has been sent with others.
pub(crate) type Sent<'a> = BoxFuture<'a, Result<(), Error>>;

/// Everything that stays the same from connection to connection.
pub(crate) struct Link {
    pub(crate) server: Server,
    pub(crate) tls: Tls,
    pub(crate) home: Home,
    pub(crate) limit: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
    /// The host that was connected to last.
    host: AtomicUsize,
}

/// A connection and its prepared statements. Dropping it hangs up, whereupon the server undoes what was not committed.
pub(crate) struct Session {
    client: Client,
    statements: BTreeMap<&'static str, Statement>,
    driver: JoinHandle<()>,
}

impl Link {
    pub(crate) fn new(options: PostgresOptions) -> Result<Self, StoreError> {
        let PostgresOptions { url, schema, timeout: limit, root_certificates, clock, .. } = options;
        let bad = |problem: String| StoreError::Misconfigured { problem };
        let server: Server = url.parse().map_err(|error: BadUrl| bad(error.to_string()))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || schema.len() > 48 || !schema.chars().all(plain) {
            let wanted = "1 to 48 lower-case ASCII letters, digits and underscores";
            return Err(bad(format!("the schema `{schema}` is no name: expected {wanted}")));
        }
        if limit.is_zero() {
            return Err(bad("the timeout is zero: expected some seconds".to_owned()));
        }
        let tls = Tls::new(server.verify, root_certificates.as_deref());
        let tls = tls.map_err(|error| bad(error.to_string()))?;
        let name = PathBuf::from(format!("{server} schema {schema}"));
        let (home, host) = (Home { schema, name }, AtomicUsize::new(0));
        Ok(Link { server, tls, home, limit, clock, skew: Skew::default(), host })
    }

    /// A connection on which nothing has been said yet, to the first host that takes writes. The caller must drive it.
    ///
    /// Each host has its share of the time, because one that has gone without a word may not answer at all.
    pub(crate) async fn dial(&self) -> Result<(Client, Connection<Socket, Secret>), Fault> {
        let hosts = &self.server.hosts;
        let each = self.limit / u32::try_from(hosts.len()).unwrap_or(u32::MAX).max(1);
        let (last, mut failed) = (self.host.load(Ordering::Relaxed), Fault::TimedOut);
        for index in (0..hosts.len()).map(|n| (last + n) % hosts.len()) {
            let mut host = hosts[index].clone();
            host.connect_timeout(each);
            match timeout(each, host.connect(self.tls.clone())).await {
                Ok(Ok(dialled)) => {
                    self.host.store(index, Ordering::Relaxed);
                    return Ok(dialled);
                }
                Ok(Err(error)) => failed = error.into(),
                Err(_) => failed = Fault::TimedOut,
            }
        }
        Err(failed)
    }

    /// A connection that is ready. The first one brings the schema to the newest version and compares the clocks.
    pub(crate) async fn open(&self, first: bool) -> Result<Session, Fault> {
        let (client, connection) = self.dial().await?;
        // How it ended is told to whoever uses the client.
        let driver = tokio::spawn(async { drop(connection.await) });
        let mut session = Session { client, statements: BTreeMap::new(), driver };
        session.within(self.limit, session.client.batch_execute(&self.path())).await?;
        session.within(self.limit, schema::is_fit(&session.client, &self.home)).await?;
        if first {
            // Others may be migrating, and a large table takes its time.
            let patience = self.limit.saturating_mul(20);
            session.within(patience, schema::prepare(&session.client, &self.home)).await?;
        } else {
            let current = schema::is_current(&session.client, &self.home);
            session.within(self.limit, current).await?;
        }
        session.within(self.limit, session.client.batch_execute(&self.settings())).await?;
        session.statements = session.within(self.limit, session.prepared(&self.home)).await?;
        if first {
            let mut measures = Vec::new();
            for _ in 0..MEASURES {
                measures.push(session.within(self.limit, self.measure(&session.client)).await?);
            }
            self.skew.begin(&measures);
        }
        Ok(session)
    }

    pub(crate) fn path(&self) -> String {
        format!("SET search_path = {}", quoted(&self.home.schema))
    }

    /// What a connection needs. Every question here has its index. A planner that counts on statistics from before the
    /// queue grew must not choose to read whole tables, so other ways are closed to it, and a plan that was made once
    /// is good for all parameters. An answer must mean that the commit is on disk, whatever the server's default.
    fn settings(&self) -> String {
        let millis = self.limit.as_millis().clamp(4, i32::MAX as u128);
        // The server is to give up first: then it is certain that nothing was written.
        let earlier = millis * 3 / 4;
        format!(
            "SET statement_timeout = {earlier}; SET lock_timeout = {earlier};
             SET idle_in_transaction_session_timeout = {millis};
             SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
             SET enable_mergejoin = off; SET enable_material = off; SET jit = off;
             SET plan_cache_mode = force_generic_plan;
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )
    }

    /// Compares the server's clock with ours.
    pub(crate) async fn measure(&self, client: &Client) -> Result<Measure, Fault> {
        let before = self.clock.wall();
        let ask = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text";
        let answer = client.simple_query(ask).await?;
        let after = self.clock.wall();
        let server = answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        let odd = || Fault::Row("the server's clock is not a number".to_owned());
        Ok(Measure::new(before, server.ok_or_else(odd)?, after))
    }
}

impl Session {
    async fn within<T, F: Into<Fault>>(
        &self,
        limit: Duration,
        doing: impl Future<Output = Result<T, F>>,
    ) -> Result<T, Fault> {
        let done = timeout(limit, doing).await.map_err(|_| Fault::TimedOut)?;
        done.map_err(Into::into)
    }

    async fn prepared(&self, home: &Home) -> Result<BTreeMap<&'static str, Statement>, Fault> {
        let all = [
            insert::STATEMENTS,
            edit::STATEMENTS,
            claim::STATEMENTS,
            writes::STATEMENTS,
            purge::STATEMENTS,
            query::STATEMENTS,
            row::STATEMENTS,
            tidy::STATEMENTS,
            draft::STATEMENTS,
            line::STATEMENTS,
            kinds::STATEMENTS,
            late::STATEMENTS,
            audit::STATEMENTS,
            settings::STATEMENTS,
            leases::STATEMENTS,
        ];
        let prepare = |sql: &'static str| async move {
            Ok::<_, Error>((sql, self.client.prepare(sql).await?))
        };
        let statements = all.into_iter().flatten().map(|sql| prepare(sql));
        match try_join_all(statements).await {
            Ok(statements) => Ok(statements.into_iter().collect()),
            Err(error) if schema::is_about_the_schema(error.code()) => {
                let said = error.as_db_error().map(|said| said.message().to_owned());
                Err(home.stranger(said.unwrap_or_else(|| error.to_string())).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Undoes the transaction, if there is one, so that the connection can be used again.
    pub(crate) async fn roll_back(&self, limit: Duration) -> Result<(), Fault> {
        self.within(limit, self.client.batch_execute("ROLLBACK")).await
    }

    // What follows sends as soon as it is first polled, so that futures which are polled one after the other go out
    // together and the server works them off in that order.

    pub(crate) async fn command(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    pub(crate) async fn rows(&self, sql: &str, with: Parameters<'_>) -> Result<Vec<Row>, Error> {
        match self.statements.get(sql) {
            Some(statement) => self.client.query(statement, with).await,
            None => self.client.query(sql, with).await,
        }
    }

    pub(crate) async fn run(&self, sql: &str, with: Parameters<'_>) -> Result<u64, Error> {
        match self.statements.get(sql) {
            Some(statement) => self.client.execute(statement, with).await,
            None => self.client.execute(sql, with).await,
        }
    }
}

/// Waits for statements that were sent together. `join_all` polls so few of them in order.
pub(crate) async fn all(sent: Vec<Sent<'_>>) -> Result<(), Error> {
    debug_assert!(sent.len() < 30, "beyond that `join_all` is free to choose the order");
    join_all(sent).await.into_iter().collect()
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
