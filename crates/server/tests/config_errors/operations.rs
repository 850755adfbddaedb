//! The keys of pins, replay by hand, governance, domains and the audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use fuseboard_server::config::{
    BatchSettings, CircuitSettings, Config, GovernanceSettings, Overrides, ReplaySettings,
};
use fuseboard_services::domains::{Domain, Domains};
use fuseboard_services::governance::Slo;
use fuseboard_services::replay::{Caution, Limits};
use fuseboard_services::replay_service::{AdaptiveRules, ReplayConfig};
use fuseboard_store::Priority;

use super::{LEAST, followed_by, in_upstream, parse, refused};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const EVERY_KEY: &str = r#"
[circuits]
pin_for = "10m"
override_for = "20m"

[letters]
audit_retention = "365d"
audit_queue = 10
sla = "6h"
raise_late = "critical"

[replay]
concurrency = 12
rate = 2.5
max_items = 7
adaptive = { enabled = true, initial = 20, min = 5, max = 40, failure_threshold = 0.5 }
priority = true
delivery_timeout = "2m"
jobs_kept = 3
on_close = true
on_close_max_items = 9

[governance]
refresh = "100ms"
patience = "250ms"
slo = "0.99 over 7d"

[domains.orders]
priority = "critical"
sla = "15m"
max_retries = 4

[domains.Mails]

[upstreams.payments]
endpoints = ["http://127.0.0.1:9000"]
domain = "orders"
replay = { canary = 5, beside_live = 0, on_close = ["rejected", "timeout"] }
slo = { objective = 0.95, window = "1h", burn_window = "5m", min_calls = 20 }

[[routes]]
path = "/"
upstream = "payments"
"#;

#[test]
fn every_key_of_the_services_is_read() {
    let config = parse(EVERY_KEY).unwrap();
    let pins = CircuitSettings { pin_for: HOUR / 6, override_for: HOUR / 3 };
    assert_eq!(config.circuits, pins);
    let letters = &config.letters;
    assert_eq!((letters.audit_retention, letters.audit_queue), (365 * DAY, 10));
    assert_eq!((letters.sla, letters.raise_late), (6 * HOUR, Some(Priority::Critical)));

    let adaptive = AdaptiveRules { initial: 20, min: 5, max: 40, failure_threshold: 0.5 };
    let orders = Domain { priority: Priority::Critical, sla: Some(HOUR / 4), max_retries: Some(4) };
    let domains =
        Domains::new(6 * HOUR).domain("orders", orders).domain("mails", Domain::default());
    assert_eq!(*config.domains, domains);
    let failures = vec!["rejected".to_owned(), "timeout".to_owned()];
    let service = ReplayConfig {
        adaptive_enabled: true,
        adaptive,
        priority_enabled: true,
        domains,
        service_failure_type_map: BTreeMap::from([("payments".to_owned(), failures)]),
        delivery_timeout: Duration::from_secs(120),
        jobs_kept: 3,
    };
    let limits = Limits { concurrency: 12, rate: Some(2.5) };
    let replay =
        BatchSettings { limits, max_items: 7, on_close: true, on_close_max_items: 9, service };
    assert_eq!(config.replay, replay);

    let general = Slo { objective: 0.99, window: 7 * DAY, ..Slo::default() };
    let governance = GovernanceSettings {
        refresh: Duration::from_millis(100),
        patience: Duration::from_millis(250),
        slo: Some(general),
    };
    assert_eq!(config.governance, governance);
    let own = Slo { objective: 0.95, window: HOUR, burn_window: HOUR / 12, min_calls: 20 };
    assert_eq!(config.upstreams["payments"].slo, Some(own));
    assert_eq!(config.upstreams["payments"].domain, "orders");
    let caution = Caution { canary: 5, beside_live: 0 };
    let replay = ReplaySettings { caution, ..ReplaySettings::default() };
    assert_eq!(config.upstreams["payments"].replay, replay);
}

