//! Letters in PostgreSQL: one store for any number of processes.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fuseboard_core::letter::{Event, Life, Rules, Status};
use fuseboard_core::time::{Clock, SystemClock, WallTime};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::audit::By;
use crate::error::StoreError;
use crate::letters::{
    Answering, Blocker, ClaimFilter, Counts, Draft, HistoryEntry, Inserted, Late, Letter, LetterId,
    LetterSummary, Letters, Priority, Query, Settlement, Token,
};

mod audit;
mod bell;
mod claim;
mod draft;
mod edit;
mod fault;
mod floor;
mod import;
mod insert;
mod kinds;
mod lane;
mod late;
mod leases;
mod line;
mod pool;
mod purge;
mod query;
mod row;
mod schema;
mod session;
mod settings;
mod skew;
mod tally;
mod text;
mod tidy;
mod tls;
mod url;
mod writes;

use bell::{Bell, News, Rings};
use claim::{Claim, Claimed, Wanted};
use edit::{Edit, Edited, Edits, Said};
use floor::Floors;
use insert::Inserts;
use lane::Lane;
use pool::{Errand, Pool};
use session::Link;
use url::Server;

/// Tallies are folded when this node has added so many rows to them.
const FOLDED_EVERY: u32 = 512;

/// Groups of one kind that are under way at once.
const WORKERS: usize = 1;

/// How to open a [`Postgres`] store.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The server and the database, as `postgresql://user:password@host:5432/database?sslmode=verify-full`. `sslmode` is
    /// `disable`, `prefer` (the default: TLS if the server has it), `require` (TLS, but any certificate will do) or
    /// `verify-full` (TLS, and the certificate must be valid and name the host). `Debug` does not show it.
    ///
    /// Several hosts, as in `one:5432,two:5432`, are tried in turn, each for its share of `timeout`; the first one that
    /// takes writes is used, never a standby.
    ///
    /// The connections keep settings, prepared statements and a `LISTEN`: a pooler in between must give each its own
    /// session (PgBouncer: `pool_mode = session`).
    pub url: String,
    /// The schema that the tables are in: up to 48 lower-case ASCII letters, digits and underscores. It is created if it
    /// is missing. Default `fuseboard`.
    pub schema: String,
    /// How many letters may be pending, replaying or in review at once, over all processes. Captures of all processes then
    /// go one after the other, which costs most of their speed. Default: as many as fit.
    pub capacity: Option<u64>,
    /// How many connections to use at most, beside the one that listens. Reading leaves two of them free for the rest.
    /// Default 8; at least 1.
    pub connections: u32,
    /// How long connecting, waiting for a connection and each transaction may take. Default 5 s.
    pub timeout: Duration,
    /// A file with the certificates, in PEM, that `verify-full` trusts. Default: those of the system.
    pub root_certificates: Option<PathBuf>,
    /// The limits of a letter's life.
    pub rules: Rules,
    /// The clock that the callers' `now` comes from; it is compared with the server's.
    pub clock: Arc<dyn Clock>,
}

