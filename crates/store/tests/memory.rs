//! The contract, on the store in memory.
#![cfg(test)]

use fuseboard_store::{Memory, MemoryOptions, conformance};
use proptest::prelude::*;

#[path = "support/operations.rs"]
mod operations;

fn empty(capacity: Option<u64>) -> Memory {
    Memory::new(MemoryOptions { capacity, rules: conformance::rules() })
}

/// One test for each property that needs nothing but an empty store.
macro_rules! keeps {
    ($($property:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $property() {
            conformance::$property(&empty(None)).await;
        }
    )*};
}

fuseboard_store::each_property!(keeps);

#[tokio::test]
async fn a_full_store_says_so_and_takes_letters_again() {
    conformance::a_full_store_says_so_and_takes_letters_again(&empty(Some(3)), 3).await;
}

proptest! {
    #[test]
    fn agrees_with_the_model(operations in operations::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(conformance::agrees_with_the_model(&empty(None), &operations));
    }
}
