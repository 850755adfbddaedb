//! Where the server is, taken apart: what the driver is told, and what may be shown.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// A URL that names no server that can be connected to. It does not say what the URL is: a password may be in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadUrl {
    #[error("expected a URL such as postgresql://user@host:5432/database?sslmode=verify-full")]
    NotAUrl,
    #[error("sslmode must be one of disable, prefer, require and verify-full")]
    UnknownSslMode,
    #[error("the URL names no host")]
    NoHost,
    #[error("the URL has an option or a value that is not known")]
    UnknownOption,
}

/// A server, with all that it takes to connect to it.
pub(crate) struct Server {
    /// The hosts that it may be on, in the order in which they are tried.
    pub(crate) hosts: Vec<Config>,
    /// Whether the server's certificate must be valid for its name.
    pub(crate) verify: bool,
}

impl FromStr for Server {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Self, BadUrl> {
        if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
            return Err(BadUrl::NotAUrl);
        }
        let (base, options) = url.split_once('?').unwrap_or((url, ""));
        let (mut ssl_mode, mut verify) = (SslMode::Prefer, false);
        let mut others = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.strip_prefix("sslmode=") {
                Some(word) => (ssl_mode, verify) = mode(word)?,
                None => others.push(option),
            }
        }
        let rest = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        let host = |url: String| configure(&format!("{url}{rest}"), ssl_mode);
        let hosts = one_each(base).map(host).collect::<Result<_, _>>()?;
        Ok(Server { hosts, verify })
    }
}

/// The same URL for each of its hosts.
fn one_each(base: &str) -> impl Iterator<Item = String> {
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let begin = base[scheme..].find('@').map_or(scheme, |at| scheme + at + 1);
    let end = base[begin..].find('/').map_or(base.len(), |at| begin + at);
    let (before, hosts, after) = (&base[..begin], &base[begin..end], &base[end..]);
    hosts.split(',').map(move |host| format!("{before}{host}{after}"))
}

fn configure(url: &str, ssl_mode: SslMode) -> Result<Config, BadUrl> {
    // The driver's own error may quote the URL, and with it the password.
    let mut config: Config = url.parse().map_err(|_| BadUrl::UnknownOption)?;
    if config.get_hosts().is_empty() {
        return Err(BadUrl::NoHost);
    }
    if config.get_application_name().is_none() {
        config.application_name("fuseboard");
    }
    // A standby that has not taken over, or a primary that has become one, is of no use here.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.ssl_mode(ssl_mode).keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

fn mode(word: &str) -> Result<(SslMode, bool), BadUrl> {
    match word {
        "disable" => Ok((SslMode::Disable, false)),
        "prefer" => Ok((SslMode::Prefer, false)),
        "require" => Ok((SslMode::Require, false)),
        "verify-full" => Ok((SslMode::Require, true)),
        _ => Err(BadUrl::UnknownSslMode),
    }
}

/// The server without user and password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        let mut comma = "";
        for config in &self.hosts {
            for (index, host) in config.get_hosts().iter().enumerate() {
                match host {
                    Host::Tcp(name) => write!(f, "{comma}{name}")?,
                    #[cfg(unix)]
                    Host::Unix(folder) => write!(f, "{comma}{}", folder.display())?,
                }
                let ports = config.get_ports();
                if let Some(port) = ports.get(index).or(ports.first()) {
                    write!(f, ":{port}")?;
                }
                comma = ",";
            }
        }
        let database = self.hosts.iter().find_map(Config::get_dbname);
        write!(f, "/{}", database.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_how_far_tls_goes() {
        let table = [
            ("", SslMode::Prefer, false),
            ("?sslmode=disable", SslMode::Disable, false),
            ("?sslmode=prefer", SslMode::Prefer, false),
            ("?application_name=x&sslmode=require", SslMode::Require, false),
            ("?sslmode=verify-full&application_name=x", SslMode::Require, true),
        ];
        for (options, mode, verify) in table {
            let server: Server = format!("postgres://u@db/x{options}").parse().unwrap();
            let said = (server.hosts[0].get_ssl_mode(), server.verify);
            assert_eq!(said, (mode, verify), "{options}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_being_quoted() {
        let urls = [
            "host=db password=hush",
            "postgres://u:hush@db/x?sslmode=verify-ca",
            "postgres://u:hush@db:hush/x",
            "postgres://u:hush@db/x?hush=1",
            "postgres://u:hush@/x",
        ];
        for url in urls {
            let error = url.parse::<Server>().map(|_| ()).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let table = [
            ("postgres://u:hush@db:5433/x?sslmode=require", "postgresql://db:5433/x"),
            ("postgres://u:h,u/s:h@a,b:5433,[::1]:1/x", "postgresql://a:5432,b:5433,::1:1/x"),
            ("postgres://u@%2Frun%2Fpg/x", "postgresql:///run/pg:5432/x"),
            ("postgres://u:hush@a,b", "postgresql://a:5432,b:5432/"),
        ];
        for (url, shown) in table {
            let server: Server = url.parse().unwrap();
            assert_eq!(server.to_string(), shown);
        }
    }
}
