//! What a board says of its circuits at one moment, as metrics want it: by name, keyed circuits together.

use std::sync::Arc;

use fuseboard_core::{Board, Info, KeyedInfo, State, Totals};

/// What is said under one name.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) circuit: Arc<str>,
    /// How many circuits are in each state, in the order of [`State::ALL`].
    pub(super) states: [u64; State::ALL.len()],
    pub(super) totals: Totals,
    /// All the rest, if it is one circuit and not keyed ones.
    pub(super) single: Option<Info>,
}

impl Reading {
    /// What every circuit of `board` says now.
    pub(super) fn all(board: &Board) -> Vec<Self> {
        let singles = board.all().into_iter().map(|breaker| Reading::of(breaker.info()));
        let keyed = board.all_keyed().into_iter().map(|keyed| Reading::of_keyed(&keyed));
        singles.chain(keyed).collect()
    }

    pub(super) fn of(info: Info) -> Self {
        Reading {
            circuit: Arc::clone(&info.name),
            states: State::ALL.map(|state| u64::from(info.state == state)),
            totals: info.totals,
            single: Some(info),
        }
    }

    pub(super) fn of_keyed(info: &KeyedInfo) -> Self {
        let circuits = |state| info.states.get(&state).map_or(0, |circuits| *circuits as u64);
        Reading {
            circuit: Arc::clone(&info.name),
            states: State::ALL.map(circuits),
            totals: info.totals,
            single: None,
        }
    }
}
