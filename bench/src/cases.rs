//! The cases: who is measured under which traffic, and against whom.

use crate::contestants::{
    circuit_breaker, circuitbreaker_rs, execution_policy, failsafe, floors, fuseboard, nobreak,
    recloser, sentinel, tower,
};
use crate::entry::Entry;
use crate::traffic::{closed, open, ready_futures, service, working};

pub(crate) const FUSEBOARD: &str = "fuseboard";
pub(crate) const FUSEBOARD_TOWER: &str = "fuseboard-tower";
pub(crate) const RECLOSER: &str = "recloser";
pub(crate) const AVERAGE: &str = "failsafe (EMA)";
pub(crate) const TOWER_RESILIENCE: &str = "tower-resilience";
pub(crate) const CALL_ALONE: &str = "floor: the call alone";
pub(crate) const SHARED_ADD: &str = "floor: one `lock xadd`";
pub(crate) const WORK_ALONE: &str = "floor: the work alone";

pub(crate) const CONSECUTIVE: &str = "failsafe (consecutive)";
pub(crate) const LIFETIME: &str = "circuitbreaker-rs";
pub(crate) const CUMULATIVE: &str = "circuit_breaker";
pub(crate) const NOBREAK: &str = "nobreak";
pub(crate) const SENTINEL: &str = "sentinel-core";
pub(crate) const POLICY: &str = "execution-policy";
const TWO_CLOCK_READS: &str = "floor: two clock reads";

/// One kind of traffic, and everyone who is measured under it.
pub(crate) struct Case {
    /// What `--filter` and the goals call it.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Who the ratios are against.
    pub(crate) reference: &'static str,
    pub(crate) entries: Vec<Entry>,
    /// Who is not in the table, and why.
    pub(crate) absent: &'static [&'static str],
}

/// Makes every breaker anew.
pub(crate) fn all() -> Vec<Case> {
    vec![
        success(),
        one_percent(),
        thirty_percent(),
        rejection(),
        future(),
        slow_calls(),
        work(),
        minute(),
        tower_layer(),
    ]
}

const NO_BLOCKING_CALLS: &str =
    "execution-policy and tower-resilience have no blocking calls: see the async and Tower cases.";

const TOKIO_MUTEX: &str = "tower-resilience with two threads: its tokio mutex puts threads to sleep, so the time is that of \
                           waking them up, and a hundred calls, the fewest there are in a batch, take longer than one.";

fn success() -> Case {
    Case {
        key: "success",
        title: "Closed, every call succeeds",
        reference: RECLOSER,
        entries: vec![
            closed(FUSEBOARD, 0, fuseboard::count_window()),
            closed(RECLOSER, 0, recloser::ring()),
            closed(AVERAGE, 0, failsafe::average()),
            closed(CONSECUTIVE, 0, failsafe::consecutive()),
            closed(LIFETIME, 0, circuitbreaker_rs::lifetime()),
            closed(CUMULATIVE, 0, circuit_breaker::cumulative()),
            closed(NOBREAK, 0, nobreak::consecutive()),
            closed(SENTINEL, 0, sentinel::error_ratio("success")),
            closed(CALL_ALONE, 0, floors::Nothing),
            closed(SHARED_ADD, 0, floors::SharedAdd::default()),
            closed(TWO_CLOCK_READS, 0, floors::TwoClockReads),
        ],
        absent: &[NO_BLOCKING_CALLS],
    }
}

fn one_percent() -> Case {
    Case {
        key: "failures-1",
        title: "Closed, 1 % of the calls fail",
        reference: RECLOSER,
        entries: failing(1, "failures-1"),
        absent: &[NO_BLOCKING_CALLS],
    }
}

fn thirty_percent() -> Case {
    Case {
        key: "failures-30",
        title: "Closed, 30 % of the calls fail",
        reference: RECLOSER,
        entries: failing(30, "failures-30"),
        absent: &[NO_BLOCKING_CALLS],
    }
}

fn failing(failures: u64, resource: &str) -> Vec<Entry> {
    vec![
        closed(FUSEBOARD, failures, fuseboard::count_window()),
        closed(RECLOSER, failures, recloser::ring()),
        closed(AVERAGE, failures, failsafe::average()),
        closed(CONSECUTIVE, failures, failsafe::consecutive()),
        closed(LIFETIME, failures, circuitbreaker_rs::lifetime()),
        closed(CUMULATIVE, failures, circuit_breaker::patient()),
        closed(NOBREAK, failures, nobreak::consecutive()),
        closed(SENTINEL, failures, sentinel::error_ratio(resource)),
        closed(CALL_ALONE, failures, floors::Nothing),
    ]
}

