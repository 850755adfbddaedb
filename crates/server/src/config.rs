//! The configuration: what the server is told, from a file or from the command line, checked before anything starts.
//!
//! The fields of [`Config`] say what each key means. Those of the services, with their defaults:
//!
//! | section | key | default | what |
//! |---|---|---|---|
//! | `[circuits]` | `pin_for`, `override_for` | `"90m"` | how long a pin or an override holds that does not say |
//! | `[store]` | `letters` | `"sqlite"` | where letters are: in `server.data`, or `"postgres://user:password@host/database"` |
//! | | `letters_env` | | the environment variable that holds that URL instead |
//! | `[letters]` | `audit_retention` | `"90d"` | how long audit records are kept |
//! | | `audit_queue` | `1024` | audit records that may wait for the store |
//! | | `sla` | `"24h"` | how long after its capture a letter is late |
//! | | `raise_late` | | the priority that late letters get: `"critical"` or `"normal"` |
//! | | `withhold_headers` | none | headers that no letter may keep; one that lacks any waits for a person |
//! | `[letters.encryption]` | `key_id` | | the name of the key that seals new letters; without it they are in clear |
//! | | `key_file`, `key_env` | | where its 32 bytes are, as hex or base64: one of both |
//! | | `previous` | none | keys that only open: `[{ key_id = "..", key_file = ".." }]` |
//! | | `lost` | none | names of keys that are gone: letters of theirs go to review |
//! | `[replay]` | `concurrency` | `64` | letters on their way at once in the continuous replay of all upstreams, up to 10 000 |
//! | | `rate` | no limit | letters begun per second in the continuous replay of all upstreams, up to 1 000 000 |
//! | | `max_items` | `100` | letters of a batch that does not say, up to 100 000 |
//! | | `adaptive` | `false` | whether batches that do not say choose their size; or the bounds, below |
//! | | `priority` | `false` | whether batches that do not say take the most urgent letters first |
//! | | `delivery_timeout` | | how long one delivery may take: `"60s"`, or twice the slowest upstream's timeout and 5 s |
//! | | `jobs_kept` | `100` | jobs that ended and are remembered |
//! | | `on_close` | `false` | whether a circuit that closes begins a job |
//! | | `on_close_max_items` | `50` | letters of such a job |
//! | `[replay.adaptive]` | `enabled` | `true` | whether batches that do not say choose their size |
//! | | `initial`, `min`, `max` | `50`, `10`, `100` | letters of the first batch, and the bounds |
//! | | `failure_threshold` | `0.2` | the part that must fail for the next batch to be smaller |
//! | `[governance]` | `refresh` | `"1s"` | how old what is known of the gates may be |
//! | | `patience` | `"1s"` | how long the store may take to tell |
//! | | `slo` | | the objective of upstreams that have none, such as `"0.999 over 30d"` |
//! | `[domains.x]` | `priority` | `"normal"` | of its letters: `"critical"`, `"normal"` or `"low"` |
//! | | `sla` | `letters.sla` | how long after its capture a letter is late |
//! | | `max_retries` | | replays, of any kind, after which a letter waits for a person |
//! | `[upstreams.x]` | `domain` | its name | the domain of its letters; one that is named has a table |
//! | | `slo` | `governance.slo` | a text, or `{ objective, window = "30d", burn_window = "1h", min_calls = 100 }` |
//! | | `replay.concurrency` | `4` | letters on their way at once, and room shared with live calls, up to 1 000 |
//! | | `replay.rate` | `50` | letters begun per second |
//! | | `replay.canary` | `3` | letters done one at a time before more go at once, after each transition; 0 to 1 000 |
//! | | `replay.beside_live` | `1` | letters on their way at once however busy the circuit is, 0 to 1 000 |
//! | | `replay.on_close` | all | why letters were captured that such a job takes, such as `["rejected"]` |
//!
//! ```
//! use fuseboard_server::config::Config;
//!
//! let text = r#"
//! [upstreams.payments]
//! endpoints = ["http://127.0.0.1:9000"]
//! timeout = "5 parsecs"
//!
//! [[routes]]
//! path = "/"
//! upstream = "payments"
//! "#;
//! let error = Config::parse(text, "fuseboard.toml").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "fuseboard.toml:4:11: upstreams.payments.timeout: `5 parsecs` is not possible: \
//!      expected a duration such as 250ms, 10s, 5m or 1h"
//! );
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::Rules;
use fuseboard_core::policy::Tracker;
use fuseboard_services::capture::CapturePolicy;
use fuseboard_services::domains::Domains;
use fuseboard_services::governance::Slo;
use fuseboard_services::replay::Caution;
use fuseboard_services::withhold::HeaderRules;
use fuseboard_store::Priority;
use http::{Method, StatusCode};

