//! Error budgets among processes: each counts its own calls, and all stop where one of them has seen too many failures.

use std::sync::{MutexGuard, PoisonError};

use fuseboard_store::{By, StoreError};
use tracing::warn;

use super::budget::BudgetStatus;
use super::known::ERROR_BUDGET;
use super::mark::Mark;
use super::service::Governance;

/// A budget that was spent counts as restored when no more than this is, so that one on the brink does not go to and fro.
const RESTORED: f64 = 0.9;

impl Governance {
    /// The budget that calls of `circuit` are counted in; `None` if it has no objective, or was never called.
    pub fn budget(&self, circuit: &str) -> Option<BudgetStatus> {
        let name = self.parts.budgets.name_of(circuit);
        let own = self.parts.budgets.status(&name, self.parts.clock.now());
        match (own, self.spent_elsewhere(&name)) {
            (Some(own), Some(_)) => Some(BudgetStatus { exhausted: true, ..own }),
            (None, Some(spent)) => self.unseen(&name, spent),
            (own, None) => own,
        }
    }

    pub(super) fn all_budgets(&self) -> Vec<BudgetStatus> {
        let own = self.parts.budgets.all(self.parts.clock.now());
        let mut names: Vec<_> = own.into_iter().map(|budget| budget.circuit).collect();
        names.extend(self.known().budgets.keys().cloned());
        names.sort_unstable();
        names.dedup();
        names.iter().filter_map(|name| self.budget(name)).collect()
    }

    /// Tells the other processes of budgets that this one sees spent, and of those that it sees restored. The caller holds
    /// `asking`.
    pub(super) async fn share_budgets(&self) {
        for budget in self.parts.budgets.all(self.parts.clock.now()) {
            let Some(mark) = self.news_of(&budget) else { continue };
            let BudgetStatus { circuit, good, bad, slo, .. } = &budget;
            let calls = good + bad;
            let reason =
                format!("{bad} of {calls} calls failed; the objective is {}", slo.objective);
            let name = format!("{ERROR_BUDGET}{circuit}");
            let seen = self.known().revision(&name);
            let (by, wall) = (By::system(reason), self.parts.clock.wall());
            let changing =
                self.parts.letters.change_setting(name, mark.to_string(), seen, by, wall);
            match changing.await {
                Ok(setting) => {
                    self.known().absorb(&setting);
                    self.own_marks().insert(circuit.clone(), setting.revision);
                }
                // Another process was faster; what it says is read with the next refresh.
                Err(StoreError::Outdated { .. }) => {}
                Err(error) => warn!(circuit, %error, "a spent error budget could not be shared"),
            }
        }
    }

    /// What the others should hear of a budget.
    fn news_of(&self, budget: &BudgetStatus) -> Option<Mark> {
        let (now, wall) = (self.parts.clock.now(), self.parts.clock.wall());
        let (mark, revision) = {
            let known = self.known();
            let control = known.budgets.get(&budget.circuit);
            (control.and_then(|control| control.value), control.map(|control| control.revision))
        };
        let is_marked = mark.is_some_and(|mark| mark.spent_at(wall).is_some());
        let is_own =
            revision.is_some() && self.own_marks().get(&budget.circuit).copied() == revision;
        let few = budget.good + budget.bad < budget.slo.min_calls;
        match (budget.exhausted, is_marked) {
            (true, false) => {
                let until = wall + self.parts.budgets.restored_in(&budget.circuit, now);
                Some(Mark::Spent { share: budget.spent, until })
            }
            (false, true) if is_own && (few || budget.spent <= RESTORED) => Some(Mark::Recovered),
            _ => None,
        }
    }

    /// The share of the budget that is spent, if a process has said so and that still holds.
    fn spent_elsewhere(&self, circuit: &str) -> Option<f64> {
        let mark = self.known().budgets.get(circuit)?.value?;
        self.parts.budgets.slo_of(circuit)?;
        mark.spent_at(self.parts.clock.wall())
    }

    /// A budget of which this process knows only what another has said.
    fn unseen(&self, circuit: &str, spent: f64) -> Option<BudgetStatus> {
        let slo = self.parts.budgets.slo_of(circuit)?;
        let circuit = circuit.to_owned();
        let (good, bad, burn_rate) = (0, 0, 0.0);
        Some(BudgetStatus { circuit, slo, good, bad, spent, burn_rate, exhausted: true })
    }

    fn own_marks(&self) -> MutexGuard<'_, std::collections::BTreeMap<String, u64>> {
        self.own_marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
