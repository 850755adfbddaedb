//! The contestants, each with the configuration that comes closest to a count window of 100 that opens at 50 %.

pub(crate) mod circuit_breaker;
pub(crate) mod circuitbreaker_rs;
pub(crate) mod execution_policy;
pub(crate) mod failsafe;
pub(crate) mod floors;
pub(crate) mod fuseboard;
pub(crate) mod nobreak;
pub(crate) mod recloser;
pub(crate) mod sentinel;
pub(crate) mod tower;

use std::time::Duration;

/// No breaker that opened tries again while it is measured.
const OPEN_FOR: Duration = Duration::from_secs(3600);

/// The window of those that look back over time.
const MINUTE: Duration = Duration::from_secs(60);

/// A contestant's crate, and how it is set up.
pub(crate) struct About {
    pub(crate) package: &'static str,
    pub(crate) setup: &'static str,
}

/// Every crate that is measured, in the order of the tables.
pub(crate) const ABOUT: &[About] = &[
    About {
        package: "fuseboard-core",
        setup: "`count(100)`, trip `min_requests(100) & failure_rate(0.5)`; slow calls: or \
                `min_requests(100) & slow_rate(0.5, 1s)`, with the system clock; time window: `time(60s)`",
    },
    About {
        package: "fuseboard-tower",
        setup: "`count(100)`, trip `min_requests(100) & failure_rate(0.5)`; `ready` and `call`",
    },
    About {
        package: "recloser",
        setup: "ring of 100, error rate 0.5: the only rival whose count window slides, hence the reference",
    },
    About {
        package: "failsafe",
        setup: "`EMA`: success rate over 60 s, 0.5, at least 100 calls (rejection: over 1 s, as it opens only after a \
                window); `consecutive`: 100 failures in a row",
    },
    About {
        package: "circuitbreaker-rs",
        setup: "error rate 0.5 over all calls since its beginning, at least 100 calls, or 100 in a row",
    },
    About {
        package: "circuit_breaker",
        setup: "100 failures since its beginning; with failures among the calls: so many that it stays closed",
    },
    About { package: "nobreak", setup: "100 failures in a row" },
    About {
        package: "sentinel-core",
        setup: "entry API, one rule: error ratio 0.5 over 60 s in 10 buckets, at least 100 calls; slow calls: slow \
                request ratio 0.5, 1 s",
    },
    About {
        package: "execution-policy",
        setup: "a policy of a breaker alone: failure ratio 0.5 over 60 s in 10 buckets, at least 100 calls; async only",
    },
    About {
        package: "tower-resilience-circuitbreaker",
        setup: "failure rate 0.5, window 100 (which does not slide), at least 100 calls; `ready` and `call`; Tower only",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contestant_has_a_version() {
        for about in ABOUT {
            let version = fuseboard_bench_common::setting::version(about.package);
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{}", about.package);
        }
    }
}
