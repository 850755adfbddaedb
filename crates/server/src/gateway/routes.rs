//! Which route a request takes: the longest path prefix wins, then the one that names a host, then methods.

use std::sync::Arc;

use fuseboard_core::policy::Tracker;
use fuseboard_services::capture::{CaptureRule, Idempotent, changes_something};
use fuseboard_store::Letter;
use http::Method;

use super::upstream::Upstream;
use crate::config::{Config, Fallback};

/// A route with its upstream.
#[derive(Debug)]
pub(crate) struct Route {
    path: String,
    host: Option<String>,
    methods: Vec<Method>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) failure: Tracker,
    pub(crate) capture: CaptureRule,
    pub(crate) fallback: Vec<Fallback>,
    pub(crate) queue_body: u64,
}

/// All routes, the most particular first.
#[derive(Debug)]
pub(crate) struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    /// The routes of `config`, whose upstreams `find` gives. A route whose upstream it does not give is left out: the
    /// configuration's checks do not let that happen.
    pub(crate) fn new(config: &Config, find: impl Fn(&str) -> Option<Arc<Upstream>>) -> Self {
        let route = |route: &crate::config::Route| {
            Some(Route {
                path: route.path.clone(),
                host: route.host.as_ref().map(|host| host.to_ascii_lowercase()),
                methods: route.methods.clone(),
                upstream: find(&route.upstream)?,
                failure: route.failure.clone(),
                capture: CaptureRule {
                    policy: route.capture,
                    idempotent: match route.idempotent {
                        true => Idempotent::Always,
                        false => Idempotent::ByKey,
                    },
                },
                fallback: route.fallback.clone(),
                queue_body: route.queue_body,
            })
        };
        let mut routes: Vec<Route> = config.routes.iter().filter_map(route).collect();
        let particular =
            |route: &Route| (route.path.len(), route.host.is_some(), !route.methods.is_empty());
        routes.sort_by_key(|route| std::cmp::Reverse(particular(route)));
        Routes { routes }
    }

    /// The route of a request; `host` is without its port.
    pub(crate) fn find(&self, host: Option<&str>, method: &Method, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.takes(host, method, path))
    }
}

impl Route {
    fn takes(&self, host: Option<&str>, method: &Method, path: &str) -> bool {
        let host_fits = match (&self.host, host) {
            (None, _) => true,
            (Some(wanted), Some(host)) => host.eq_ignore_ascii_case(wanted),
            (Some(_), None) => false,
        };
        host_fits
            && (self.methods.is_empty() || self.methods.contains(method))
            && path_begins_with(path, &self.path)
    }

    /// Whether a request of this method may become a letter here.
    pub(crate) fn queues(&self, method: &Method) -> bool {
        changes_something(method.as_str()) && !self.capture.policy.is_nothing()
    }
}

/// Whether `path` is `prefix` or below it: `/pay` takes `/pay` and `/pay/1`, but not `/payments`.
fn path_begins_with(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

impl Routes {
    /// The route that a letter came by, as the routes are now.
    pub(crate) fn of(&self, letter: &Letter) -> Option<&Route> {
        let host = letter.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = host.and_then(|(_, value)| std::str::from_utf8(value).ok()).map(without_port);
        let method = Method::from_bytes(letter.method.as_bytes()).ok()?;
        let path = letter.uri.split('?').next().unwrap_or_default();
        self.find(host, &method, path)
    }
}

/// A `Host` header's value without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
