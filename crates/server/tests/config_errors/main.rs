//! What a configuration file may say, and what is said of one that cannot be used.
#![cfg(test)]

use std::time::Duration;

use fuseboard_core::Rules;
use fuseboard_core::policy::Tracker;
use fuseboard_server::config::{
    Config, ConfigError, Endpoint, Fallback, Overrides, ReplaySettings, StaticAnswer,
};
use fuseboard_services::replay::Caution;
use http::{Method, StatusCode};

mod capture;
mod circuits;
mod letters;
mod operations;

/// Seven lines that say as little as a configuration can say. Line 3 is room in the upstream, line 7 in the route.
const LEAST: &str = r#"[upstreams.payments]
endpoints = ["http://127.0.0.1:9000"]
# in the upstream

[[routes]]
path = "/payments/"
upstream = "payments"
"#;

const EVERYTHING: &str = r#"
[server]
listen = "0.0.0.0:80"
admin = "0.0.0.0:8081"
data = "state"
max_body = "10MB"
max_header_bytes = "16KiB"
tokens = { ops = "s3cret", bot = "0ther" }
max_connections = 500
admin_hosts = ["Fuseboard.internal"]

[letters]
capacity = 5_000
max_bytes = "2GiB"
retention = "1d12h"
max_attempts = 3
max_crashes = 2
retry = "cooldown(5s)"

[defaults]
window = "time(60s)"
trip = "failure_streak(3) | min_requests(20) & failure_rate(0.5)"
retry = "backoff(1s, max=1m)"
permit = "random(0.5)"
slots = 2
recovery = "successes(2)"
probe_timeout = "30s"
cancelled_after = "never"

[upstreams.payments]
endpoints = ["http://10.0.0.5:9000", "http://[::1]/"]
timeout = "5s"
connect_timeout = "500ms"
replay = { concurrency = 8, rate = 0.5 }

[upstreams."orders@eu"]
endpoints = ["http://orders.internal:80"]
trip = "failure_streak(1)"
slots = 1
cancelled_after = "1s"

[[routes]]
path = "/payments/"
host = "API.example.com"
methods = ["POST", "PUT"]
upstream = "payments"
failure = ["5xx & !501", "429"]
idempotent = true
fallback = ["queue", { status = 503, body = "{}", content_type = "application/json" }]
queue_body = "64KiB"

[[routes]]
path = "/payments/"
host = "api.example.com"
methods = ["GET"]
upstream = "orders@eu"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "f.toml")
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    match parse(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => assert_eq!(error.to_string(), expected, "\n{text}"),
    }
}

/// A file that begins with the seven lines of [`LEAST`].
fn followed_by(lines: &str) -> String {
    format!("{LEAST}{lines}")
}

/// [`LEAST`] with its line 3, in the upstream, replaced.
fn in_upstream(line: &str) -> String {
    LEAST.replace("# in the upstream", line)
}

#[test]
fn the_least_that_can_be_said_gets_every_default() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.admin, "127.0.0.1:8081".parse().unwrap());
    assert_eq!(config.server.data.to_str(), Some("fuseboard-data"));
    assert_eq!((config.server.max_body, config.server.max_header_bytes), (64 << 20, 64 << 10));
    assert_eq!(config.server.max_connections, 10_000);
    assert!(config.server.tokens.is_empty() && config.server.admin_hosts.is_empty());

    assert_eq!((config.letters.capacity, config.letters.max_bytes), (Some(1_000_000), None));
    assert_eq!(config.letters.retention, Duration::from_secs(7 * 86_400));
    assert_eq!(config.letters.rules, fuseboard_core::letter::Rules::default());

    let upstream = &config.upstreams["payments"];
    assert_eq!(upstream.name, "payments");
    assert_eq!(upstream.endpoints, [Endpoint { host: "127.0.0.1".to_owned(), port: 9000 }]);
    assert_eq!(upstream.timeout, Duration::from_secs(10));
    assert_eq!(upstream.connect_timeout, Duration::from_secs(2));
    let caution = Caution { canary: 3, beside_live: 1 };
    assert_eq!(upstream.replay, ReplaySettings { concurrency: 4, rate: 50.0, caution });
    let rules = Rules::builder().cancelled_after(Duration::from_secs(5)).build().unwrap();
    assert_eq!(upstream.rules, rules);

    let [route] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!((route.path.as_str(), route.upstream.as_str()), ("/payments/", "payments"));
    assert_eq!((route.host.as_deref(), route.methods.len()), (None, 0));
    assert_eq!(route.failure.to_string(), "5xx | 429 | connect | timeout | reset");
    assert_eq!((route.idempotent, route.queue_body), (false, 1 << 20));
    assert_eq!((route.fallback.len(), route.capture.to_string().as_str()), (0, "nothing"));
}