#[test]
fn what_is_not_said_has_its_default() {
    let least = parse(LEAST).unwrap();
    let without_a_file =
        Config::for_upstream("http://127.0.0.1:9000", &Overrides::default()).unwrap();
    for (config, name) in [(least, "payments"), (without_a_file, "upstream")] {
        let usual = Duration::from_secs(90 * 60);
        assert_eq!(config.circuits, CircuitSettings { pin_for: usual, override_for: usual });
        let letters = &config.letters;
        assert_eq!((letters.audit_retention, letters.audit_queue), (90 * DAY, 1024));
        assert_eq!((letters.sla, letters.raise_late), (DAY, None));
        assert_eq!(config.replay, BatchSettings::default());
        assert_eq!(config.governance, GovernanceSettings::default());
        assert_eq!(*config.domains, Domains::default());
        let upstream = &config.upstreams[name];
        assert_eq!((upstream.domain.as_str(), upstream.slo), (name, None));
        assert!(upstream.on_close.is_empty());
        assert_eq!(upstream.replay.caution, Caution { canary: 3, beside_live: 1 });
        assert_eq!(config.replay.limits, Limits { concurrency: 64, rate: None });
    }
}

#[test]
fn a_delivery_by_hand_has_as_long_as_the_slowest_upstream_may_need() {
    let rows = [("10s", 60), ("27s", 60), ("28s", 61), ("5m", 605), ("50m", 3600)];
    for (timeout, seconds) in rows {
        let lease = "probe_timeout = \"23h\"";
        let config = parse(&in_upstream(&format!("timeout = \"{timeout}\"\n{lease}"))).unwrap();
        let delivery = config.replay.service.delivery_timeout;
        assert_eq!(delivery, Duration::from_secs(seconds), "{timeout}");
    }
}

#[test]
fn a_short_window_has_a_burn_window_as_long_as_itself() {
    for text in ["\"0.9 over 5m\"", "{ objective = 0.9, window = \"5m\" }"] {
        let slo = parse(&in_upstream(&format!("slo = {text}"))).unwrap().upstreams["payments"].slo;
        assert_eq!(slo.unwrap().burn_window, Duration::from_secs(300), "{text}");
    }
}

/// Each of these lines after the least that can be said, and what is said of it.
#[track_caller]
fn all_refused(rows: &[(&str, &str)]) {
    for (lines, expected) in rows {
        refused(&followed_by(&format!("{lines}\n")), &format!("f.toml:{expected}"));
    }
}

#[test]
fn a_pin_or_record_that_cannot_be_kept_so_long_is_refused() {
    let rows = [
        (
            "[circuits]\npin_for = \"0s\"",
            "9:11: circuits.pin_for: `0s` is not possible: expected a duration above zero",
        ),
        (
            "[circuits]\npin = \"1h\"",
            "9:1: circuits.pin: there is no such key: expected pin_for, override_for",
        ),
        (
            "[letters]\naudit_retention = 90",
            "9:19: letters.audit_retention: `90` is not possible: expected a duration such as 250ms, 10s, 5m or 1h",
        ),
        (
            "[letters]\naudit_queue = 0",
            "9:15: letters.audit_queue: `0` is not possible: expected a whole number from 1 to 1000000",
        ),
        (
            "[letters]\nraise_late = \"low\"",
            "9:14: letters.raise_late: `low` is not possible: expected critical or normal, or no raise_late at all",
        ),
    ];
    all_refused(&rows);
}

#[test]
fn a_replay_that_cannot_be_is_refused() {
    let rows = [
        (
            "[replay]\nconcurrency = 0",
            "9:15: replay.concurrency: `0` is not possible: expected a whole number from 1 to 10000",
        ),
        (
            "[replay]\nrate = 0",
            "9:8: replay.rate: `0` is not possible: expected a number above 0, up to 1000000",
        ),
        (
            "[replay]\nmax_items = 100_001",
            "9:13: replay.max_items: `100_001` is not possible: expected a whole number from 1 to 100000",
        ),
        (
            "[replay]\nadaptive = \"yes\"",
            "9:12: replay.adaptive: `yes` is not possible: expected true or false",
        ),
        (
            "[replay]\nadaptive = { min = 60 }",
            "9:20: replay.adaptive.min: `60` is not possible: expected initial to be 60 to 100",
        ),
        (
            "[replay.adaptive]\nmin = 20\nmax = 10",
            "9:7: replay.adaptive.min: `20` is not possible: expected min to be 1 to 10",
        ),
        (
            "[replay.adaptive]\nfailure_threshold = 20",
            "9:21: replay.adaptive.failure_threshold: `20` is not possible: expected a number above 0, up to 1",
        ),
        (
            "[replay]\ndelivery_timeout = \"500ms\"",
            "9:20: replay.delivery_timeout: `500ms` is not possible: expected a duration from 1s to 1h",
        ),
        (
            "[replay]\ndelivery_timeout = \"10s\"",
            "9:20: replay.delivery_timeout: `10s` is not possible: expected more than upstreams.payments.timeout, \
             which is 10s",
        ),
        (
            "[replay]\non_close = 1",
            "9:12: replay.on_close: `1` is not possible: expected true or false",
        ),
    ];
    all_refused(&rows);
}

