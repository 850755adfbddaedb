//! The section `[server]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::document::{Item, Section};
use super::values::host;
use super::{ConfigError, Server};

const KEYS: &[&str] = &[
    "listen",
    "admin",
    "admin_hosts",
    "data",
    "max_body",
    "max_header_bytes",
    "max_connections",
    "tokens",
];
const ADDRESS: &str = "an address such as 127.0.0.1:8080 or [::1]:8080";

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 8081)),
            data: PathBuf::from("fuseboard-data"),
            max_body: 64 << 20,
            max_header_bytes: 64 << 10,
            max_connections: 10_000,
            admin_hosts: Vec::new(),
            tokens: BTreeMap::new(),
        }
    }
}

/// Which of the two addresses cannot be, beside the other and the tokens.
#[derive(Debug)]
pub(super) enum Conflict {
    /// Both listeners would have the same.
    Same,
    /// Anyone on the network could steer the server.
    Unguarded,
}

impl Conflict {
    /// What would be right for the admin address.
    pub(super) fn right(&self, server: &Server) -> String {
        match self {
            Conflict::Same => format!("expected another address than listen ({})", server.listen),
            Conflict::Unguarded => {
                "expected a loopback address such as 127.0.0.1:8081, or a token \
                                    for each operator in [server.tokens]"
                    .to_owned()
            }
        }
    }
}

impl Server {
    /// Checks the two addresses and the tokens against each other.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let (listen, admin) = (self.listen, self.admin);
        let overlap = listen.ip() == admin.ip()
            || listen.ip().is_unspecified()
            || admin.ip().is_unspecified();
        if overlap && listen.port() == admin.port() && listen.port() != 0 {
            return Err(Conflict::Same);
        }
        if !admin.ip().is_loopback() && self.tokens.is_empty() {
            return Err(Conflict::Unguarded);
        }
        Ok(())
    }
}

pub(super) fn read(root: &Section<'_>) -> Result<Server, ConfigError> {
    let mut server = Server::default();
    let Some(item) = root.get("server") else { return Ok(server) };
    let section = item.section(KEYS)?;
    if let Some(item) = section.get("listen") {
        server.listen = address(&item)?;
    }
    if let Some(item) = section.get("admin") {
        server.admin = address(&item)?;
    }
    if let Some(item) = section.get("data") {
        server.data = item.parsed("a folder", |text| (!text.is_empty()).then(|| text.into()))?;
    }
    if let Some(item) = section.get("max_body") {
        server.max_body = item.size(1..=1 << 40)?;
    }
    if let Some(item) = section.get("max_header_bytes") {
        // Less than 8 KiB is less than the HTTP implementation can do.
        server.max_header_bytes = item.size(8 << 10..=16 << 20)? as usize;
    }
    if let Some(item) = section.get("max_connections") {
        server.max_connections = item.whole(1..=1_000_000)? as usize;
    }
    if let Some(item) = section.get("admin_hosts") {
        let hosts = item.list("a list such as [\"fuseboard.internal\"]")?;
        server.admin_hosts = hosts.iter().map(host).collect::<Result<_, _>>()?;
    }
    if let Some(item) = section.get("tokens") {
        server.tokens = tokens(item)?;
    }
    check(&server, &section)?;
    Ok(server)
}

fn address(item: &Item<'_>) -> Result<SocketAddr, ConfigError> {
    item.parsed(ADDRESS, |text| text.parse().ok())
}

fn tokens(item: Item<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    const EXPECTED: &str = "expected a secret of at least one visible ASCII character, no spaces";
    let mut tokens = BTreeMap::new();
    let section = item.open_section()?;
    for (name, _) in section.entries() {
        let item = section.need(name, "a secret")?;
        let secret = item.text("a secret").map_err(|_| item.refuse_secret(EXPECTED))?;
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(item.refuse_secret(EXPECTED));
        }
        if name.is_empty() || tokens.values().any(|other| other == secret) {
            return Err(item.refuse_secret("expected a name, and a secret that no other name has"));
        }
        tokens.insert(name.to_owned(), secret.to_owned());
    }
    Ok(tokens)
}

/// Reports a conflict at the admin address if that is in the file, or else at what brought it about.
fn check(server: &Server, section: &Section<'_>) -> Result<(), ConfigError> {
    let Err(conflict) = server.check() else { return Ok(()) };
    if let Some(item) = section.get("admin") {
        return Err(item.refuse(&conflict.right(server)));
    }
    let right = format!("expected another address than admin ({})", server.admin);
    let item = section.get("listen").unwrap_or_else(|| section.item().clone());
    Err(item.refuse(&right))
}
