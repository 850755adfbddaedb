//! Cells: where keys go, what a resize moves, and what becomes of the circuits of cells that are gone.

use std::collections::BTreeMap;

use fuseboard_core::State;
use fuseboard_services::circuits::{
    AuditAction, CellRing, Cells, CircuitBreakerConfig, ManualControl, Recorded, ThresholdOverride,
};
use proptest::prelude::*;

use crate::rig::Rig;

fn with_cells(cells: &Cells) -> Rig {
    Rig::with(CircuitBreakerConfig::default(), |builder| builder.cells(cells.clone()))
}

fn names(cells: &[&str]) -> Cells {
    Cells::new(CellRing::new(cells).unwrap())
}

#[test]
fn every_version_puts_these_keys_into_these_cells() {
    let ring = CellRing::numbered(8).unwrap();
    let keys = ["tenant-1", "tenant-2", "tenant-3", "tenant-4", "", "ключ"];
    let cells: Vec<&str> = keys.iter().map(|key| ring.cell_of(key)).collect();
    assert_eq!(cells, ["cell-0", "cell-5", "cell-3", "cell-7", "cell-3", "cell-6"]);
}

#[test]
fn keys_are_spread_evenly() {
    let ring = CellRing::numbered(8).unwrap();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for key in 0..80_000 {
        *counts.entry(ring.cell_of(format!("tenant-{key}"))).or_default() += 1;
    }
    assert_eq!(counts.len(), 8);
    for (cell, count) in counts {
        assert!((7_500..=12_500).contains(&count), "{cell} has {count} of 80000 keys");
    }
}

proptest! {
    #[test]
    fn a_cell_that_is_added_takes_keys_and_no_other_key_moves(
        cells in 1u32..24, keys in proptest::collection::vec(any::<Vec<u8>>(), 1..200)
    ) {
        let before = CellRing::numbered(cells).unwrap();
        let after = before.with("new").unwrap();
        for key in keys {
            let cell = after.cell_of(&key);
            prop_assert!(cell == "new" || cell == before.cell_of(&key));
        }
    }

    #[test]
    fn a_cell_that_leaves_gives_its_keys_away_and_no_other_key_moves(
        cells in 2u32..24, gone in any::<prop::sample::Index>(),
        keys in proptest::collection::vec(any::<Vec<u8>>(), 1..200)
    ) {
        let before = CellRing::numbered(cells).unwrap();
        let gone = format!("cell-{}", gone.index(cells as usize));
        let after = before.without(&gone).unwrap();
        for key in keys {
            let (was, is) = (before.cell_of(&key), after.cell_of(&key));
            prop_assert!(is == was || was == gone);
            prop_assert!(is != gone);
        }
    }

    #[test]
    fn the_order_in_which_cells_are_named_makes_no_difference(
        cells in Just((0..12).map(|n| format!("c{n}")).collect::<Vec<_>>()).prop_shuffle(),
        key in any::<String>()
    ) {
        let sorted = CellRing::new((0..12).map(|n| format!("c{n}"))).unwrap();
        let shuffled = CellRing::new(&cells).unwrap();
        prop_assert_eq!(shuffled.cell_of(&key), sorted.cell_of(&key));
        prop_assert_eq!(shuffled, sorted);
    }
}

#[test]
fn a_resize_moves_about_as_many_keys_as_it_must() {
    let (before, after) = (CellRing::numbered(9).unwrap(), CellRing::numbered(10).unwrap());
    let keys = (0..10_000).map(|key| format!("tenant-{key}"));
    let moved = keys.filter(|key| before.cell_of(key) != after.cell_of(key)).count();
    assert!((600..=1_500).contains(&moved), "{moved} of 10000 keys moved; a tenth must");
}

#[test]
fn rings_that_cannot_be_are_refused() {
    let none: [&str; 0] = [];
    let long = "x".repeat(101);
    let rows = [
        (CellRing::new(none), "cells: `0` is not possible: 1 to 4096 cells"),
        (CellRing::numbered(5_000), "cells: `5000` is not possible: 1 to 4096 cells"),
        (CellRing::new(["a", "a"]), "cells: `a` is not possible: each cell once"),
        (
            CellRing::new(["a@b"]),
            "cell: `a@b` is not possible: 1 to 100 characters, no `@` and no control characters",
        ),
        (
            CellRing::numbered(1).unwrap().without("cell-0"),
            "cells: `0` is not possible: 1 to 4096 cells",
        ),
        (
            CellRing::numbered(2).unwrap().without("b"),
            "cells: `b` is not possible: a cell of the ring",
        ),
        (
            CellRing::numbered(2).unwrap().with_virtual_nodes(0),
            "virtual_nodes: `0` is not possible: a number from 1 to 4096",
        ),
    ];
    for (ring, message) in rows {
        assert_eq!(ring.unwrap_err().to_string(), message);
    }
    assert!(CellRing::new([&*long]).is_err() && CellRing::new([""]).is_err());
}

#[test]
fn one_cells_trouble_is_not_the_others() {
    let cells = Cells::new(CellRing::numbered(4).unwrap());
    let rig = with_cells(&cells);
    let circuits: std::collections::BTreeSet<String> =
        (0..100).map(|tenant| cells.circuit_of("payments", format!("{tenant}"))).collect();
    assert_eq!(circuits.len(), 4);
    let sick = cells.circuit_of("payments", "7");
    rig.trip(&sick);
    for circuit in circuits {
        assert_eq!(rig.service.should_allow(&circuit).unwrap(), circuit != sick);
    }
}

