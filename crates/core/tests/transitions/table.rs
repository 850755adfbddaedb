//! The design's table of states and events, cell by cell.

use std::collections::BTreeSet;

use fuseboard_core::{Info, Pin, State, Ticket};

use crate::rig::{Rig, rules, secs};

const EVENTS: [&str; 12] = [
    "attempt",
    "success",
    "failure",
    "ignored",
    "dropped",
    "lapse",
    "force_open",
    "force_closed",
    "metrics_only",
    "disable",
    "auto",
    "reset",
];

/// State and event; state after, cause of the one transition, how many generations more; whether the attempt (or, after
/// any other event, the next one) is admitted; which total grew; how many outcomes the window got; reopens.
///
/// Every state but closed begins with one reopen. An open or forced_open circuit gets results of tickets from before.
/// `lapse` is the end of whatever the state waits for: the deadline, the lease of a probe, the pin.
const ROWS: &str = "
closed         attempt       closed         -             0  yes  -          0  0
closed         success       closed         -             0  yes  success    1  0
closed         failure       open           tripped       1  no   failure    1  0
closed         ignored       closed         -             0  yes  ignored    0  0
closed         dropped       closed         -             0  yes  cancelled  0  0
closed         lapse         closed         -             0  yes  -          0  0
closed         force_open    forced_open    pinned        1  no   -          0  0
closed         force_closed  forced_closed  pinned        1  yes  -          0  0
closed         metrics_only  metrics_only   pinned        1  yes  -          0  0
closed         disable       disabled       pinned        1  yes  -          0  0
closed         auto          closed         -             0  yes  -          0  0
closed         reset         closed         reset         1  yes  -          0  0

open           attempt       open           -             0  no   rejected   0  1
open           at_deadline   half_open      retry_due     1  yes  -          0  1
open           success       open           -             0  no   stale      0  1
open           failure       open           -             0  no   stale      0  1
open           ignored       open           -             0  no   stale      0  1
open           dropped       open           -             0  no   stale      0  1
open           lapse         open           -             0  yes  -          0  1
open           force_open    forced_open    pinned        1  no   -          0  1
open           force_closed  forced_closed  pinned        1  yes  -          0  1
open           metrics_only  metrics_only   pinned        1  yes  -          0  1
open           disable       disabled       pinned        1  yes  -          0  1
open           auto          open           -             0  no   -          0  1
open           reset         closed         reset         1  yes  -          0  0

half_open      attempt       half_open      -             0  yes  -          0  1
half_open      success       closed         recovered     1  yes  success    1  0
half_open      failure       open           probe_failed  1  no   failure    1  2
half_open      ignored       half_open      -             0  yes  ignored    0  1
half_open      dropped       half_open      -             0  yes  cancelled  0  1
half_open      lapse         open           probe_lapsed  1  no   -          1  2
half_open      force_open    forced_open    pinned        1  no   -          0  1
half_open      force_closed  forced_closed  pinned        1  yes  -          0  1
half_open      metrics_only  metrics_only   pinned        1  yes  -          0  1
half_open      disable       disabled       pinned        1  yes  -          0  1
half_open      auto          half_open      -             0  yes  -          0  1
half_open      reset         closed         reset         1  yes  -          0  0

forced_open    attempt       forced_open    -             0  no   rejected   0  1
forced_open    success       forced_open    -             0  no   stale      0  1
forced_open    failure       forced_open    -             0  no   stale      0  1
forced_open    ignored       forced_open    -             0  no   stale      0  1
forced_open    dropped       forced_open    -             0  no   stale      0  1
forced_open    lapse         half_open      pin_lapsed    1  yes  -          0  1
forced_open    force_open    forced_open    -             0  no   -          0  1
forced_open    force_closed  forced_closed  pinned        1  yes  -          0  1
forced_open    metrics_only  metrics_only   pinned        1  yes  -          0  1
forced_open    disable       disabled       pinned        1  yes  -          0  1
forced_open    auto          half_open      unpinned      1  yes  -          0  1
forced_open    reset         closed         reset         1  yes  -          0  0

forced_closed  attempt       forced_closed  -             0  yes  -          0  1
forced_closed  success       forced_closed  -             0  yes  success    1  1
forced_closed  failure       forced_closed  -             0  yes  failure    1  1
forced_closed  ignored       forced_closed  -             0  yes  ignored    0  1
forced_closed  dropped       forced_closed  -             0  yes  cancelled  0  1
forced_closed  lapse         closed         pin_lapsed    1  yes  -          0  0
forced_closed  force_open    forced_open    pinned        1  no   -          0  1
forced_closed  force_closed  forced_closed  -             0  yes  -          0  1
forced_closed  metrics_only  metrics_only   pinned        1  yes  -          0  1
forced_closed  disable       disabled       pinned        1  yes  -          0  1
forced_closed  auto          closed         unpinned      1  yes  -          0  0
forced_closed  reset         closed         reset         1  yes  -          0  0

metrics_only   attempt       metrics_only   -             0  yes  -          0  1
metrics_only   success       metrics_only   -             0  yes  success    1  1
metrics_only   failure       metrics_only   -             0  yes  failure    1  1
metrics_only   ignored       metrics_only   -             0  yes  ignored    0  1
metrics_only   dropped       metrics_only   -             0  yes  cancelled  0  1
metrics_only   lapse         closed         pin_lapsed    1  yes  -          0  0
metrics_only   force_open    forced_open    pinned        1  no   -          0  1
metrics_only   force_closed  forced_closed  pinned        1  yes  -          0  1
metrics_only   metrics_only  metrics_only   -             0  yes  -          0  1
metrics_only   disable       disabled       pinned        1  yes  -          0  1
metrics_only   auto          closed         unpinned      1  yes  -          0  0
metrics_only   reset         closed         reset         1  yes  -          0  0

