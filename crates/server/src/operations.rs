//! The services of a running server, put together once over its circuits and letters.
//!
//! [`Operations`] is what the admin API asks: circuits by name, replay by hand, governance and the audit log.
//! [`Background`] is what has to run for them, and [`Running`] how that ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::random::Random;
use fuseboard_core::time::Clock;
use fuseboard_core::{Board, CircuitBreaker};
use fuseboard_services::CircuitBreakerService;
use fuseboard_services::circuits::{
    BoardRepository, CircuitBreakerConfig, CircuitRepository, ServiceError,
};
use fuseboard_services::governance::{AuditLog, Governance};
use fuseboard_services::replay::Observer;
use fuseboard_services::replay_service::ReplayService;
use fuseboard_store::Letters;
use tokio::time::timeout;

use crate::config::Config;

mod background;
mod on_close;
mod orders;
mod overrides;

pub use background::{Background, Running};
pub use on_close::{OnClose, closings};
pub use orders::Order;
use overrides::Overrides;
pub use overrides::{Override, PolicyOverride};

/// How long an answer waits for its audit record, so that who reads the log next finds it there.
const TO_RECORD: Duration = Duration::from_secs(1);

/// What the services stand on.
pub struct Foundations {
    /// What the server is told.
    pub config: Arc<Config>,
    /// The circuits, whose clock is the services' too.
    pub board: Board,
    /// The letters.
    pub letters: Arc<dyn Letters>,
    /// The dice, for the jitter between tries of one letter.
    pub random: Arc<dyn Random>,
    /// Who is told how replays went.
    pub observer: Arc<dyn Observer>,
    /// The circuits that closed, to replay their letters: the other end of [`closings`].
    pub closed: tokio::sync::mpsc::Receiver<String>,
}

impl fmt::Debug for Foundations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foundations").field("letters", &self.letters).finish_non_exhaustive()
    }
}

/// The services of a server. Clones are the same services.
#[derive(Clone, Debug)]
pub struct Operations {
    /// Circuits by name: pins by hand, and what they come to.
    pub circuits: Arc<CircuitBreakerService>,
    /// Replay that somebody asks for.
    pub replays: ReplayService,
    /// The gate that every replay passes.
    pub governance: Arc<Governance>,
    /// Who did what, and why.
    pub audit: AuditLog,
    board: Board,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
    overrides: Arc<Overrides>,
}

impl Operations {
    /// Puts the services together. Nothing runs, and no audit record is written, before the [`Background`] is started. To be
    /// called on the tokio runtime on which replays are to run.
    ///
    /// # Errors
    ///
    /// [`ServiceError`] names a setting that cannot be; the checks of the configuration do not let that happen.
    pub fn new(foundations: Foundations) -> Result<(Operations, Background), ServiceError> {
        let Foundations { config, board, letters, random, observer, closed } = foundations;
        let clock = board.clock();
        let (audit, writer) = AuditLog::with_room(Arc::clone(&letters), config.letters.audit_queue);
        let governance = Arc::new(governance(&config, &board, &letters, &audit)?);
        let repository: Arc<dyn CircuitRepository> = Arc::new(Configured::new(board.clone()));
        let replays = ReplayService::builder(Arc::clone(&letters))
            .config(config.replay.service.clone())
            .circuits(Arc::clone(&repository))
            .gate(governance.clone())
            .random(random)
            .observer(observer)
            .build()?;
        let defaults = CircuitBreakerConfig::default();
        let manual_override_ttl = config.circuits.pin_for;
        let circuits = CircuitBreakerService::builder()
            .config(CircuitBreakerConfig { manual_override_ttl, ..defaults })
            .repository(repository)
            .replay(replays.clone())
            .audit(Arc::new(audit.clone()))
            .build()?;
        let overrides = Arc::new(Overrides::new(Arc::clone(&clock)));
        let circuits = Arc::new(circuits);
        let operations =
            Operations { circuits, replays, governance, audit, board, clock, config, overrides };
        let background = Background::new(operations.clone(), letters, writer, closed);
        Ok((operations, background))
    }

    /// Waits until what was done so far is in the audit log, or a second is over: the record is written all the same.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn recorded(&self) {
        let _ = timeout(TO_RECORD, self.audit.flush()).await;
    }
}

fn governance(
    config: &Config,
    board: &Board,
    letters: &Arc<dyn Letters>,
    audit: &AuditLog,
) -> Result<Governance, ServiceError> {
    let settings = config.governance;
    let builder = Governance::builder(Arc::clone(letters), board.clock(), audit.clone())
        .board(board.clone())
        .refresh_every(settings.refresh)
        .patience(settings.patience);
    let builder =
        settings.slo.into_iter().fold(builder, |builder, slo| builder.slo_of_all_others(slo));
    let own =
        config.upstreams.values().filter_map(|upstream| Some((&upstream.name, upstream.slo?)));
    Ok(own.fold(builder, |builder, (name, slo)| builder.slo(name, slo)).build()?)
}

/// The circuits of the configuration, and no others: a letter of a circuit that was taken out of it makes no new one.
#[derive(Debug)]
struct Configured {
    board: BoardRepository,
}

impl Configured {
    fn new(board: Board) -> Self {
        Configured { board: BoardRepository::new(board) }
    }
}

impl CircuitRepository for Configured {
    fn get(&self, service_name: &str) -> Option<CircuitBreaker> {
        self.board.get(service_name)
    }

    fn get_or_create(
        &self,
        service_name: &str,
        _rules: &Arc<fuseboard_core::Rules>,
    ) -> Result<CircuitBreaker, fuseboard_core::BuildError> {
        self.get(service_name).ok_or_else(|| {
            let expected = "the name of an upstream of the configuration";
            let unknown =
                fuseboard_core::policy::InvalidPolicy::new("circuit", service_name, expected);
            fuseboard_core::BuildError::Policy(unknown)
        })
    }

    fn all(&self) -> Vec<CircuitBreaker> {
        self.board.all()
    }

    fn remove(&self, service_name: &str) -> bool {
        self.board.remove(service_name)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.board.clock()
    }
}
