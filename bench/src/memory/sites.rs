//! Where the blocks of a breaker and of a keyed circuit are asked for: what to read when one of them grows.

use std::path::Path;

use fuseboard_core::{Board, Keyed, Rules};

use super::breakers::{BREAKERS, name};
use super::keys::{FEW, call};
use super::subject::{Blocking, use_closed};
use crate::contestants::fuseboard::Fuseboard;

/// Writes a profile of breakers on a board and of keyed circuits at rest, which are all alive at its end. Those blocks that were
/// asked for as often as there are breakers belong to one each.
pub(super) fn write(file: &Path) -> Result<(), String> {
    let profiler = dhat::Profiler::builder().file_name(file).trim_backtraces(Some(24)).build();
    let board = Board::new();
    let keyed = Keyed::<String>::builder("payments").build();
    let keyed = keyed.expect("keyed circuits can have this name");
    for index in 0..BREAKERS {
        let breaker = board.get_or_create(&format!("on-board-{index:04}"), Rules::default());
        let breaker = breaker.expect("each name comes once");
        use_closed(&Blocking(Fuseboard::from(breaker)))?;
        call(&keyed, &name(index), FEW);
    }
    drop(profiler);
    Ok(())
}
