//! Configured where nothing can capture is an error when built, which names the field, the value and what would be right.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_services::capture::{CapturePolicy, Captures, Idempotent, Kind};
use fuseboard_store::Memory;

use crate::rig::{Building, Rig};

#[test]
fn what_can_never_be_captured_is_refused() {
    type Change = fn(Building) -> Building;
    let rows: [(&str, Change, &str); 6] = [
        (
            "no kind",
            |charge| charge.policy(CapturePolicy::NOTHING),
            "capture: `nothing` is not possible: at least one kind, such as `rejected`",
        ),
        (
            "a fallback that is never served",
            |charge| charge.policy(Kind::Rejected | Kind::Fallback),
            "capture: `fallback` is not possible: no fallback is ever served here: set one, or leave this kind out",
        ),
        (
            "kinds that nobody can vouch for",
            |charge| charge.policy(CapturePolicy::UNDONE).idempotent(Idempotent::Never),
            "capture: `timeout | reset | failure` is not possible: it may have been done already and is never \
             idempotent: say that it is, always or by the caller's key, or name only `rejected`, `connect` and \
             `fallback`",
        ),
        (
            "no room",
            |charge| charge.limit(0),
            "limit: `0` is not possible: a number of bytes above zero",
        ),
        (
            "only kinds that nobody can vouch for",
            |charge| charge.policy(Kind::Reset).idempotent(Idempotent::Never),
            "capture: `reset` is not possible: it may have been done already and is never idempotent: say that it is, \
             always or by the caller's key, or name only `rejected`, `connect` and `fallback`",
        ),
        (
            "nothing and a fallback",
            |charge| charge.policy(CapturePolicy::NOTHING).fallback(|_, _| None),
            "capture: `nothing` is not possible: at least one kind, such as `rejected`",
        ),
    ];
    for (what, change, expected) in rows {
        let error = change(Rig::new().charge()).build().unwrap_err();
        assert_eq!(error.to_string(), expected, "{what}");
    }
}

#[test]
fn what_is_not_said_is_everything_that_can_be_captured() {
    let rows = [
        (Idempotent::Always, false, "rejected | connect | timeout | reset | failure"),
        (Idempotent::ByKey, false, "rejected | connect | timeout | reset | failure"),
        (Idempotent::Never, false, "rejected | connect"),
        (Idempotent::Always, true, "rejected | connect | timeout | reset | failure | fallback"),
        (Idempotent::ByKey, true, "rejected | connect | timeout | reset | failure | fallback"),
        (Idempotent::Never, true, "rejected | connect | fallback"),
    ];
    for (idempotent, serves, policy) in rows {
        let charge = Rig::new().charge().idempotent(idempotent);
        let charge = if serves { charge.fallback(|_, _| None) } else { charge };
        let rule = charge.build().unwrap().rule();
        assert_eq!((rule.policy.to_string().as_str(), rule.idempotent), (policy, idempotent));
    }
}

#[test]
fn a_name_belongs_to_one_handler() {
    let rig = Rig::new();
    let charge = rig.charge().build().unwrap();
    let error = rig.charge().build().unwrap_err();
    let expected = "handler: `charge` is not possible: a name that no other handler has here";
    assert_eq!(error.to_string(), expected);
    drop(charge);
    assert!(rig.charge().build().is_err(), "its letters still need it");
    let nameless = rig.captures.protect("", &rig.breaker, async |(), _| Ok::<(), String>(()));
    assert_eq!(nameless.build().unwrap_err().to_string(), "handler: `` is not possible: a name");
}

#[test]
fn there_is_a_store_and_time_for_it() {
    let error = Captures::builder().build().unwrap_err();
    let expected =
        "letters: `none` is not possible: without a store of letters nothing can be captured";
    assert_eq!(error.to_string(), expected);
    let hasty = Captures::builder().letters(Arc::new(Memory::default())).patience(Duration::ZERO);
    let expected = "patience: `0s` is not possible: a duration above zero";
    assert_eq!(hasty.build().unwrap_err().to_string(), expected);
}
