//! The contract, with every letter sealed.

use std::sync::Arc;

use fuseboard_core::time::WallTime;
use fuseboard_store::{Keyring, Letters, Sealed, SealingKey, conformance};

use crate::server::Server;

fn keys() -> Keyring {
    Keyring::new(SealingKey::new("k", [1; 32]).unwrap())
}

async fn empty() -> Sealed {
    Sealed::new(Arc::new(Server::shared().empty().await), keys())
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

#[tokio::test]
async fn servers_that_come_at_once_know_the_same_key() {
    let beneath: Arc<dyn Letters> = Arc::new(Server::shared().empty().await);
    let check = || async {
        let letters = Sealed::new(Arc::clone(&beneath), keys());
        letters.check_keys(&[], WallTime::from_unix_millis(1_000)).await
    };
    let (first, second, third) = tokio::join!(check(), check(), check());
    assert!(first.is_ok() && second.is_ok() && third.is_ok(), "{first:?} {second:?} {third:?}");
    assert_eq!(beneath.settings().await.unwrap().len(), 1);
}
