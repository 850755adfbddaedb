//! What people change: the kill switch, the emergency level, and an error budget that is to begin anew.

use fuseboard_store::{Setting, StoreError};

use super::change::{Change, Changed, GovernanceError};
use super::known::{EMERGENCY_LEVEL, ERROR_BUDGET, KILL_SWITCH, Switch};
use super::level::EmergencyLevel;
use super::mark::Mark;
use super::service::Governance;
use crate::circuits::Invalid;

/// How often a change that did not say what it saw is tried when others change the same at the same time.
const TRIES: u32 = 8;

impl Governance {
    /// Turns the kill switch on or off. Here it holds at once, in other processes with their next refresh. The audit record is
    /// written with it.
    ///
    /// # Errors
    ///
    /// [`GovernanceError::Invalid`] without an actor or a reason; [`StoreError::Outdated`] if somebody changed it since the
    /// revision that was [seen](Change::seen); what else the store says.
    ///
    /// # Cancel safety
    ///
    /// If dropped, it may or may not be changed; the next refresh shows which.
    pub async fn set_kill_switch(
        &self,
        switch: Switch,
        change: Change,
    ) -> Result<Changed, GovernanceError> {
        self.change(KILL_SWITCH.to_owned(), switch.to_string(), change).await
    }

    /// Sets the emergency level. From 2 on, nothing is replayed.
    ///
    /// # Errors
    ///
    /// As [`set_kill_switch`](Self::set_kill_switch).
    ///
    /// # Cancel safety
    ///
    /// As [`set_kill_switch`](Self::set_kill_switch).
    pub async fn set_emergency_level(
        &self,
        level: EmergencyLevel,
        change: Change,
    ) -> Result<Changed, GovernanceError> {
        self.change(EMERGENCY_LEVEL.to_owned(), level.to_string(), change).await
    }

    /// Has the error budget of a circuit begin anew, in all processes: what was counted before is forgotten.
    ///
    /// # Errors
    ///
    /// As [`set_kill_switch`](Self::set_kill_switch); [`GovernanceError::Invalid`] also if the circuit has no objective.
    ///
    /// # Cancel safety
    ///
    /// As [`set_kill_switch`](Self::set_kill_switch).
    pub async fn reset_error_budget(
        &self,
        circuit: &str,
        change: Change,
    ) -> Result<Changed, GovernanceError> {
        let name = self.parts.budgets.name_of(circuit);
        if self.parts.budgets.slo_of(&name).is_none() {
            let expected = "a circuit with an objective";
            return Err(Invalid::new("circuit", circuit, expected).into());
        }
        self.change(format!("{ERROR_BUDGET}{name}"), Mark::Reset.to_string(), change).await
    }

    async fn change(
        &self,
        name: String,
        value: String,
        change: Change,
    ) -> Result<Changed, GovernanceError> {
        change.check()?;
        let mut tries = 1;
        loop {
            match self.change_once(&name, &value, &change).await {
                // It was somebody else's turn between the look and the change: look again.
                Err(GovernanceError::Store(StoreError::Outdated { .. }))
                    if change.seen.is_none() && tries < TRIES =>
                {
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn change_once(
        &self,
        name: &str,
        value: &str,
        change: &Change,
    ) -> Result<Changed, GovernanceError> {
        let _asking = self.asking.lock().await;
        let settings = self.parts.letters.settings().await?;
        let now = settings.into_iter().find(|setting| setting.name == name);
        let current = now.as_ref().map_or(0, |setting| setting.revision);
        let seen = change.seen.unwrap_or(current);
        let before = now.map(|setting: Setting| setting.value);
        if seen != current {
            return Err(StoreError::Outdated { name: name.to_owned(), seen, current }.into());
        }
        let after = value.to_owned();
        if change.dry_run {
            return Ok(Changed { before, after, revision: current + 1, dry_run: true });
        }
        let (by, wall) = (change.by.clone(), self.parts.clock.wall());
        let changing = self.parts.letters.change_setting(name.to_owned(), after, seen, by, wall);
        let setting = changing.await?;
        let reset = self.known().absorb(&setting);
        if let Some(circuit) = reset {
            // What has been called so far is what is to be forgotten, also if nobody has counted it yet.
            self.sample();
            self.parts.budgets.clear(&circuit);
        }
        let Setting { value: after, revision, .. } = setting;
        Ok(Changed { before, after, revision, dry_run: false })
    }
}