#[test]
fn every_key_is_read() {
    let config = parse(EVERYTHING).unwrap();
    let server = &config.server;
    assert_eq!(server.listen, "0.0.0.0:80".parse().unwrap());
    assert_eq!(server.admin, "0.0.0.0:8081".parse().unwrap());
    assert_eq!((server.max_body, server.max_header_bytes), (10_000_000, 16_384));
    assert_eq!(server.data.to_str(), Some("state"));
    assert_eq!(server.tokens["ops"], "s3cret");
    assert_eq!((server.max_connections, &*server.admin_hosts[0]), (500, "fuseboard.internal"));

    let letters = &config.letters;
    assert_eq!((letters.capacity, letters.max_bytes), (Some(5_000), Some(2 << 30)));
    assert_eq!(letters.retention, Duration::from_secs(36 * 3600));
    assert_eq!((letters.rules.max_attempts, letters.rules.max_crashes), (3, 2));
    assert_eq!(letters.rules.retry.to_string(), "cooldown(5s)");

    let payments = &config.upstreams["payments"];
    let endpoints: Vec<String> = payments.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(endpoints, ["http://10.0.0.5:9000", "http://[::1]:80"]);
    assert_eq!(payments.endpoints[1].host, "::1");
    assert_eq!(payments.timeout, Duration::from_secs(5));
    assert_eq!(payments.connect_timeout, Duration::from_millis(500));
    let caution = Caution::default();
    assert_eq!(payments.replay, ReplaySettings { concurrency: 8, rate: 0.5, caution });
    assert_eq!(payments.rules.window().to_string(), "time(1m)");
    assert_eq!(payments.rules.retry().to_string(), "backoff(1s, max=1m)");
    assert_eq!(payments.rules.permit().to_string(), "random(0.5)");
    assert_eq!(payments.rules.recovery().to_string(), "successes(2)");
    assert_eq!((payments.rules.slots(), payments.rules.cancelled_after()), (2, None));
    assert_eq!(payments.rules.probe_timeout(), Duration::from_secs(30));

    let orders = &config.upstreams["orders@eu"].rules;
    assert_eq!(orders.tripper().to_string(), "failure_streak(1)");
    assert_eq!(orders.window().to_string(), "time(1m)", "what it does not say is the default's");
    assert_eq!((orders.slots(), orders.cancelled_after()), (1, Some(Duration::from_secs(1))));

    let [first, second] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!(first.host.as_deref(), Some("api.example.com"));
    assert_eq!(first.methods, [Method::POST, Method::PUT]);
    assert_eq!(first.failure, "(5xx & !501) | 429".parse::<Tracker>().unwrap());
    assert_eq!((first.idempotent, first.queue_body), (true, 65_536));
    let answer = StaticAnswer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        body: "{}".into(),
        content_type: "application/json".to_owned(),
    };
    assert_eq!(first.fallback, [Fallback::Queue, Fallback::Answer(answer)]);
    assert_eq!((second.upstream.as_str(), second.methods.len()), ("orders@eu", 1));
}

#[test]
fn a_secret_is_never_printed() {
    let config = parse(EVERYTHING).unwrap();
    let printed = format!("{config:?}");
    assert!(printed.contains("ops") && !printed.contains("s3cret"), "{printed}");

    let with_space = EVERYTHING.replace("s3cret", "s3 cret");
    let error = parse(&with_space).unwrap_err().to_string();
    assert!(!error.contains("cret\""), "{error}");
    assert_eq!(
        error,
        "f.toml:8:18: server.tokens.ops: not possible: expected a secret of at least one visible \
         ASCII character, no spaces"
    );
}