#[test]
fn a_gate_or_domain_that_cannot_be_is_refused() {
    let rows = [
        (
            "[governance]\nrefresh = \"2h\"",
            "9:11: governance.refresh: `2h` is not possible: expected a duration from 1ms to 1h",
        ),
        (
            "[governance]\nkill_switch = \"on\"",
            "9:1: governance.kill_switch: there is no such key: expected refresh, patience, slo",
        ),
        (
            "[governance]\nslo = \"99.9%\"",
            "9:7: governance.slo: `99.9%` is not possible: expected an objective such as \"0.999 over 30d\" or \
             { objective = 0.999, window = \"30d\" }",
        ),
        (
            "[governance]\nslo = \"1.0 over 30d\"",
            "9:7: governance.slo: `1.0 over 30d` is not possible: expected a ratio from 0.000001 to 0.999999",
        ),
        (
            "[domains.orders]\npriority = \"high\"",
            "9:12: domains.orders.priority: `high` is not possible: expected critical, normal or low",
        ),
        (
            "[domains.orders]\nmax_retries = 0",
            "9:15: domains.orders.max_retries: `0` is not possible: expected a whole number from 1 to 1000000",
        ),
        (
            "[domains.orders]\nslo = \"1h\"",
            "9:1: domains.orders.slo: there is no such key: did you mean `sla`? expected priority, sla, max_retries",
        ),
        (
            "[domains.orders]\n[domains.Orders]",
            "9:10: domains.Orders: `Orders` is not possible: expected a name that differs from the others in more than \
             its case",
        ),
    ];
    all_refused(&rows);
}

#[test]
fn an_upstream_without_its_domain_or_with_an_impossible_objective_is_refused() {
    let rows = [
        (
            "slo = { window = \"1h\" }",
            "3:7: upstreams.payments.slo.objective: missing: expected a ratio from 0.000001 to 0.999999",
        ),
        (
            "slo = { objective = 0.9, window = \"1s\" }",
            "3:35: upstreams.payments.slo.window: `1s` is not possible: expected 1m to 366 days",
        ),
        (
            "slo = { objective = 0.9, window = \"1h\", burn_window = \"2h\" }",
            "3:55: upstreams.payments.slo.burn_window: `2h` is not possible: expected 1s up to the window",
        ),
        (
            "domain = \"orders\"",
            "3:10: upstreams.payments.domain: `orders` is not possible: expected a table [domains.orders], which \
             may be empty",
        ),
        (
            "domain = \"ordres\"\n[domains.order]",
            "3:10: upstreams.payments.domain: `ordres` is not possible: did you mean `order`? expected one of the \
             domains: order",
        ),
        (
            "replay = { canary = -1 }",
            "3:21: upstreams.payments.replay.canary: `-1` is not possible: expected a whole number from 0 to 1000",
        ),
        (
            "replay = { beside_live = 1_001 }",
            "3:26: upstreams.payments.replay.beside_live: `1_001` is not possible: expected a whole number from 0 to 1000",
        ),
        (
            "replay = { on_close = [\"late\"] }",
            "3:24: upstreams.payments.replay.on_close[0]: `late` is not possible: expected one of rejected, connect, \
             timeout, reset, failure",
        ),
    ];
    for (line, expected) in rows {
        refused(&in_upstream(line), &format!("f.toml:{expected}"));
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    for (at, character) in EVERY_KEY.char_indices() {
        let (before, after) = EVERY_KEY.split_at(at);
        for intruder in ["", "\"", "-"] {
            // Whatever it says of it.
            let _ = parse(&format!("{before}{intruder}{}", &after[character.len_utf8()..]));
        }
    }
}