#[test]
fn reconciling_keeps_live_cells_and_circuits_without_a_cell_as_they_are() {
    let cells = names(&["eu-1", "eu-2"]);
    let rig = with_cells(&cells);
    for circuit in ["payments", "payments@eu-1", "payments@eu-2", "ledger@eu-1"] {
        rig.trip(circuit);
    }
    rig.service.force_open("ledger@eu-2", ManualControl::by("ops")).unwrap();
    let before = rig.service.get_all_states();
    let done = rig.service.reconcile_cb_cell_mapping();
    assert!(done.archived.is_empty() && done.errors.is_empty());
    assert_eq!(rig.service.get_all_states(), before);

    cells.resize(CellRing::new(["eu-1", "eu-2", "eu-3"]).unwrap());
    assert!(
        rig.service.reconcile_cb_cell_mapping().archived.is_empty(),
        "keys moved, no cell left"
    );
    assert_eq!(rig.service.get_all_states(), before);
}

#[test]
fn a_circuit_of_a_cell_that_is_gone_is_archived_with_its_last_state_and_deleted() {
    let cells = names(&["eu-1", "eu-2"]);
    let rig = with_cells(&cells);
    rig.succeed("payments@eu-1", 3);
    rig.trip("payments@eu-2");
    let last = rig.service.get_or_create_state("payments@eu-2").unwrap();
    let told = rig.told().len();
    cells.resize(CellRing::new(["eu-1"]).unwrap());

    let done = rig.service.reconcile_cb_cell_mapping();
    assert_eq!((done.archived, done.errors), (vec!["payments@eu-2".to_owned()], vec![]));
    assert_eq!(rig.told().len(), told, "no transition");
    let records = rig.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].action, &*records[0].service_name),
        (AuditAction::Archived, "payments@eu-2")
    );
    assert_eq!((records[0].before.as_ref(), records[0].after.as_ref()), (Some(&last), None));
    let left: Vec<_> =
        rig.service.get_all_states().into_iter().map(|one| one.service_name).collect();
    assert_eq!(left, ["payments@eu-1"]);
    assert!(rig.service.get_open_states(None).is_empty());
    assert!(rig.service.reconcile_cb_cell_mapping().archived.is_empty(), "once");
}

#[test]
fn a_cell_that_comes_back_begins_anew() {
    let cells = names(&["eu-1", "eu-2"]);
    let rig = with_cells(&cells);
    let order = ThresholdOverride { failure_threshold: Some(9), ..ThresholdOverride::default() };
    rig.service.apply_threshold_override("payments@eu-2", order.never_expiring()).unwrap();
    rig.fail("payments@eu-2", 9);
    cells.resize(CellRing::new(["eu-1"]).unwrap());
    rig.service.reconcile_cb_cell_mapping();
    cells.resize(CellRing::new(["eu-1", "eu-2"]).unwrap());
    let config = rig.service.get_effective_config("payments@eu-2");
    assert_eq!(config, CircuitBreakerConfig::default(), "the override went with it");
    assert_eq!(rig.service.get_state("payments@eu-2"), State::Closed);
    rig.fail("payments@eu-2", 4);
    assert_eq!(rig.service.get_total_calls("payments@eu-2"), 4);
    rig.fail("payments@eu-2", 1);
    assert_eq!(rig.service.get_state("payments@eu-2"), State::Open);
}

#[test]
fn calls_on_their_way_when_their_circuit_is_archived_are_cancelled() {
    let cells = names(&["eu-1", "eu-2"]);
    let rig = with_cells(&cells);
    let decision = rig.service.should_allow_with_state("payments@eu-2").unwrap();
    cells.resize(CellRing::new(["eu-1"]).unwrap());
    rig.service.reconcile_cb_cell_mapping();
    assert_eq!(rig.service.get_open_calls("payments@eu-2"), 0);
    let recorded = rig.service.record_failure("payments@eu-2", None, Some(&decision.state));
    assert_eq!(recorded, Ok(Recorded::Dropped));
}

#[test]
fn a_circuit_whose_last_state_cannot_be_kept_stays() {
    let cells = names(&["eu-1", "eu-2"]);
    let rig = with_cells(&cells);
    rig.trip("payments@eu-2");
    cells.resize(CellRing::new(["eu-1"]).unwrap());
    *rig.audit.broken.lock().unwrap() = true;
    let done = rig.service.reconcile_cb_cell_mapping();
    assert!(done.archived.is_empty());
    assert_eq!(
        (&*done.errors[0].service_name, &*done.errors[0].error),
        ("payments@eu-2", "the disk is full")
    );
    assert_eq!(rig.service.get_state("payments@eu-2"), State::Open);
    *rig.audit.broken.lock().unwrap() = false;
    assert_eq!(rig.service.reconcile_cb_cell_mapping().archived.len(), 1);
}

#[test]
fn without_cells_nothing_is_archived() {
    let rig = Rig::new();
    rig.trip("payments@eu-1");
    assert!(rig.service.reconcile_cb_cell_mapping().archived.is_empty());
    assert_eq!(rig.service.get_state("payments@eu-1"), State::Open);
}