#[test]
fn what_is_no_toml_is_refused_where_it_stops_being_toml() {
    let rows = [
        (
            "",
            "f.toml:1:1: upstreams: missing: expected at least one table such as [upstreams.payments]",
        ),
        ("[server", "f.toml:1:8: not TOML: unclosed table, expected `]`"),
        ("[server]\nlisten = \"a\"\nlisten = \"b\"\n", "f.toml:3:1: not TOML: duplicate key"),
        ("server = 1", "f.toml:1:10: server: `1` is not possible: expected a table: [server]"),
        (
            "ä = 1",
            "f.toml:1:1: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`",
        ),
    ];
    for (text, expected) in rows {
        refused(text, expected);
    }
}

#[test]
fn an_unknown_key_is_refused_with_those_that_are_known() {
    let server =
        "listen, admin, admin_hosts, data, max_body, max_header_bytes, max_connections, tokens";
    let circuit = "window, trip, retry, permit, slots, recovery, probe_timeout, cancelled_after";
    let rows = [
        (
            followed_by("[sever]\n"),
            "f.toml:8:2: sever: there is no such key: did you mean `server`? expected server, \
             store, circuits, letters, replay, governance, domains, defaults, upstreams, routes"
                .to_owned(),
        ),
        (
            followed_by("[server]\nlisten = \"127.0.0.1:1\"\nlisen = 1\n"),
            format!(
                "f.toml:10:1: server.lisen: there is no such key: did you mean `listen`? expected {server}"
            ),
        ),
        (
            followed_by("[defaults]\nfailure = \"5xx\"\n"),
            format!("f.toml:9:1: defaults.failure: there is no such key: expected {circuit}"),
        ),
        (
            in_upstream("tiemout = \"5s\""),
            format!(
                "f.toml:3:1: upstreams.payments.tiemout: there is no such key: did you mean `timeout`? \
                 expected endpoints, timeout, connect_timeout, replay, domain, slo, {circuit}"
            ),
        ),
        (
            in_upstream("replay = { rat = 5 }"),
            "f.toml:3:12: upstreams.payments.replay.rat: there is no such key: did you mean `rate`? \
             expected concurrency, rate, canary, beside_live, on_close"
                .to_owned(),
        ),
        (
            followed_by("\"a.b\" = 1\n"),
            "f.toml:8:1: routes[0].\"a.b\": there is no such key: expected path, host, methods, \
             upstream, failure, idempotent, fallback, capture, queue_body"
                .to_owned(),
        ),
        (
            followed_by("fallback = [{ status = 503, bdy = \"\" }]\n"),
            "f.toml:8:29: routes[0].fallback[0].bdy: there is no such key: did you mean `body`? \
             expected status, body, content_type"
                .to_owned(),
        ),
    ];
    for (text, expected) in rows {
        refused(&text, &expected);
    }
}

#[test]
fn the_server_section_is_checked() {
    let address = "expected an address such as 127.0.0.1:8080 or [::1]:8080";
    let size = "expected a size in bytes such as 65536, 64KiB, 1MiB or 10MB";
    let guard = "expected a loopback address such as 127.0.0.1:8081, or a token for each operator \
                 in [server.tokens]";
    let rows = [
        ("listen = 8080", format!("9:10: server.listen: `8080` is not possible: {address}")),
        ("listen = \":80\"", format!("9:10: server.listen: `:80` is not possible: {address}")),
        ("admin = \"x\"", format!("9:9: server.admin: `x` is not possible: {address}")),
        (
            "admin = \"127.0.0.1:8080\"",
            "9:9: server.admin: `127.0.0.1:8080` is not possible: expected another address than \
             listen (127.0.0.1:8080)"
                .to_owned(),
        ),
        (
            "listen = \"0.0.0.0:8081\"",
            "9:10: server.listen: `0.0.0.0:8081` is not possible: expected another address than \
             admin (127.0.0.1:8081)"
                .to_owned(),
        ),
        (
            "admin = \"0.0.0.0:8081\"",
            format!("9:9: server.admin: `0.0.0.0:8081` is not possible: {guard}"),
        ),
        ("data = \"\"", "9:8: server.data: `` is not possible: expected a folder".to_owned()),
        ("max_body = \"1 parsec\"", format!("9:12: server.max_body: `1 parsec` is not possible: {size}")),
        ("max_body = -1", format!("9:12: server.max_body: `-1` is not possible: {size}")),
        (
            "max_header_bytes = \"1KiB\"",
            "9:20: server.max_header_bytes: `1KiB` is not possible: expected a size in bytes from \
             8192 to 16777216"
                .to_owned(),
        ),
        (
            "max_connections = 0",
            "9:19: server.max_connections: `0` is not possible: expected a whole number from 1 to \
             1000000"
                .to_owned(),
        ),
        (
            "admin_hosts = [\"a\", \"b:80\"]",
            "9:21: server.admin_hosts[1]: `b:80` is not possible: expected a host without scheme and \
             port, such as api.example.com"
                .to_owned(),
        ),
        (
            "tokens = [\"a\"]",
            "9:10: server.tokens: `[\"a\"]` is not possible: expected a table: [server.tokens]".to_owned(),
        ),
        (
            "tokens = { a = \"x\", b = \"x\" }",
            "9:25: server.tokens.b: not possible: expected a name, and a secret that no other name has"
                .to_owned(),
        ),
    ];
    for (line, expected) in rows {
        refused(&followed_by(&format!("[server]\n{line}\n")), &format!("f.toml:{expected}"));
    }
}