mod capture;
mod circuits;
mod document;
mod domains;
mod encryption;
mod error;
mod governance;
mod letters;
mod overrides;
mod pins;
mod replay;
mod routes;
mod server;
mod store;
mod upstreams;
mod values;

pub use error::ConfigError;
pub use governance::GovernanceSettings;
pub use overrides::Overrides;
pub use pins::CircuitSettings;
pub use replay::BatchSettings;
pub(crate) use store::URL;
pub use store::{DatabaseUrl, LetterStore};

use document::{Item, Source};
pub(crate) use values::nearest;

/// All that the server is told. Values of this type that come from here have passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens, and what it limits.
    pub server: Server,
    /// Where the letters are.
    pub store: LetterStore,
    /// How long pins and overrides of circuits hold.
    pub circuits: CircuitSettings,
    /// What is kept of letters, and for how long.
    pub letters: LetterSettings,
    /// What all replay may do together, and how letters are replayed when somebody asks for it.
    pub replay: BatchSettings,
    /// How the gate that every replay passes learns what it goes by.
    pub governance: GovernanceSettings,
    /// What letters inherit from their domain; of those that do not say, the SLA is `letters.sla`.
    pub domains: Arc<Domains>,
    /// The upstreams, by name. Each is a circuit of that name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Which requests go to which upstream, in the order of the file.
    pub routes: Vec<Route>,
}

/// Where the server listens, and what it limits.
#[derive(Clone, PartialEq)]
pub struct Server {
    /// The gateway's address. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// The admin API's address. Default `127.0.0.1:8081`.
    pub admin: SocketAddr,
    /// The folder of the embedded store; no letters are in it if `store` says otherwise. Default `fuseboard-data`.
    pub data: PathBuf,
    /// The largest request body, in bytes; a larger one is answered 413. Default 64 MiB.
    pub max_body: u64,
    /// The largest request head, in bytes. Default 64 KiB.
    pub max_header_bytes: usize,
    /// How many connections the gateway serves at once; more wait until one ends. Default 10 000.
    pub max_connections: usize,
    /// Names by which the admin API may be asked, beside `localhost` and its address. Lower case, without ports.
    pub admin_hosts: Vec<String>,
    /// The admin API's bearer tokens: the secret by the operator's name. Empty: none is asked for.
    pub tokens: BTreeMap<String, String>,
}

/// What is kept of letters, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct LetterSettings {
    /// How many letters may wait: those that are not resolved, discarded or expired. Default 1 000 000; in PostgreSQL as many as
    /// fit, for a limit makes captures go one after the other there.
    pub capacity: Option<u64>,
    /// How large the embedded store may grow, in bytes. Default: as large as the disk allows.
    pub max_bytes: Option<u64>,
    /// How long finished letters are kept. Default 7 days.
    pub retention: Duration,
    /// How long audit records are kept. Default 90 days.
    pub audit_retention: Duration,
    /// How many audit records may wait for the store; more are logged instead. Default 1024.
    pub audit_queue: usize,
    /// How long after its capture a letter is late whose domain does not say. Default 24 h.
    pub sla: Duration,
    /// Late letters get this priority, if it is more urgent than their own. Default: they keep theirs.
    pub raise_late: Option<Priority>,
    /// The limits of a letter's life.
    pub rules: fuseboard_core::letter::Rules,
    /// How letters are sealed. Default: they are in clear.
    pub encryption: Encryption,
    /// Headers that no letter may keep. A letter that lacks one waits for a person. Default: none.
    pub withhold: HeaderRules,
}

/// The keys that letters are sealed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The key that new letters are sealed with. `None`: they are kept in clear.
    pub current: Option<KeySetting>,
    /// Keys that only open.
    pub previous: Vec<KeySetting>,
    /// The names of keys that are gone: letters of theirs go to review, and do not keep the server from starting.
    pub lost: Vec<String>,
}

impl Encryption {
    /// All keys that there are, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &KeySetting> {
        self.current.iter().chain(&self.previous)
    }
}

/// A key by name, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetting {
    /// Its name, which stands beside all that it seals.
    pub id: String,
    /// Where it is.
    pub source: KeySource,
}