impl PostgresOptions {
    /// A store at `url` with everything else as by default.
    pub fn new(url: impl Into<String>) -> Self {
        PostgresOptions {
            url: url.into(),
            schema: "fuseboard".to_owned(),
            capacity: None,
            connections: 8,
            timeout: Duration::from_secs(5),
            root_certificates: None,
            rules: Rules::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.url.parse::<Server>();
        let url = server.map_or_else(|bad| bad.to_string(), |server| server.to_string());
        f.debug_struct("PostgresOptions")
            .field("url", &url)
            .field("schema", &self.schema)
            .field("capacity", &self.capacity)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .field("root_certificates", &self.root_certificates)
            .field("rules", &self.rules)
            .field("clock", &self.clock)
            .finish()
    }
}

/// What stays the same for each errand.
struct Setup {
    rules: Rules,
    capacity: Option<u64>,
    /// How many groups of captures are to be inserted step by step.
    cautious: AtomicU32,
}

/// Letters in PostgreSQL 13 or newer, shared by any number of processes.
///
/// Captures that come together share a commit, and so do settles and operators' acts. A claim takes what nobody else is
/// taking (`FOR UPDATE SKIP LOCKED`), and no transaction is open while a letter is being replayed. A letter whose holder
/// died is free again when its lease ends.
///
/// # Time
///
/// The server's clock decides what is due and when a lease ends. Callers bring their own `now`; the store measures how
/// far [`PostgresOptions::clock`] is from the server's, when it opens and every five seconds, and translates every time
/// on its way in and out. Clocks within 100 ms of each other are taken to agree, and a distance changes only once two
/// measures in a row have told the same new one.
///
/// # When the server is away
///
/// Calls fail with [`StoreError::Unavailable`] within a few times [`PostgresOptions::timeout`], and work again when it
/// is back. A capture of which nobody can say whether it was committed says so:
/// [`StoreError::outcome_is_unknown`].
///
/// What is acknowledged is on the server's disk, whatever its `synchronous_commit`. That it is on a standby, too, before
/// one takes over, is for the server to see to (`synchronous_standby_names`): where a failover loses commits, letters
/// are lost with them, and fences are given twice.
///
/// # Example
///
/// ```no_run
/// use fuseboard_store::{Letters, Postgres, PostgresOptions};
///
/// # async fn example() -> Result<(), fuseboard_store::StoreError> {
/// let url = "postgresql://fuseboard@db.internal/fuseboard?sslmode=verify-full";
/// let letters = Postgres::open(PostgresOptions::new(url)).await?;
/// letters.ring_on_work(|circuit| println!("{circuit} has work"));
/// println!("{} letters", letters.counts().await?.captured);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// As for [all stores](crate#cancel-safety). Calls must be awaited within a Tokio runtime that has time enabled.
pub struct Postgres {
    shared: Arc<Shared>,
    inserts: Lane<Inserts>,
    edits: Lane<Edits>,
    listener: JoinHandle<()>,
    runtime: Handle,
}

/// What the calls and the tasks share.
struct Shared {
    pool: Arc<Pool>,
    floors: Arc<Floors>,
    rings: Arc<Rings>,
    news: Arc<News>,
    unfolded: AtomicU32,
}

impl Postgres {
    /// Connects, and brings the tables to the newest version, creating them if they are missing. Must be called within a
    /// Tokio runtime that has I/O and time enabled, and lives as long as the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misconfigured`] if an option cannot be used, or the server is too old or runs with `fsync = off`,
    /// with which it may lose what it acknowledged; [`StoreError::Newer`] if a newer Fuseboard wrote the schema;
    /// [`StoreError::NotOurs`] if it holds something else, is damaged, or the database is not in UTF-8;
    /// [`StoreError::Unavailable`] if the server cannot be reached, does not let us in or takes no writes.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let (connections, capacity) = (options.connections, options.capacity);
        let (rules, clock) = (options.rules.clone(), options.clock.clone());
        let link = Arc::new(Link::new(options)?);
        let opening = |fault: fault::Fault| fault.outside("opening the database");
        let first = link.open(true).await.map_err(opening)?;
        let setup = Setup { rules, capacity, cautious: AtomicU32::new(0) };
        let pool = Arc::new(Pool::new(link.clone(), setup, connections.max(1), first));
        let (floors, rings) = (Arc::new(Floors::new(clock)), Arc::new(Rings::default()));
        let news = Arc::new(News::default());
        let bell = Bell { link, floors: floors.clone(), rings: rings.clone(), news: news.clone() };
        let listener = tokio::spawn(bell.run());
        let (inserts, edits) = (Lane::new(&pool, WORKERS), Lane::new(&pool, WORKERS));
        let unfolded = AtomicU32::new(0);
        let shared = Arc::new(Shared { pool, floors, rings, news, unfolded });
        Ok(Postgres { shared, inserts, edits, listener, runtime: Handle::current() })
    }