disabled       attempt       disabled       -             0  yes  -          0  1
disabled       success       disabled       -             0  yes  success    0  1
disabled       failure       disabled       -             0  yes  failure    0  1
disabled       ignored       disabled       -             0  yes  ignored    0  1
disabled       dropped       disabled       -             0  yes  cancelled  0  1
disabled       lapse         closed         pin_lapsed    1  yes  -          0  0
disabled       force_open    forced_open    pinned        1  no   -          0  1
disabled       force_closed  forced_closed  pinned        1  yes  -          0  1
disabled       metrics_only  metrics_only   pinned        1  yes  -          0  1
disabled       disable       disabled       -             0  yes  -          0  1
disabled       auto          closed         unpinned      1  yes  -          0  0
disabled       reset         closed         reset         1  yes  -          0  0
";

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let lines = ROWS.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().collect())
}

fn pin() -> Pin {
    Pin::by("ops").lasting(secs(90))
}

/// A circuit in `state`, with a ticket from when it was first closed.
fn rig_in(state: State) -> (Rig, Ticket) {
    let rig = Rig::of(rules("failure_streak(1)"));
    let early = rig.ticket();
    if state != State::Closed {
        rig.calls("F");
        rig.clock.advance(secs(10));
        rig.calls("F");
    }
    match state {
        State::Closed | State::Open => {}
        State::HalfOpen => {
            rig.clock.advance(secs(10));
            rig.calls("I");
        }
        State::ForcedOpen => rig.breaker.force_open(pin()),
        State::ForcedClosed => rig.breaker.force_closed(pin()),
        State::MetricsOnly => rig.breaker.metrics_only(pin()),
        State::Disabled => rig.breaker.disable(pin()),
    }
    assert_eq!(rig.state(), state);
    rig.heard();
    (rig, early)
}

/// Makes `event` happen to a circuit that was called by `ticket`; whether an attempt was admitted, if it was one.
fn happen(rig: &Rig, event: &str, ticket: &mut Option<Ticket>) -> Option<bool> {
    let Rig { breaker, clock, .. } = rig;
    match event {
        "attempt" | "at_deadline" => {
            if event == "at_deadline" {
                clock.advance(secs(10));
            }
            *ticket = breaker.try_acquire().ok();
            return Some(ticket.is_some());
        }
        "success" => ticket.take().unwrap().success(),
        "failure" => ticket.take().unwrap().failure("refused"),
        "ignored" => ticket.take().unwrap().ignored(),
        "dropped" => drop(ticket.take()),
        "lapse" => {
            clock.advance(match breaker.state() {
                State::Open => secs(10),
                State::HalfOpen => secs(60),
                _ => secs(90),
            });
            breaker.tick();
        }
        "force_open" => breaker.force_open(pin()),
        "force_closed" => breaker.force_closed(pin()),
        "metrics_only" => breaker.metrics_only(pin()),
        "disable" => breaker.disable(pin()),
        "auto" => breaker.auto(),
        "reset" => breaker.reset(),
        other => panic!("`{other}` is no event"),
    }
    None
}

/// The words for the totals that grew.
fn grew(before: &Info, after: &Info) -> String {
    let pairs = before.totals.by_outcome().into_iter().zip(after.totals.by_outcome());
    let grown = pairs.filter(|(before, after)| before != after).map(|((word, _), _)| word);
    grown.collect::<Vec<_>>().join("+")
}

/// What really becomes of `state` after `event`, as a row.
fn observed(state: &str, event: &str) -> Vec<String> {
    let (rig, early) = rig_in(state.parse().unwrap());
    let with_ticket = ["success", "failure", "ignored", "dropped", "lapse"].contains(&event);
    let mut ticket = with_ticket.then(|| rig.breaker.try_acquire().unwrap_or(early));
    let before = rig.breaker.info();
    let attempt = happen(&rig, event, &mut ticket);
    let (after, heard) = (rig.breaker.info(), rig.heard());
    let admitted = attempt.unwrap_or_else(|| rig.breaker.try_acquire().is_ok());

    if !heard.is_empty() {
        let left = (after.metrics.total, after.metrics.streak);
        assert_eq!(left, (0, 0), "{state} {event}: the window starts afresh");
    }
    let told = heard.first().map_or(after.metrics, |transition| transition.metrics);
    let causes: Vec<_> = heard.iter().map(|transition| transition.cause.as_str()).collect();
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    vec![
        state.to_owned(),
        event.to_owned(),
        after.state.to_string(),
        or_dash(causes.join("+")),
        (after.generation - before.generation).to_string(),
        if admitted { "yes" } else { "no" }.to_owned(),
        or_dash(grew(&before, &after)),
        (told.total - before.metrics.total).to_string(),
        after.reopens.to_string(),
    ]
}

#[test]
fn every_cell_of_the_table_holds() {
    let wrong: Vec<String> = rows()
        .map(|expected| (observed(expected[0], expected[1]), expected))
        .filter(|(got, expected)| got != expected)
        .map(|(got, expected)| {
            format!("expected {}\n     got {}", expected.join(" "), got.join(" "))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_cell_once() {
    let mut cells = BTreeSet::from([("open", "at_deadline")]);
    cells.extend(State::ALL.iter().flat_map(|state| EVENTS.map(|event| (state.as_str(), event))));
    let listed: BTreeSet<_> = rows().map(|row| (row[0], row[1])).collect();
    assert_eq!((listed, rows().count()), (cells, 7 * 12 + 1));
}
