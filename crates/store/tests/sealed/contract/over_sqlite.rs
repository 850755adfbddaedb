//! The contract, sealed over SQLite.

use std::sync::Arc;

use fuseboard_store::{Sealed, Sqlite, SqliteOptions, conformance};
use proptest::prelude::*;
use tempfile::TempDir;

use super::operations;
use crate::ring;

/// A new store, and the folder that it is in for as long as the folder is held.
fn empty(capacity: Option<u64>) -> (TempDir, Sealed) {
    let folder = tempfile::tempdir().unwrap();
    let rules = conformance::rules();
    let options = SqliteOptions { rules, capacity, ..SqliteOptions::new(folder.path()) };
    let sqlite = Sqlite::open(options).unwrap();
    (folder, Sealed::new(Arc::new(sqlite), ring("k", 1)))
}

/// One test for each property that needs nothing but an empty store.
macro_rules! keeps {
    ($($property:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $property() {
            let (_folder, letters) = empty(None);
            conformance::$property(&letters).await;
        }
    )*};
}

fuseboard_store::each_property!(keeps);

#[tokio::test]
async fn a_full_store_says_so_and_takes_letters_again() {
    let (_folder, letters) = empty(Some(3));
    conformance::a_full_store_says_so_and_takes_letters_again(&letters, 3).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn agrees_with_the_model(operations in operations::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_folder, letters) = empty(None);
        runtime.block_on(conformance::agrees_with_the_model(&letters, &operations));
    }
}