    /// Has `ring` called with the name of a circuit whenever another process may have made one of its letters due: it
    /// captured it, handed it back or requeued it. Also for every circuit that has letters when notifications may
    /// have been missed. It must not block.
    ///
    /// Notifications make waiting shorter, not unnecessary: with the connection down, none come.
    pub fn ring_on_work(&self, ring: impl Fn(&str) + Send + Sync + 'static) {
        self.shared.rings.add(Arc::new(ring));
    }

    /// Runs `call` to its end even if nobody waits for it any more, so that a connection is never left halfway.
    fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answering<'_, T> {
        Box::pin(async move {
            if self.shared.pool.is_closed() {
                return Err(StoreError::closed());
            }
            self.runtime.spawn(call).await.map_err(|_| StoreError::gone())?
        })
    }

    fn errand<E: Errand + 'static>(&self, errand: E) -> Answering<'_, E::Answer>
    where
        E::Answer: 'static,
    {
        let shared = self.shared.clone();
        self.run(async move { shared.pool.run(&errand).await })
    }

    async fn edit(&self, edit: Edit) -> Result<Life, StoreError> {
        let Edited { circuit, life, freed, .. } = self.edits.call(edit).await?;
        if let Some(at) = freed {
            self.shared.due_at(&circuit, at);
        }
        if life.status == Status::Pending {
            self.shared.due(&circuit, &life);
        }
        self.shared.wrote(&self.runtime);
        Ok(life)
    }
}

impl Shared {
    /// A letter of `circuit` waits: the next claim looks for it, here and elsewhere.
    fn due(&self, circuit: &str, life: &Life) {
        self.due_at(circuit, self.pool.link().skew.offset().stored(life.not_before));
    }

    /// The same, by the server's clock.
    fn due_at(&self, circuit: &str, at: i64) {
        self.floors.due(circuit, at);
        self.news.add(circuit, at);
    }

    /// Something was added to the tallies.
    fn wrote(self: &Arc<Self>, runtime: &Handle) {
        if self.unfolded.fetch_add(1, Ordering::Relaxed) >= FOLDED_EVERY {
            self.unfolded.store(0, Ordering::Relaxed);
            let shared = self.clone();
            // Another time, if not now.
            runtime.spawn(async move { shared.pool.run(&tidy::Fold).await });
        }
    }

    /// Claims, looking from where nothing is left below, and remembers how far it has come.
    async fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Result<Vec<Letter>, StoreError> {
        let climb = self.floors.climb(circuit);
        let wanted = Wanted::Of(circuit.to_owned(), climb.reach);
        let claimed = self.pool.run(&Claim { wanted, limit, lease, now }).await;
        if let Ok(Claimed { leases_end: Some(end), .. }) = claimed {
            self.floors.lease(circuit, end);
        }
        let seen = claimed.as_ref().ok().and_then(|claimed| claimed.reach);
        self.floors.climbed(circuit, &climb, seen);
        Ok(self.claimed(claimed?))
    }

    async fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Result<Vec<Letter>, StoreError> {
        let limit = filter.limit;
        let claim = Claim { wanted: Wanted::By(filter), limit, lease, now };
        let claimed = self.pool.run(&claim).await?;
        if let Some(end) = claimed.leases_end {
            claimed.letters.iter().for_each(|letter| self.floors.lease(&letter.circuit, end));
        }
        Ok(self.claimed(claimed))
    }

    /// Tells of letters that a claim freed.
    fn claimed(&self, claimed: Claimed) -> Vec<Letter> {
        claimed.freed.iter().for_each(|freed| self.due_at(&freed.circuit, freed.at));
        claimed.letters
    }
}

