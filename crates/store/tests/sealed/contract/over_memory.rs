//! The contract, sealed over memory.

use std::sync::Arc;

use fuseboard_store::{Memory, MemoryOptions, Sealed, conformance};
use proptest::prelude::*;

use super::operations;
use crate::ring;

fn empty(capacity: Option<u64>) -> Sealed {
    let memory = Memory::new(MemoryOptions { capacity, rules: conformance::rules() });
    Sealed::new(Arc::new(memory), ring("k", 1))
}

/// One test for each property that needs nothing but an empty store.
macro_rules! keeps {
    ($($property:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $property() {
            let letters = empty(None);
            conformance::$property(&letters).await;
        }
    )*};
}

fuseboard_store::each_property!(keeps);

#[tokio::test]
async fn a_full_store_says_so_and_takes_letters_again() {
    let letters = empty(Some(3));
    conformance::a_full_store_says_so_and_takes_letters_again(&letters, 3).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn agrees_with_the_model(operations in operations::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let letters = empty(None);
        runtime.block_on(conformance::agrees_with_the_model(&letters, &operations));
    }
}

/// The same without any key: what is in clear stays so.
mod in_clear {
    use super::*;
    use fuseboard_store::Keyring;

    fn empty() -> Sealed {
        let options = MemoryOptions { capacity: None, rules: conformance::rules() };
        Sealed::new(Arc::new(Memory::new(options)), Keyring::none())
    }

    macro_rules! keeps {
        ($($property:ident),* $(,)?) => {$(
            #[tokio::test]
            async fn $property() {
                conformance::$property(&empty()).await;
            }
        )*};
    }

    fuseboard_store::each_property!(keeps);
}
