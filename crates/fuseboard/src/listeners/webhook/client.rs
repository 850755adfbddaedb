//! The HTTP client: one POST, and what its answer means.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::WebhookError;
use super::outbox::Answer;

/// How much of an answer is read, in bytes. It is for people: what went wrong.
const READ: u64 = 500;

/// Posts to one address.
pub(super) struct Client {
    agent: ureq::Agent,
    url: Uri,
    headers: HeaderMap,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A webhook's path and headers are its password.
        f.debug_struct("Client").field("host", &self.url.host()).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(
        url: Uri,
        headers: HeaderMap,
        timeout: Duration,
        direct: bool,
    ) -> Result<Self, WebhookError> {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // A POST that follows a redirect becomes a GET, or goes to whom nobody named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Messages are rare: a kept connection would mostly be found dead.
            .max_idle_connections(0)
            .user_agent(concat!("fuseboard/", env!("CARGO_PKG_VERSION")));
        if url.scheme_str() == Some("https") {
            config = config.tls_config(tls()?);
        }
        if direct {
            config = config.proxy(None);
        }
        Ok(Client { agent: config.build().new_agent(), url, headers })
    }

    /// Posts `body`, which is JSON. Returns within the timeout.
    pub(super) fn post(&self, body: &str) -> Answer {
        let mut request = self.agent.post(&self.url).content_type("application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match request.send(body) {
            Ok(mut answer) => {
                let mut said = Vec::new();
                // An answer that breaks off has still said its status.
                let _ = answer.body_mut().as_reader().take(READ).read_to_end(&mut said);
                judge(answer.status(), answer.headers(), &String::from_utf8_lossy(&said))
            }
            Err(error) => Answer::Again { error: error.to_string(), retry_after: None },
        }
    }
}

/// As replays judge answers: done, again later, or never.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, said: &str) -> Answer {
    if status.is_success() {
        return Answer::Done;
    }
    let colon = if said.trim().is_empty() { "" } else { ": " };
    let error = format!("answered {}{colon}{}", status.as_u16(), said.trim());
    match status.as_u16() {
        408 | 425 | 429 | 500.. => Answer::Again { error, retry_after: retry_after(headers) },
        _ => Answer::Never { error },
    }
}

/// The delay in seconds of a `Retry-After`. A date, which needs synchronised clocks to mean anything, is not used.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(ureq::http::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The system's certificate authorities, so that a company's own are trusted, too.
fn tls() -> Result<TlsConfig, WebhookError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(WebhookError::NoAuthorities(errors.join("; ")));
    }
    let roots = found.certs.iter().map(|found| Certificate::from_der(found).to_owned());
    let provider = rustls::crypto::ring::default_provider();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(provider))
        .build())
}

/// `url`, if it can be posted to. No error repeats it: whoever knows it can post, too.
pub(super) fn parse_url(url: &str) -> Result<Uri, WebhookError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(WebhookError::Url("does not begin with `https://` or `http://`"));
    }
    let url: Option<Uri> = url.parse().ok();
    let with_host = url.filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    with_host.ok_or(WebhookError::Url("cannot be read as one"))
}

pub(super) fn parse_header(
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), WebhookError> {
    let refused = || WebhookError::Header(name.to_owned());
    Ok((name.parse().map_err(|_| refused())?, value.parse().map_err(|_| refused())?))
}
