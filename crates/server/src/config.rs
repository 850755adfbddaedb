//! The configuration: what the server is told, from a file or from the command line, checked before anything starts.
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
use std::time::Duration;

use bytes::Bytes;
use fuseboard_core::Rules;
use fuseboard_core::policy::Tracker;
use http::{Method, StatusCode};

mod circuits;
mod document;
mod error;
mod letters;
mod overrides;
mod routes;
mod server;
mod upstreams;
mod values;

pub use error::ConfigError;
pub use overrides::Overrides;

use document::{Item, Source};

/// All that the server is told. Values of this type that come from here have passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens, and what it limits.
    pub server: Server,
    /// What is kept of letters, and for how long.
    pub letters: LetterSettings,
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
    /// The folder of the embedded store. Default `fuseboard-data`.
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
    /// How many letters may wait: those that are not resolved, discarded or expired. Default 1 000 000.
    pub capacity: u64,
    /// How large the store may grow, in bytes. Default: as large as the disk allows.
    pub max_bytes: Option<u64>,
    /// How long finished letters are kept. Default 7 days.
    pub retention: Duration,
    /// The limits of a letter's life.
    pub rules: fuseboard_core::letter::Rules,
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
}

/// How the letters of an upstream are replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplaySettings {
    /// How many letters at once. Default 4.
    pub concurrency: usize,
    /// How many letters per second. Default 50.
    pub rate: f64,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        ReplaySettings { concurrency: 4, rate: 50.0 }
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
        const KEYS: &[&str] = &["server", "letters", "defaults", "upstreams", "routes"];
        let source = Source::new(file, text);
        let document = source.read()?;
        let root = Item::root(&source, &document).section(KEYS)?;
        let server = server::read(&root)?;
        let letters = letters::read(&root)?;
        let upstreams = upstreams::read(&root)?;
        let routes = routes::read(&root, &upstreams)?;
        Ok(Config { server, letters, upstreams, routes })
    }
}
