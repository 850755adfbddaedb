//! That the keys are those that letters were sealed with, looked up before anything is done with them.

use std::collections::BTreeSet;

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;

use super::Sealed;
use super::keyring::SealingKey;
use crate::audit::By;
use crate::error::{StoreError, Unopened};
use crate::letters::Query;

/// The setting that a key of this name is known by begins so.
const SETTING: &str = "encryption.key.";

/// How many letters are looked at in one go.
const PAGE: usize = 1_000;

impl Sealed {
    /// Checks the keys before they are used, and remembers those that are new, each as an audited setting that tells
    /// nothing of the key. Letters of the keys named in `lost` may be there without them: they go to review when their turn
    /// comes.
    ///
    /// If a key that was used before is not in the keyring, all letters that are not final are listed.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongKey`] if a key is another one than that of the same name before; [`StoreError::Sealed`] if a
    /// letter that is to be replayed was sealed with a key that is not in the keyring, nor among the lost ones;
    /// whatever the store says.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may have remembered some of the keys.
    pub async fn check_keys(&self, lost: &[String], now: WallTime) -> Result<(), StoreError> {
        let settings = self.letters.settings().await?;
        let used = settings.iter().filter_map(|setting| {
            let id = setting.name.strip_prefix(SETTING)?;
            Some((id, setting.value.as_str()))
        });
        let used: Vec<_> = used.collect();
        for key in self.keys.keys() {
            match used.iter().find(|(id, _)| *id == key.id()) {
                Some((_, mark)) if *mark == key.mark() => {}
                Some(_) => return Err(StoreError::WrongKey { key: key.id().to_owned() }),
                None => self.remember(key, now).await?,
            }
        }
        let missing = used.into_iter().map(|(id, _)| id.to_owned());
        let missing = missing.filter(|id| self.keys.find(id).is_none() && !lost.contains(id));
        self.need_none_of(&missing.collect()).await
    }

    async fn remember(&self, key: &SealingKey, now: WallTime) -> Result<(), StoreError> {
        let name = format!("{SETTING}{}", key.id());
        let by = By::system("a key for letters is used for the first time");
        match self.letters.change_setting(name.clone(), key.mark(), 0, by, now).await {
            Ok(_) => Ok(()),
            // Another server with the same store was faster. It must have been the same key.
            Err(StoreError::Outdated { .. }) => {
                let settings = self.letters.settings().await?;
                let same =
                    |setting: &crate::Setting| setting.name == name && setting.value == key.mark();
                let wrong = StoreError::WrongKey { key: key.id().to_owned() };
                settings.iter().any(same).then_some(()).ok_or(wrong)
            }
            Err(error) => Err(error),
        }
    }

    async fn need_none_of(&self, missing: &BTreeSet<String>) -> Result<(), StoreError> {
        if missing.is_empty() {
            return Ok(());
        }
        // What is in review already waits for a person, who may also find that its key is lost.
        for status in [Status::Pending, Status::Replaying] {
            let mut query = Query { status: Some(status), limit: PAGE, ..Query::default() };
            loop {
                let page = self.letters.list(query.clone()).await?;
                let Some(last) = page.last() else { break };
                query.after = Some(last.id);
                for letter in page {
                    if let Some(key) = letter.sealed_by.filter(|id| missing.contains(id)) {
                        let why = Unopened::KeyMissing { key };
                        return Err(StoreError::Sealed { letter: letter.id, why });
                    }
                }
            }
        }
        Ok(())
    }
}
