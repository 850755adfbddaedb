//! The letters as the server has them: sealed with the keys that the configuration names, or at least told from sealed ones.

use std::sync::Arc;

use fuseboard_core::time::WallTime;
use fuseboard_store::{KeyError, Keyring, Letters, Sealed, SealingKey, StoreError};

use crate::config::{Encryption, KeySetting, KeySource};

/// Reads the keys.
pub(crate) fn keyring(encryption: &Encryption) -> Result<Keyring, KeyError> {
    let current = encryption.current.as_ref().map(key).transpose()?;
    let mut keys = current.map_or_else(Keyring::none, Keyring::new);
    for older in &encryption.previous {
        keys = keys.with_older(key(older)?)?;
    }
    Ok(keys)
}

fn key(KeySetting { id, source }: &KeySetting) -> Result<SealingKey, KeyError> {
    match source {
        KeySource::File(path) => SealingKey::from_file(id, path),
        KeySource::Variable(name) => SealingKey::from_variable(id, name),
    }
}

/// The letters in clear for the server. Without any key, too: letters that an earlier configuration sealed must not be taken
/// for requests.
pub(crate) async fn over(
    letters: Arc<dyn Letters>,
    keys: Keyring,
    lost: &[String],
    now: WallTime,
) -> Result<Arc<dyn Letters>, StoreError> {
    let letters = Sealed::new(letters, keys);
    letters.check_keys(lost, now).await?;
    Ok(Arc::new(letters))
}