impl Letters for Postgres {
    fn insert(&self, draft: Draft) -> Answering<'_, Inserted> {
        Box::pin(async move {
            let (circuit, life) = (draft.circuit.clone(), draft.life);
            let inserted = self.inserts.call(draft).await?;
            if matches!(inserted, Inserted::New(..)) {
                self.shared.due(&circuit, &life);
                self.shared.wrote(&self.runtime);
            }
            Ok(inserted)
        })
    }

    fn import(&self, letter: Letter, note: String, now: WallTime) -> Answering<'_, LetterId> {
        let (shared, runtime) = (self.shared.clone(), self.runtime.clone());
        let import = import::Importing::new(letter.into(), note, now);
        self.run(async move {
            let (id, life) = shared.pool.run(&import).await?;
            if life.status == Status::Pending {
                shared.due(import.circuit(), &life);
            }
            shared.wrote(&runtime);
            Ok(id)
        })
    }

    fn claim(
        &self,
        circuit: &str,
        limit: usize,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        let (shared, runtime) = (self.shared.clone(), self.runtime.clone());
        let circuit = circuit.to_owned();
        self.run(async move {
            if limit == 0 {
                return Ok(Vec::new());
            }
            let letters = shared.claim(&circuit, limit, lease, now).await?;
            shared.wrote(&runtime);
            Ok(letters)
        })
    }

    fn claim_by(
        &self,
        filter: ClaimFilter,
        lease: Duration,
        now: WallTime,
    ) -> Answering<'_, Vec<Letter>> {
        let (shared, runtime) = (self.shared.clone(), self.runtime.clone());
        self.run(async move {
            if filter.limit == 0 {
                return Ok(Vec::new());
            }
            let letters = shared.claim_by(filter, lease, now).await?;
            shared.wrote(&runtime);
            Ok(letters)
        })
    }

    fn settle(&self, id: LetterId, settlement: Settlement, now: WallTime) -> Answering<'_, Life> {
        Box::pin(self.edit(Edit { id, said: Said::ByHolder(settlement), now }))
    }

    fn act(&self, id: LetterId, event: Event, by: By, now: WallTime) -> Answering<'_, Life> {
        Box::pin(self.edit(Edit { id, said: Said::ByOperator(event, by), now }))
    }

    fn get(&self, id: LetterId) -> Answering<'_, Option<Letter>> {
        self.errand(query::ById(id))
    }

    fn by_token(&self, token: Token) -> Answering<'_, Option<Letter>> {
        self.errand(query::ByToken(token))
    }

    fn history(&self, id: LetterId) -> Answering<'_, Vec<HistoryEntry>> {
        self.errand(query::History(id))
    }

    fn list(&self, query: Query) -> Answering<'_, Vec<LetterSummary>> {
        self.errand(query::List(query))
    }

    fn export(&self, query: Query) -> Answering<'_, Vec<Letter>> {
        self.errand(query::Export(query))
    }

    fn counts(&self) -> Answering<'_, Counts> {
        self.errand(query::Counting)
    }

    fn late(&self, now: WallTime) -> Answering<'_, Vec<Late>> {
        self.errand(late::HowMany(now))
    }

    fn raise_late(&self, to: Priority, now: WallTime, limit: usize) -> Answering<'_, u64> {
        self.errand(late::Raise { to, now, limit })
    }

    fn first_in_line(&self, circuit: &str, order_key: &str) -> Answering<'_, Option<Blocker>> {
        let (circuit, order_key) = (circuit.to_owned(), order_key.to_owned());
        self.errand(query::FirstInLine { circuit, order_key })
    }

    fn next_due(&self, circuit: &str) -> Answering<'_, Option<WallTime>> {
        let reach = self.shared.floors.reach(circuit);
        self.errand(query::NextDue { circuit: circuit.to_owned(), reach })
    }

    fn circuits_with_letters(&self) -> Answering<'_, Vec<String>> {
        self.errand(query::Circuits)
    }

    fn purge(&self, finished_before: WallTime, limit: usize) -> Answering<'_, u64> {
        self.errand(purge::Purge { finished_before, limit })
    }

    fn close(&self) -> Answering<'_, ()> {
        Box::pin(async move {
            self.inserts.close().await;
            self.edits.close().await;
            self.shared.pool.close().await;
            self.listener.abort();
            Ok(())
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("database", &self.shared.pool.link().home.name)
            .finish_non_exhaustive()
    }
}
