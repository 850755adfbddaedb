//! A whole server: the store, the circuits, the gateway, the replay and the admin listener, started and stopped together.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, SystemClock};
use fuseboard_core::{Board, BuildError, Listener, Transition};
use fuseboard_services::circuits::ServiceError;
use fuseboard_services::governance::Gate;
use fuseboard_services::replay::{Deliver, Lane, Observer, Replay, Surroundings};
use fuseboard_services::wake::Bells;
use fuseboard_store::{
    Counts, KeyError, Letters, Postgres, PostgresOptions, Sqlite, SqliteOptions, StoreError,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::admin::health::unconfigured;
use crate::admin::{self, AdminState};
use crate::config::{Config, DatabaseUrl, LetterStore, URL};
use crate::encryption;
use crate::gateway::{Gateway, HttpReplay, Routes, Upstream};
use crate::metrics::Metrics;
use crate::operations::{self, Background, Foundations, Operations, Running};

/// How long requests and replays in flight may take to end when the server stops. Both run at the same time, and
/// together with closing the store they stay below the 10 s that an orchestrator commonly grants.
const GRACE: Duration = Duration::from_secs(6);
/// How long giving back what overstays that, or a disk that hangs, may hold up the end.
const LATE: Duration = Duration::from_millis(1100);
/// Audit records that wait are written within this, from the beginning of the end.
const FLUSHED: Duration = Duration::from_millis(8000);
const CLOSING: Duration = Duration::from_millis(1500);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(
        "{key}: cannot listen on {address}: {source}; expected an address of this machine that is free"
    )]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The letters cannot be opened.
    #[error("{key}: {source}")]
    Store {
        /// The setting that says where they are.
        key: &'static str,
        /// What their store said.
        source: StoreError,
    },
    /// The environment variable that should say where the letters are does not.
    #[error(
        "store.letters_env: `{name}` holds no such thing: expected {URL} in that environment variable"
    )]
    NoUrl {
        /// The variable.
        name: String,
    },
    /// A key for letters cannot be read.
    #[error("letters.encryption: {0}")]
    Key(#[from] KeyError),
    /// A key is another one than letters were sealed with.
    #[error("letters.encryption: {0}")]
    WrongKey(#[source] StoreError),
    /// Letters wait for a key that is not configured.
    #[error(
        "letters.encryption.previous: {0}; or, if it is gone for good, its name in letters.encryption.lost"
    )]
    MissingKey(#[source] StoreError),
    /// A circuit cannot be made.
    #[error(transparent)]
    Circuit(#[from] BuildError),
    /// A service cannot be made.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The system does not let the server hear of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

/// What a program that embeds a server adds to it.
#[derive(Default)]
pub struct Extras {
    /// Told of every circuit's transitions.
    pub listeners: Vec<Arc<dyn Listener>>,
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extras({} listeners)", self.listeners.len())
    }
}

/// A running server.
#[derive(Debug)]
pub struct App {
    gateway: SocketAddr,
    admin: SocketAddr,
    board: Board,
    letters: Arc<dyn Letters>,
    stop: watch::Sender<bool>,
    operations: Operations,
    replay: Replay,
    serving: Vec<JoinHandle<()>>,
    running: Running,
}

impl App {
    /// Starts a server: opens the store, listens on both addresses, begins to replay what is due.
    ///
    /// # Errors
    ///
    /// [`StartError`] names the setting that cannot work here; nothing is left running.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it starts nothing; the store's folder is free again.
    pub async fn start(config: Config, extras: Extras) -> Result<App, StartError> {
        let config = Arc::new(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let gateway_listener = listen("server.listen", config.server.listen).await?;
        let admin_listener = listen("server.admin", config.server.admin).await?;
        let bells = Bells::new(config.upstreams.keys().map(String::as_str));
        let letters = open_letters(&config, &clock, &bells).await?;
        let counts = letters.counts().await.map_err(|error| StartError::of(&config, error))?;
        tell_unconfigured(&counts, &config);
        let (parts, background) = Parts::new(config, clock, letters, bells, extras)?;
        let stop = watch::Sender::new(false);
        let gateway = local_address(&gateway_listener, parts.config.server.listen);
        let admin = local_address(&admin_listener, parts.config.server.admin);
        // Also what is replayed by hand needs them, which may be asked for as soon as anybody listens.
        let lanes = parts.lanes();
        let running = background.start();
        let serving = vec![
            tokio::spawn(parts.gateway().serve(gateway_listener, stop.subscribe(), GRACE)),
            tokio::spawn(admin::serve(admin_listener, parts.admin(admin), stop.subscribe())),
        ];
        let replay = Replay::start(lanes, &parts.surroundings());
        let Parts { letters, board, operations, .. } = parts;
        Ok(App { gateway, admin, board, letters, stop, operations, replay, serving, running })
    }

    /// Where the gateway listens.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Where the admin API listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The circuits.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The letters.
    pub fn letters(&self) -> &Arc<dyn Letters> {
        &self.letters
    }

    /// The services over both.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Stops: takes nothing new, lets what is in flight end, gives leases back, writes the audit records that wait, closes the
    /// store. Less than 10 s.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what was acknowledged is safe all the same: the next start frees the leases.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let out_of_time = sleep(FLUSHED);
        let App { serving, operations, replay, letters, running, .. } = self;
        let served = async {
            for task in serving {
                // A task that panicked has nothing left to stop.
                let _ = task.await;
            }
        };
        let jobs = Running::end_jobs(operations.replays, GRACE);
        let ended = async { tokio::join!(served, replay.stop(GRACE), jobs) };
        if timeout(GRACE + LATE, ended).await.is_err() {
            warn!("requests in flight were cut off");
        }
        running.stop(out_of_time).await;
        close(letters).await;
    }
}

async fn close(letters: Arc<dyn Letters>) {
    match timeout(CLOSING, letters.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!(%error, "the store was not closed in good order"),
        Err(_) => {
            error!("the store did not close in time; what was acknowledged is safe");
            // Dropped, it would wait for its disk all the same.
            std::mem::forget(letters);
        }
    }
}

/// Letters of a circuit that was renamed or taken out of the configuration are kept, and nobody replays them.
fn tell_unconfigured(counts: &Counts, config: &Config) {
    for (circuit, letters) in unconfigured(counts, config) {
        warn!(
            circuit,
            letters,
            "letters wait for a circuit that is not configured: they are replayed once there is an upstream of that \
             name, or can be discarded"
        );
    }
}

/// Runs a server until SIGTERM or SIGINT.
///
/// # Errors
///
/// As [`App::start`].
///
/// # Cancel safety
///
/// Dropped, the server ends at once, as if killed.
pub async fn serve(config: Config) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let app = App::start(config, Extras::default()).await?;
    info!(gateway = %app.gateway(), admin = %app.admin(), "fuseboard serves");
    tokio::select! {
        _ = terminate.recv() => info!("stopping: SIGTERM"),
        _ = interrupt.recv() => info!("stopping: SIGINT"),
    }
    app.stop().await;
    info!("stopped");
    Ok(())
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| StartError::Listen { key, address, source })
}