#[test]
fn the_letters_section_is_checked() {
    let rows = [
        (
            "capacity = 0",
            "12: letters.capacity: `0` is not possible: expected a whole number from 1 to 1000000000",
        ),
        (
            "capacity = 1.5",
            "12: letters.capacity: `1.5` is not possible: expected a whole number from 1 to 1000000000",
        ),
        (
            "max_bytes = 10",
            "13: letters.max_bytes: `10` is not possible: expected a size in bytes from 1048576 to \
             1125899906842624",
        ),
        (
            "retention = \"0s\"",
            "13: letters.retention: `0s` is not possible: expected a duration above zero",
        ),
        (
            "max_attempts = \"many\"",
            "16: letters.max_attempts: `many` is not possible: expected a whole number from 1 to 1000000",
        ),
        (
            "retry = \"backoff(10s, max=1s)\"",
            "27: letters.retry: `backoff(10s, max=1s)` is not possible: expected a max of at least \
             the initial wait, 10s, found `1s`",
        ),
    ];
    for (line, expected) in rows {
        refused(&followed_by(&format!("[letters]\n{line}\n")), &format!("f.toml:9:{expected}"));
    }
}

#[test]
fn an_upstream_is_checked() {
    let duration = "expected a duration such as 250ms, 10s, 5m or 1h";
    let rows = [
        (
            "timeout = \"5 parsecs\"",
            format!("3:11: upstreams.payments.timeout: `5 parsecs` is not possible: {duration}"),
        ),
        ("timeout = 5", format!("3:11: upstreams.payments.timeout: `5` is not possible: {duration}")),
        (
            "connect_timeout = \"11s\"",
            "3:19: upstreams.payments.connect_timeout: `11s` is not possible: expected at most timeout, \
             which is 10s"
                .to_owned(),
        ),
        (
            "replay = { concurrency = 0 }",
            "3:26: upstreams.payments.replay.concurrency: `0` is not possible: expected a whole number \
             from 1 to 1000"
                .to_owned(),
        ),
        (
            "replay = { rate = nan }",
            "3:19: upstreams.payments.replay.rate: `nan` is not possible: expected a number above 0, up \
             to 1000000"
                .to_owned(),
        ),
        (
            "cancelled_after = \"sometimes\"",
            format!("3:19: upstreams.payments.cancelled_after: `sometimes` is not possible: {duration}"),
        ),
        (
            "slots = 0",
            "3:9: upstreams.payments.slots: `0` is not possible: expected a whole number from 1 to 10000"
                .to_owned(),
        ),
        (
            "probe_timeout = \"2d\"",
            "3:17: upstreams.payments.probe_timeout: `2d` is not possible: a duration from 1ms to 24h"
                .to_owned(),
        ),
    ];
    for (line, expected) in rows {
        refused(&in_upstream(line), &format!("f.toml:{expected}"));
    }
    let named = LEAST.replace("upstreams.payments", "upstreams.\"a@b@c\"");
    refused(
        &named,
        "f.toml:1:12: upstreams.\"a@b@c\": `a@b@c` is not possible: expected 1 to 200 characters \
         without control characters, `@` at most once and only before the cell, as in `payments@eu-1`",
    );
}

