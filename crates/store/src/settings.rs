//! Small values that all who share a store agree on, such as a kill switch.

use fuseboard_core::time::WallTime;

use crate::audit::By;
use crate::letters::Answering;

/// A named value, and which change made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, such as `kill_switch`.
    pub name: String,
    /// Its value, in whatever form its reader understands. A few kilobytes at most.
    pub value: String,
    /// How often it was changed. 1 for the first value.
    pub revision: u64,
    /// Who changed it last.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: WallTime,
}

/// Named values that are changed only by who has seen the latest.
///
/// ```
/// use fuseboard_core::time::WallTime;
/// use fuseboard_store::{By, Memory, Settings, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = Memory::default();
/// let (by, now) = (By::new("ops", "maintenance"), WallTime::from_unix_millis(1_000));
/// let set = |value: &str, seen| {
///     store.change_setting("kill_switch".to_owned(), value.to_owned(), seen, by.clone(), now)
/// };
/// assert_eq!(set("on", 0).await?.revision, 1);
/// assert!(matches!(set("off", 0).await, Err(StoreError::Outdated { current: 1, .. })));
/// assert_eq!(store.settings().await?[0].value, "on");
/// # Ok(())
/// # }
/// ```
pub trait Settings {
    /// All settings, by name.
    fn settings(&self) -> Answering<'_, Vec<Setting>>;

    /// Gives a setting a value, if its revision is still `seen` (0 if there is none yet), and writes the audit record
    /// `setting.change` of `setting/NAME` in the same transaction. Returns what it is now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Outdated`](crate::StoreError::Outdated) if somebody changed it since; nothing changed then.
    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting>;
}