/// Where a key is. It is read when the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// A service that calls are made to, and how its circuit behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Its name, which is its circuit's.
    pub name: String,
    /// Where it is; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How long a call may take until the head of its answer. Default 10 s.
    pub timeout: Duration,
    /// How long a connection may take to come about. Default 2 s, or `timeout` if that is shorter.
    pub connect_timeout: Duration,
    /// How its circuit behaves.
    pub rules: Rules,
    /// How its letters are replayed.
    pub replay: ReplaySettings,
    /// Of which letters a job is made when its circuit closes, by why they were captured. Empty: of all.
    pub on_close: Vec<String>,
    /// The domain of its letters. Default: its name.
    pub domain: String,
    /// Its objective, and with it its error budget. Default: what `governance.slo` says.
    pub slo: Option<Slo>,
}

/// How the letters of an upstream are replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplaySettings {
    /// How many letters at once. Default 4.
    pub concurrency: usize,
    /// How many letters per second. Default 50.
    pub rate: f64,
    /// How it begins, and how it gives way to live calls. Default a canary of 3 letters, and 1 letter beside any load.
    pub caution: Caution,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        ReplaySettings { concurrency: 4, rate: 50.0, caution: Caution::default() }
    }
}

/// One address of an upstream, printed as `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Endpoint {
    /// `host:port`, as a `Host` header has it: an IPv6 address stands in brackets.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// Which requests go to an upstream, and what becomes of those that fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The beginning of the path.
    pub path: String,
    /// The host of the request, in lower case, without a port. `None`: every host.
    pub host: Option<String>,
    /// The methods. Empty: all.
    pub methods: Vec<Method>,
    /// The upstream's name.
    pub upstream: String,
    /// What is a failure. Default `5xx | 429 | connect | timeout | reset`.
    pub failure: Tracker,
    /// Whether a request may be made twice without harm. Default `false`.
    pub idempotent: bool,
    /// What to do, in order, with a request that could not be done.
    pub fallback: Vec<Fallback>,
    /// What becomes a letter. Default: whatever comes to a `queue` in `fallback`.
    pub capture: CapturePolicy,
    /// The largest body that is queued, in bytes. Default 1 MiB.
    pub queue_body: u64,
}

/// What to do with a request that could not be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Fallback {
    /// Keep it as a letter and answer `202 Accepted`.
    Queue,
    /// Answer with the same thing always.
    Answer(StaticAnswer),
}

/// An answer that is always the same.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticAnswer {
    /// The HTTP status, 200 to 599.
    pub status: StatusCode,
    /// The body. Default empty.
    pub body: Bytes,
    /// The body's media type. Default `text/plain; charset=utf-8`.
    pub content_type: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secrets stay out of logs.
        let tokens: Vec<&String> = self.tokens.keys().collect();
        f.debug_struct("Server")
            .field("listen", &self.listen)
            .field("admin", &self.admin)
            .field("data", &self.data)
            .field("max_body", &self.max_body)
            .field("max_header_bytes", &self.max_header_bytes)
            .field("max_connections", &self.max_connections)
            .field("admin_hosts", &self.admin_hosts)
            .field("tokens", &tokens)
            .finish()
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read; or what [`Config::parse`] refuses.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| ConfigError::unreadable(&file, error.to_string()))?;
        let text = String::from_utf8(bytes)
            .map_err(|error| ConfigError::unreadable(&file, error.to_string()))?;
        Config::parse(&text, &file)
    }

    /// Reads TOML; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file, the line, the column, the key, the value, and what would be right.
    pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
        const KEYS: &[&str] = &[
            "server",
            "store",
            "circuits",
            "letters",
            "replay",
            "governance",
            "domains",
            "defaults",
            "upstreams",
            "routes",
        ];
        let source = Source::new(file, text);
        let document = source.read()?;
        let root = Item::root(&source, &document).section(KEYS)?;
        let server = server::read(&root)?;
        let store = store::read(&root)?;
        let letters = letters::read(&root, &store)?;
        let circuits = pins::read(&root)?;
        let governance = governance::read(&root)?;
        let domains = Arc::new(domains::read(&root, letters.sla)?);
        let upstreams = upstreams::read(&root, &domains)?;
        let replay = replay::read(&root, &domains, &upstreams)?;
        let routes = routes::read(&root, &upstreams)?;
        Ok(Config {
            server,
            store,
            circuits,
            letters,
            replay,
            governance,
            domains,
            upstreams,
            routes,
        })
    }
}
