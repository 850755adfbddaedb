//! The error budgets of a program's circuits, fed from what its breakers count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::time::Moment;
use fuseboard_core::{Board, Totals};

use super::budget::{Account, BudgetStatus, Slo};

#[derive(Debug)]
pub(super) struct Budgets {
    slos: BTreeMap<String, Slo>,
    of_all_others: Option<Slo>,
    accounts: Mutex<BTreeMap<String, Account>>,
}

impl Budgets {
    pub(super) fn new(slos: BTreeMap<String, Slo>, of_all_others: Option<Slo>) -> Self {
        Budgets { slos, of_all_others, accounts: Mutex::default() }
    }

    /// Takes in what the breakers have counted since the last time.
    pub(super) fn sample(&self, board: &Board, now: Moment) {
        let mut present = BTreeSet::new();
        for breaker in board.all() {
            let Some(slo) = self.slo_of(breaker.name()) else { continue };
            // Not under our lock: reading a breaker takes its own.
            let totals = breaker.info().totals;
            self.count(breaker.name(), slo, totals, now);
            present.insert(breaker.name().to_owned());
        }
        for keyed in board.all_keyed() {
            let Some(slo) = self.slo_of(&keyed.name) else { continue };
            self.count(&keyed.name, slo, keyed.totals, now);
            present.insert(keyed.name.as_ref().to_owned());
        }
        let is_wanted =
            |name: &String, account: &mut Account| present.contains(name) || !account.is_empty(now);
        self.accounts().retain(is_wanted);
    }

    /// The budget that calls of `circuit` are counted in: its own, or that of the keyed circuits it is one of.
    pub(super) fn status(&self, circuit: &str, now: Moment) -> Option<BudgetStatus> {
        let accounts = self.accounts();
        let name = account_of(&accounts, circuit);
        Some(accounts.get(name)?.status(name, now))
    }

    pub(super) fn all(&self, now: Moment) -> Vec<BudgetStatus> {
        self.accounts().iter().map(|(name, account)| account.status(name, now)).collect()
    }

    pub(super) fn restored_in(&self, circuit: &str, now: Moment) -> Duration {
        self.accounts().get(circuit).map_or(Duration::ZERO, |account| account.restored_in(now))
    }

    /// Forgets the calls of that account.
    pub(super) fn clear(&self, circuit: &str) {
        if let Some(account) = self.accounts().get_mut(circuit) {
            account.clear();
        }
    }

    /// The name under which the calls of `circuit` are counted.
    pub(super) fn name_of(&self, circuit: &str) -> String {
        account_of(&self.accounts(), circuit).to_owned()
    }

    /// The objective of a circuit: its own, that of the circuit it is a cell of, or that of all others.
    pub(super) fn slo_of(&self, circuit: &str) -> Option<Slo> {
        let parent = circuit.split_once('@').map_or(circuit, |(parent, _)| parent);
        let own = self.slos.get(circuit).or_else(|| self.slos.get(parent));
        own.copied().or(self.of_all_others)
    }

    fn count(&self, name: &str, slo: Slo, totals: Totals, now: Moment) {
        let mut accounts = self.accounts();
        match accounts.get_mut(name) {
            Some(account) => account.sample(totals, now),
            None => {
                let account = accounts.entry(name.to_owned());
                account.or_insert_with(|| Account::new(slo)).sample(totals, now);
            }
        }
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn account_of<'a>(accounts: &BTreeMap<String, Account>, circuit: &'a str) -> &'a str {
    let parent = circuit.strip_suffix(']').and_then(|open| open.split_once('['));
    match parent {
        Some((parent, _)) if !accounts.contains_key(circuit) => parent,
        _ => circuit,
    }
}