#[test]
fn an_endpoint_is_checked() {
    let right = "expected http://host:port";
    let plain = "expected http://host:port without user, path, query or fragment";
    let rows = [
        ("https://a:1", format!("https upstreams are not supported yet: {right}")),
        ("HTTPS://a", format!("https upstreams are not supported yet: {right}")),
        ("10.0.0.5:9000", right.to_owned()),
        ("ftp://a", right.to_owned()),
        ("http://", right.to_owned()),
        ("http://:80", right.to_owned()),
        ("http://a:", right.to_owned()),
        ("http://a:0", right.to_owned()),
        ("http://a:99999", right.to_owned()),
        ("http://a:+1", right.to_owned()),
        ("http://[::1]1", right.to_owned()),
        ("http://a b", right.to_owned()),
        ("http://[::g]:1", right.to_owned()),
        ("http://a/b", plain.to_owned()),
        ("http://a?b", plain.to_owned()),
        ("http://u:p@a", plain.to_owned()),
    ];
    for (url, expected) in rows {
        let text = LEAST.replace("http://127.0.0.1:9000", url);
        let problem =
            format!("upstreams.payments.endpoints[0]: `{url}` is not possible: {expected}");
        refused(&text, &format!("f.toml:2:14: {problem}"));
    }
    let list = "expected a list such as [\"http://host:port\"]";
    let none = LEAST.replace("[\"http://127.0.0.1:9000\"]", "[]");
    refused(
        &none,
        &format!("f.toml:2:13: upstreams.payments.endpoints: `[]` is not possible: {list}"),
    );
    let missing = LEAST.replace("endpoints = [\"http://127.0.0.1:9000\"]", "");
    let right = list.trim_start_matches("expected ");
    refused(
        &missing,
        &format!("f.toml:1:12: upstreams.payments.endpoints: missing: expected {right}"),
    );
}

#[test]
fn a_route_is_checked() {
    let path = "expected the beginning of a path, such as /payments/";
    let methods = "expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";
    let fallback = "expected \"queue\" or an answer such as { status = 503, body = \"later\" }";
    let queue_body = "expected a size in bytes such as 65536, 64KiB, 1MiB or 10MB";
    let host = "expected a host without scheme and port, such as api.example.com";
    let rows = [
        ("host = \"http://a\"", "8: routes[0].host: `http://a`", host),
        (
            "methods = []",
            "11: routes[0].methods: `[]`",
            "expected a list such as [\"GET\", \"POST\"], or no methods for all",
        ),
        ("methods = [\"post\"]", "12: routes[0].methods[0]: `post`", methods),
        (
            "failure = \"5xx\"",
            "11: routes[0].failure: `5xx`",
            "expected a list such as [\"5xx\", \"429\", \"connect\", \"timeout\"]",
        ),
        ("idempotent = \"yes\"", "14: routes[0].idempotent: `yes`", "expected true or false"),
        ("fallback = [\"queue\", \"stale\"]", "22: routes[0].fallback[1]: `stale`", fallback),
        (
            "fallback = [{ status = 503 }, \"queue\"]",
            "31: routes[0].fallback[1]: `queue`",
            "expected nothing after an answer, which always applies",
        ),
        (
            "fallback = [\"queue\", { status = 503 }, { status = 502 }]",
            "40: routes[0].fallback[2]: `{ status = 502 }`",
            "expected nothing after an answer, which always applies",
        ),
        ("fallback = [5]", "13: routes[0].fallback[0]: `5`", fallback),
        (
            "fallback = [{ status = 600 }]",
            "24: routes[0].fallback[0].status: `600`",
            "expected a whole number from 200 to 599",
        ),
        (
            "fallback = [{ status = 503, content_type = \"text\" }]",
            "44: routes[0].fallback[0].content_type: `text`",
            "expected a media type such as application/json",
        ),
        ("queue_body = \"1TB\"", "14: routes[0].queue_body: `1TB`", queue_body),
    ];
    for (line, wrong, right) in rows {
        refused(&followed_by(line), &format!("f.toml:8:{wrong} is not possible: {right}"));
    }
    refused(
        &followed_by("fallback = [{ body = \"\" }]"),
        "f.toml:8:13: routes[0].fallback[0].status: missing: expected a status from 200 to 599",
    );
    let own = format!("{path}; /.fuseboard/ belongs to the gateway itself");
    let rows = [
        ("payments", path),
        ("", path),
        ("/a?b", path),
        ("/.fuseboard/letters", &own),
        ("/.fuseboard", &own),
    ];
    for (wrong, right) in rows {
        let text = LEAST.replace("/payments/", wrong);
        refused(&text, &format!("f.toml:6:8: routes[0].path: `{wrong}` is not possible: {right}"));
    }
}

