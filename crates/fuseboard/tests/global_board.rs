//! The board of the process: installed once, before anyone asks for one. It is alone in its process.

use fuseboard::{Board, CallError, circuit_breaker, global};

#[circuit_breaker("payments")]
fn charge() -> Result<u32, CallError<String>> {
    Ok(1)
}

#[test]
fn an_installed_board_is_that_of_the_process_and_stays() {
    let board = Board::new();
    assert_eq!(global::install(board.clone()), Ok(()));
    assert_eq!(charge(), Ok(1));
    assert_eq!(board.get("payments").map(|payments| payments.info().totals.success), Some(1));

    let refused = global::install(Board::new()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the process has a board: it was installed, or made when someone asked for it"
    );
    assert_eq!(global::board().all().len(), 1);
}