fn rejection() -> Case {
    Case {
        key: "open",
        title: "Open, every call is rejected",
        reference: RECLOSER,
        entries: vec![
            open(FUSEBOARD, fuseboard::count_window()),
            open(RECLOSER, recloser::ring()),
            open(AVERAGE, failsafe::short_average()),
            open(CONSECUTIVE, failsafe::consecutive()),
            open(LIFETIME, circuitbreaker_rs::lifetime()),
            open(CUMULATIVE, circuit_breaker::cumulative()),
            open(NOBREAK, nobreak::consecutive()),
            open(SENTINEL, sentinel::error_ratio("open")),
        ],
        absent: &[NO_BLOCKING_CALLS],
    }
}

fn future() -> Case {
    Case {
        key: "async",
        title: "Closed, every call succeeds, async: a ready future, one current-thread tokio runtime for each thread",
        reference: RECLOSER,
        entries: vec![
            ready_futures(FUSEBOARD, fuseboard::count_window()),
            ready_futures(RECLOSER, recloser::async_ring()),
            ready_futures(AVERAGE, failsafe::average()),
            ready_futures(CONSECUTIVE, failsafe::consecutive()),
            ready_futures(LIFETIME, circuitbreaker_rs::lifetime()),
            ready_futures(NOBREAK, nobreak::consecutive()),
            ready_futures(POLICY, execution_policy::failure_ratio()),
            service(TOWER_RESILIENCE, tower::resilience()),
            ready_futures(CALL_ALONE, floors::Nothing),
        ],
        absent: &[
            "circuit_breaker is for blocking calls only.",
            "sentinel-core's entry API is the same in async code: see the blocking cases.",
            TOKIO_MUTEX,
        ],
    }
}

fn slow_calls() -> Case {
    Case {
        key: "slow",
        title: "Closed, every call succeeds and is timed for slow-call detection",
        reference: RECLOSER,
        entries: vec![
            closed(FUSEBOARD, 0, fuseboard::slow_calls()),
            closed(RECLOSER, 0, recloser::ring()),
            closed(SENTINEL, 0, sentinel::slow_ratio("slow")),
            closed(TWO_CLOCK_READS, 0, floors::TwoClockReads),
        ],
        absent: &[
            "recloser, the reference, does not detect slow calls: it is its plain success.",
            "failsafe, circuitbreaker-rs, circuit_breaker, nobreak and execution-policy do not detect slow calls; \
             tower-resilience reads the clock in any case: see the Tower case.",
        ],
    }
}

fn work() -> Case {
    Case {
        key: "work",
        title: "Closed, about 100 ns of real work in every call, each waiting for the result of the one before",
        reference: WORK_ALONE,
        entries: vec![
            working(FUSEBOARD, fuseboard::count_window()),
            working(RECLOSER, recloser::ring()),
            working(AVERAGE, failsafe::average()),
            working(CONSECUTIVE, failsafe::consecutive()),
            working(LIFETIME, circuitbreaker_rs::lifetime()),
            working(CUMULATIVE, circuit_breaker::cumulative()),
            working(NOBREAK, nobreak::consecutive()),
            working(SENTINEL, sentinel::error_ratio("work")),
            working(WORK_ALONE, floors::Nothing),
        ],
        absent: &[NO_BLOCKING_CALLS],
    }
}

fn minute() -> Case {
    Case {
        key: "window",
        title: "Closed, every call succeeds, a time window of 60 s",
        reference: AVERAGE,
        entries: vec![
            closed(FUSEBOARD, 0, fuseboard::time_window()),
            closed(AVERAGE, 0, failsafe::average()),
            closed(SENTINEL, 0, sentinel::error_ratio("window")),
            ready_futures(POLICY, execution_policy::failure_ratio()),
        ],
        absent: &[
            "execution-policy is async, the others block.",
            "tower-resilience's time window keeps every call of the minute and looks at all of them at each call: its \
             cost would tell how long the run was.",
            "recloser, circuit_breaker and nobreak have no time window; circuitbreaker-rs has one that nothing feeds.",
        ],
    }
}

fn tower_layer() -> Case {
    Case {
        key: "tower",
        title: "Tower: `ready` and `call` of a layer over a service that is always ready",
        reference: TOWER_RESILIENCE,
        entries: vec![
            service(FUSEBOARD_TOWER, tower::fuseboard()),
            service(TOWER_RESILIENCE, tower::resilience()),
            service(CALL_ALONE, tower::ready_service()),
        ],
        absent: &[TOKIO_MUTEX],
    }
}
