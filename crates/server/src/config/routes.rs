//! The tables `[[routes]]`.

use std::collections::BTreeMap;

use bytes::Bytes;
use fuseboard_core::policy::Tracker;
use fuseboard_services::capture::CapturePolicy;
use http::{HeaderValue, Method, StatusCode};

use super::capture;
use super::document::{Item, Section};
use super::values::{host, nearest};
use super::{ConfigError, Fallback, Route, StaticAnswer, Upstream};

const KEYS: &[&str] = &[
    "path",
    "host",
    "methods",
    "upstream",
    "failure",
    "idempotent",
    "fallback",
    "capture",
    "queue_body",
];
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];
/// The paths under which the gateway itself answers.
const OWN_PATHS: &str = "/.fuseboard";
const PATH: &str = "expected the beginning of a path, such as /payments/";

impl Route {
    /// A route of everything to `upstream`, without a fallback.
    pub(super) fn to(upstream: &str) -> Self {
        Route {
            path: "/".to_owned(),
            host: None,
            methods: Vec::new(),
            upstream: upstream.to_owned(),
            failure: default_failure(),
            idempotent: false,
            fallback: Vec::new(),
            capture: CapturePolicy::NOTHING,
            queue_body: 1 << 20,
        }
    }

    /// Whether both would take the same request, and nothing tells which.
    fn collides_with(&self, other: &Route) -> bool {
        let same_methods = match (self.methods.as_slice(), other.methods.as_slice()) {
            ([], []) => true,
            (mine, theirs) => mine.iter().any(|method| theirs.contains(method)),
        };
        self.path == other.path && self.host == other.host && same_methods
    }
}

fn default_failure() -> Tracker {
    "5xx | 429 | connect | timeout | reset".parse().expect("the text is a tracker, as a test shows")
}

pub(super) fn read(
    root: &Section<'_>,
    upstreams: &BTreeMap<String, Upstream>,
) -> Result<Vec<Route>, ConfigError> {
    const EXPECTED: &str = "at least one table [[routes]] with path and upstream";
    let mut routes: Vec<(Route, usize)> = Vec::new();
    for item in root.need("routes", EXPECTED)?.list(EXPECTED)? {
        let line = item.line();
        let section = item.section(KEYS)?;
        let route = route(&section, upstreams)?;
        let earlier = routes.iter().find(|(earlier, _)| earlier.collides_with(&route));
        if let Some((_, line)) = earlier {
            let right = format!("the route on line {line} has the same path, host and methods");
            return Err(section.need("path", PATH)?.refuse(&right));
        }
        routes.push((route, line));
    }
    Ok(routes.into_iter().map(|(route, _)| route).collect())
}

fn route(
    section: &Section<'_>,
    upstreams: &BTreeMap<String, Upstream>,
) -> Result<Route, ConfigError> {
    let upstream = upstream(section, upstreams)?;
    let mut route = Route { path: path(section)?, ..Route::to(&upstream) };
    route.host = section.get("host").map(|item| host(&item)).transpose()?;
    if let Some(item) = section.get("methods") {
        let items = item.list("a list such as [\"GET\", \"POST\"], or no methods for all")?;
        route.methods = items.iter().map(method).collect::<Result<_, _>>()?;
    }
    if let Some(item) = section.get("failure") {
        route.failure = failure(&item)?;
    }
    if let Some(item) = section.get("idempotent") {
        route.idempotent = item.boolean()?;
    }
    if let Some(item) = section.get("fallback") {
        route.fallback = fallbacks(&item)?;
    }
    route.capture = capture::read(section, &route)?;
    if let Some(item) = section.get("queue_body") {
        route.queue_body = item.size(0..=1 << 30)?;
    }
    Ok(route)
}

fn upstream(
    section: &Section<'_>,
    upstreams: &BTreeMap<String, Upstream>,
) -> Result<String, ConfigError> {
    const EXPECTED: &str = "the name of an upstream";
    let item = section.need("upstream", EXPECTED)?;
    let name = item.text(EXPECTED)?;
    if upstreams.contains_key(name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = upstreams.keys().map(String::as_str).collect();
    let meant = nearest(name, names.iter().copied());
    let hint = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
    Err(item.refuse(&format!("{hint}expected one of the upstreams: {}", names.join(", "))))
}

fn path(section: &Section<'_>) -> Result<String, ConfigError> {
    let item = section.need("path", "the beginning of a path, such as /payments/")?;
    let path = item.text("the beginning of a path, such as /payments/")?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '?' && c != '#';
    if !path.starts_with('/') || !path.chars().all(plain) {
        return Err(item.refuse(PATH));
    }
    let own = path.strip_prefix(OWN_PATHS);
    if own.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Err(item.refuse(&format!("{PATH}; {OWN_PATHS}/ belongs to the gateway itself")));
    }
    Ok(path.to_owned())
}

fn method(item: &Item<'_>) -> Result<Method, ConfigError> {
    let names = METHODS.map(|method| method.to_string()).join(", ");
    let expected = format!("one of {names}");
    item.parsed(&expected, |text| METHODS.into_iter().find(|method| method.as_str() == text))
}

fn failure(item: &Item<'_>) -> Result<Tracker, ConfigError> {
    let items = item.list("a list such as [\"5xx\", \"429\", \"connect\", \"timeout\"]")?;
    let read = |item: &Item<'_>| item.policy("a tracker such as 5xx or timeout");
    let trackers: Vec<Tracker> = items.iter().map(read).collect::<Result<_, _>>()?;
    let either = trackers.into_iter().reduce(|either, tracker| either | tracker);
    let tracker = either.unwrap_or(Tracker::Nothing);
    tracker.validate().map_err(|invalid| item.refuse_value(invalid.value(), invalid.expected()))?;
    Ok(tracker)
}

fn fallbacks(item: &Item<'_>) -> Result<Vec<Fallback>, ConfigError> {
    let mut fallbacks = Vec::new();
    for item in item.list("a list such as [\"queue\", { status = 503, body = \"later\" }]")? {
        if matches!(fallbacks.last(), Some(Fallback::Answer(_))) {
            return Err(item.refuse("expected nothing after an answer, which always applies"));
        }
        fallbacks.push(fallback(item)?);
    }
    Ok(fallbacks)
}

fn fallback(item: Item<'_>) -> Result<Fallback, ConfigError> {
    const EXPECTED: &str = "\"queue\" or an answer such as { status = 503, body = \"later\" }";
    if item.is_table() {
        return answer(item).map(Fallback::Answer);
    }
    item.parsed(EXPECTED, |text| (text == "queue").then_some(Fallback::Queue))
}

fn answer(item: Item<'_>) -> Result<StaticAnswer, ConfigError> {
    let section = item.section(&["status", "body", "content_type"])?;
    let status = section.need("status", "a status from 200 to 599")?;
    let code = status.whole(200..=599)? as u16;
    let status = StatusCode::from_u16(code).map_err(|error| status.refuse(&error.to_string()))?;
    let body = match section.get("body") {
        Some(item) => Bytes::from(item.text("a text")?.to_owned()),
        None => Bytes::new(),
    };
    let content_type = match section.get("content_type") {
        Some(item) => item.parsed("a media type such as application/json", |text| {
            let possible = text.contains('/') && HeaderValue::from_str(text).is_ok();
            possible.then(|| text.to_owned())
        })?,
        None => "text/plain; charset=utf-8".to_owned(),
    };
    Ok(StaticAnswer { status, body, content_type })
}
