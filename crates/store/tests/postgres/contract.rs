//! The whole conformance suite.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::time::ManualClock;
use fuseboard_store::{Postgres, PostgresOptions, conformance};
use proptest::prelude::*;

use crate::operations;
use crate::server::Server;

/// One test for each property that needs nothing but an empty store.
macro_rules! keeps {
    ($($property:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $property() {
            conformance::$property(&Server::shared().empty().await).await;
        }
    )*};
}

fuseboard_store::each_property!(keeps);

/// The same with a clock that is decades from the server's: times come back as they went in.
mod with_another_clock {
    use super::*;

    async fn empty() -> Postgres {
        let clock = Arc::new(ManualClock::new());
        clock.advance(Duration::from_secs(1_000));
        let options = PostgresOptions { clock, ..Server::shared().options() };
        Postgres::open(options).await.unwrap()
    }

    macro_rules! keeps {
        ($($property:ident),* $(,)?) => {$(
            #[tokio::test]
            async fn $property() {
                conformance::$property(&empty().await).await;
            }
        )*};
    }

    fuseboard_store::each_property!(keeps);
}

#[tokio::test]
async fn a_full_store_says_so_and_takes_letters_again() {
    let options = PostgresOptions { capacity: Some(3), ..Server::shared().options() };
    let letters = Postgres::open(options).await.unwrap();
    conformance::a_full_store_says_so_and_takes_letters_again(&letters, 3).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn agrees_with_the_model(operations in operations::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let letters = Server::shared().empty().await;
            conformance::agrees_with_the_model(&letters, &operations).await;
        });
    }
}