fn local_address(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

async fn open_letters(
    config: &Config,
    clock: &Arc<dyn Clock>,
    bells: &Bells,
) -> Result<Arc<dyn Letters>, StartError> {
    let encryption = &config.letters.encryption;
    let keys = encryption::keyring(encryption)?;
    let letters: Arc<dyn Letters> = match &config.store {
        LetterStore::Embedded => Arc::new(embedded(config, clock)?),
        LetterStore::Postgres(url) => Arc::new(shared(config, url, clock, bells).await?),
        LetterStore::Variable(name) => {
            let url = std::env::var(name).ok().and_then(|text| DatabaseUrl::new(&text));
            let url = url.ok_or_else(|| StartError::NoUrl { name: name.clone() })?;
            Arc::new(shared(config, &url, clock, bells).await?)
        }
    };
    let sealed = encryption::over(letters, keys, &encryption.lost, clock.wall()).await;
    sealed.map_err(|error| StartError::of(config, error))
}

fn embedded(config: &Config, clock: &Arc<dyn Clock>) -> Result<Sqlite, StartError> {
    let mut options = SqliteOptions::new(&config.server.data);
    options.capacity = config.letters.capacity;
    options.max_bytes = config.letters.max_bytes;
    options.rules = config.letters.rules.clone();
    options.clock = Arc::clone(clock);
    Sqlite::open(options).map_err(|error| StartError::of(config, error))
}

/// Letters that other servers may have, too. Those make circuits ring here when they have work for all.
async fn shared(
    config: &Config,
    url: &DatabaseUrl,
    clock: &Arc<dyn Clock>,
    bells: &Bells,
) -> Result<Postgres, StartError> {
    let mut options = PostgresOptions::new(url.secret());
    options.capacity = config.letters.capacity;
    options.rules = config.letters.rules.clone();
    options.clock = Arc::clone(clock);
    let opened = Postgres::open(options).await;
    let letters = opened.map_err(|error| StartError::of(config, error))?;
    let bells = bells.clone();
    letters.ring_on_work(move |circuit| bells.ring(circuit));
    Ok(letters)
}

impl StartError {
    fn of(config: &Config, source: StoreError) -> Self {
        match source {
            StoreError::WrongKey { .. } => StartError::WrongKey(source),
            StoreError::Sealed { .. } => StartError::MissingKey(source),
            source => StartError::Store { key: config.store.key(), source },
        }
    }
}

/// What the parts of a server share while they are put together.
struct Parts {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    letters: Arc<dyn Letters>,
    board: Board,
    bells: Bells,
    metrics: Arc<Metrics>,
    upstreams: Vec<Arc<Upstream>>,
    routes: Arc<Routes>,
    operations: Operations,
}

impl Parts {
    fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        letters: Arc<dyn Letters>,
        bells: Bells,
        extras: Extras,
    ) -> Result<(Self, Background), StartError> {
        let metrics = Arc::new(Metrics::new(&config, Arc::clone(&clock)));
        let (on_close, closed) = operations::closings();
        let mut board = Board::builder()
            .clock(Arc::clone(&clock))
            .listener(bells.clone())
            .listener(on_close)
            .listener(log_transition)
            .shared_listener(Arc::clone(&metrics) as Arc<dyn Listener>);
        for listener in extras.listeners {
            board = board.shared_listener(listener);
        }
        let board = board.build();
        let mut upstreams = Vec::new();
        for upstream in config.upstreams.values() {
            let breaker = board.get_or_create(&upstream.name, upstream.rules.clone())?;
            upstreams.push(Arc::new(Upstream::new(upstream, breaker)));
        }
        let find = |name: &str| upstreams.iter().find(|one| one.breaker.name() == name).cloned();
        let routes = Arc::new(Routes::new(&config, find));
        let (operations, background) = Operations::new(Foundations {
            config: Arc::clone(&config),
            board: board.clone(),
            letters: Arc::clone(&letters),
            random: Arc::new(SeededRandom::from_entropy()),
            observer: Arc::clone(&metrics) as Arc<dyn Observer>,
            closed,
        })?;
        let parts =
            Parts { config, clock, letters, board, bells, metrics, upstreams, routes, operations };
        Ok((parts, background))
    }

    fn gateway(&self) -> Arc<Gateway> {
        Arc::new(Gateway {
            config: Arc::clone(&self.config),
            routes: Arc::clone(&self.routes),
            letters: Arc::clone(&self.letters),
            bells: self.bells.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
        })
    }

    fn admin(&self, address: SocketAddr) -> AdminState {
        AdminState {
            board: self.board.clone(),
            letters: Arc::clone(&self.letters),
            bells: self.bells.clone(),
            config: Arc::clone(&self.config),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
            operations: self.operations.clone(),
            address,
        }
    }

    /// The continuous replay of each upstream. What is replayed by hand is delivered by the same code.
    fn lanes(&self) -> Vec<Lane> {
        let lane = |upstream: &Arc<Upstream>| {
            let name = upstream.breaker.name();
            let config = self.config.upstreams.get(name)?;
            let deliver: Arc<dyn Deliver> = Arc::new(HttpReplay {
                upstream: Arc::clone(upstream),
                routes: Arc::clone(&self.routes),
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
            });
            self.operations.replays.register_circuit_handler(name, Arc::clone(&deliver));
            Some(Lane {
                breaker: upstream.breaker.clone(),
                deliver,
                concurrency: config.replay.concurrency,
                rate: config.replay.rate,
                lease: HttpReplay::lease(upstream.timeout),
                caution: config.replay.caution,
            })
        };
        self.upstreams.iter().filter_map(lane).collect()
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            letters: Arc::clone(&self.letters),
            bells: self.bells.clone(),
            clock: Arc::clone(&self.clock),
            random: Arc::new(SeededRandom::from_entropy()),
            observer: Arc::clone(&self.metrics) as Arc<dyn Observer>,
            gate: Arc::clone(&self.operations.governance) as Arc<dyn Gate>,
            domains: Arc::clone(&self.config.domains),
            limits: self.config.replay.limits,
        }
    }
}

fn log_transition(circuit: &str, transition: &Transition) {
    let why = transition.trip.as_ref().map(|trip| trip.why.as_str()).unwrap_or_default();
    let (from, to, cause) = (transition.from, transition.to, transition.cause);
    info!(circuit, %from, %to, %cause, why, "a circuit changed");
}

impl Observer for Metrics {
    fn on_replay(&self, circuit: &str, result: Status) {
        self.count_replay(circuit, result.as_str());
    }
}