#[test]
fn a_route_needs_a_path_of_its_own_and_an_upstream_that_is_there() {
    let again = "\n[[routes]]\npath = \"/payments/\"\nupstream = \"payments\"\n";
    refused(
        &followed_by(again),
        "f.toml:10:8: routes[1].path: `/payments/` is not possible: the route on line 5 has the same \
         path, host and methods",
    );
    let overlapping = followed_by("methods = [\"GET\", \"POST\"]") + again + "methods = [\"POST\"]";
    assert!(parse(&overlapping).is_err(), "both would take a POST");
    let apart = followed_by("methods = [\"GET\"]") + again;
    assert!(parse(&apart).is_ok(), "the narrower of the two takes a GET");

    refused(
        &LEAST.replace("upstream = \"payments\"", "upstream = \"paymnts\""),
        "f.toml:7:12: routes[0].upstream: `paymnts` is not possible: did you mean `payments`? expected \
         one of the upstreams: payments",
    );
    refused(
        &LEAST.replace("upstream = \"payments\"", ""),
        "f.toml:5:1: routes[0].upstream: missing: expected the name of an upstream",
    );
    refused(
        &LEAST.replace("path = \"/payments/\"", ""),
        "f.toml:5:1: routes[0].path: missing: expected the beginning of a path, such as /payments/",
    );
    refused(
        "[upstreams.a]\nendpoints = [\"http://a\"]\n",
        "f.toml:1:1: routes: missing: expected at least one table [[routes]] with path and upstream",
    );
}

#[test]
fn no_text_makes_the_parser_panic_and_every_error_has_a_place_in_it() {
    let intruders = [
        "", "\"", "'''", "[", "]", "{", "}", "=", ".", "\n", "\\", "0", "-", "ä", "\u{0}",
        "x = 1\n",
    ];
    let place = |error: ConfigError, text: &str| match error {
        ConfigError::Invalid { line, column, .. } => {
            let lines: Vec<&str> = text.split('\n').collect();
            assert!((1..=lines.len()).contains(&line), "{line} of\n{text}");
            let width = lines[line - 1].chars().count();
            assert!((1..=width + 1).contains(&column), "{line}:{column} of\n{text}");
        }
        other => panic!("{other} of\n{text}"),
    };
    for (at, character) in EVERYTHING.char_indices() {
        let (before, after) = EVERYTHING.split_at(at);
        let without = &after[character.len_utf8()..];
        for intruder in intruders {
            for rest in [after, without] {
                let text = format!("{before}{intruder}{rest}");
                if let Err(error) = parse(&text) {
                    place(error, &text);
                }
            }
        }
        if let Err(error) = parse(before) {
            place(error, before);
        }
    }
}

#[test]
fn one_upstream_needs_no_file() {
    let overrides =
        Overrides { admin: Some("127.0.0.1:0".parse().unwrap()), ..Overrides::default() };
    let config = Config::for_upstream("http://127.0.0.1:9000", &overrides).unwrap();
    assert_eq!(config.server.admin.port(), 0);
    assert_eq!(config.server.listen.port(), 8080);
    let upstream = &config.upstreams["upstream"];
    assert_eq!(upstream.rules.cancelled_after(), Some(Duration::from_secs(5)));
    let [route] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!((route.path.as_str(), route.upstream.as_str()), ("/", "upstream"));
    assert_eq!(route.fallback, [Fallback::Queue]);
}

#[test]
fn an_option_of_the_command_line_is_checked_as_the_file_is() {
    let error = Config::for_upstream("https://a:1", &Overrides::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--upstream: `https://a:1` is not possible: https upstreams are not supported yet: expected \
         http://host:port"
    );
    let open = Overrides { admin: Some("0.0.0.0:8081".parse().unwrap()), ..Overrides::default() };
    let error = parse(LEAST).unwrap().with(&open).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--admin: `0.0.0.0:8081` is not possible: expected a loopback address such as \
         127.0.0.1:8081, or a token for each operator in [server.tokens]"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuseboard.toml");
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot be read: ", path.display())), "{error}");

    std::fs::write(&path, b"\xff").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("cannot be read: invalid utf-8"), "{error}");

    std::fs::write(&path, LEAST).unwrap();
    assert_eq!(Config::load(&path).unwrap(), parse(LEAST).unwrap());
}
