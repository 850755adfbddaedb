//! What the command line says instead of the file, or without one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use fuseboard_services::domains::Domains;

use super::circuits::default_rules;
use super::upstreams::{CONNECT_TIMEOUT, TIMEOUT};
use super::values::parse_endpoint;
use super::{
    BatchSettings, CircuitSettings, Config, ConfigError, Endpoint, Fallback, GovernanceSettings,
    LetterSettings, LetterStore, ReplaySettings, Route, Server, Upstream,
};

/// What goes before the file and the defaults; `None` changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--admin`.
    pub admin: Option<SocketAddr>,
    /// `--data`.
    pub data: Option<PathBuf>,
}

/// The only upstream's name.
const NAME: &str = "upstream";

impl Config {
    /// A configuration for one upstream at `url`, called `upstream`: everything goes to it, and what fails is queued.
    ///
    /// # Errors
    ///
    /// A URL that is not `http://host:port`; addresses that cannot be.
    ///
    /// ```
    /// use fuseboard_server::config::{Config, Overrides};
    ///
    /// let config = Config::for_upstream("http://127.0.0.1:9000", &Overrides::default())?;
    /// assert_eq!(config.upstreams["upstream"].endpoints[0].port, 9000);
    /// # Ok::<(), fuseboard_server::config::ConfigError>(())
    /// ```
    pub fn for_upstream(url: &str, overrides: &Overrides) -> Result<Config, ConfigError> {
        Config::for_endpoints(&[url.to_owned()], overrides)
    }

    /// As [`Config::for_upstream`], for an upstream that has several addresses.
    ///
    /// # Errors
    ///
    /// No URL, one that is not `http://host:port`; addresses that cannot be.
    pub fn for_endpoints(urls: &[String], overrides: &Overrides) -> Result<Config, ConfigError> {
        let endpoints: Vec<Endpoint> =
            urls.iter().map(|url| endpoint(url)).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(option("--upstream", "", "expected http://host:port"));
        }
        let upstream = Upstream {
            name: NAME.to_owned(),
            endpoints,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            rules: default_rules(TIMEOUT),
            replay: ReplaySettings::default(),
            on_close: Vec::new(),
            domain: NAME.to_owned(),
            slo: None,
        };
        let upstreams = BTreeMap::from([(NAME.to_owned(), upstream)]);
        let domains = Arc::new(Domains::default());
        let config = Config {
            server: Server::default(),
            store: LetterStore::default(),
            circuits: CircuitSettings::default(),
            letters: LetterSettings::default(),
            replay: BatchSettings::of(&domains, &upstreams),
            governance: GovernanceSettings::default(),
            domains,
            upstreams,
            routes: vec![Route { fallback: vec![Fallback::Queue], ..Route::to(NAME) }],
        };
        config.with(overrides)
    }

    /// The same with what the command line says instead.
    ///
    /// # Errors
    ///
    /// Addresses that cannot be: the same one twice, or an admin address off loopback without tokens.
    pub fn with(mut self, overrides: &Overrides) -> Result<Config, ConfigError> {
        let Overrides { listen, admin, data } = overrides;
        self.server.listen = listen.unwrap_or(self.server.listen);
        self.server.admin = admin.unwrap_or(self.server.admin);
        if let Some(data) = data {
            self.server.data = data.clone();
        }
        match self.server.check() {
            Ok(()) => Ok(self),
            Err(conflict) => {
                let right = conflict.right(&self.server);
                Err(option("--admin", &self.server.admin.to_string(), &right))
            }
        }
    }
}

fn endpoint(url: &str) -> Result<Endpoint, ConfigError> {
    parse_endpoint(url).map_err(|right| option("--upstream", url, &right))
}

fn option(option: &'static str, value: &str, expected: &str) -> ConfigError {
    ConfigError::Option { option, value: value.to_owned(), expected: expected.to_owned() }
}
