//! Policies that hold for one circuit for a while, in place of the configured ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::policy::{InvalidPolicy, Retry, Tripper};
use fuseboard_core::text::format_duration;
use fuseboard_core::time::{Clock, Moment, WallTime};
use fuseboard_core::{Board, CircuitBreaker, Rules};
use fuseboard_store::{AuditEntry, By};

use super::Operations;

/// Policies that replace those of a circuit for a while; what is `None` stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyOverride {
    /// What opens it.
    pub trip: Option<Tripper>,
    /// When it tries again. A circuit that is open already keeps its deadline.
    pub retry: Option<Retry>,
    /// Who orders it, and why.
    pub by: By,
    /// For how long; `None` until somebody removes it.
    pub lasting: Option<Duration>,
}

/// An override that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// What was ordered.
    pub order: PolicyOverride,
    /// How long it still holds; `None` for ever.
    pub remaining: Option<Duration>,
}

#[derive(Debug)]
struct Active {
    order: PolicyOverride,
    until: Moment,
    /// The configured rules, which come back.
    base: Arc<Rules>,
}

/// The overrides that hold now, by circuit. Its lock is held while rules are exchanged, so that the last order holds; no
/// listener of a server asks it.
#[derive(Debug)]
pub(super) struct Overrides {
    clock: Arc<dyn Clock>,
    active: Mutex<BTreeMap<String, Active>>,
}

impl Overrides {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Overrides { clock, active: Mutex::default() }
    }

    fn apply(&self, breaker: &CircuitBreaker, order: PolicyOverride) -> Result<(), InvalidPolicy> {
        let mut active = self.lock();
        let replaced = active.get(breaker.name());
        let base = replaced.map_or_else(|| breaker.rules(), |one| Arc::clone(&one.base));
        let rules = rules_with(&base, &order)?;
        let until = order.lasting.map_or(Moment::FAR, |time| self.clock.now() + time);
        active.insert(breaker.name().to_owned(), Active { order, until, base });
        breaker.reconfigure(rules);
        Ok(())
    }

    fn remove(&self, breaker: &CircuitBreaker) -> Option<PolicyOverride> {
        let mut active = self.lock();
        let ended = active.remove(breaker.name())?;
        breaker.reconfigure(ended.base);
        Some(ended.order)
    }

    /// Ends those whose time is over.
    fn end(&self, board: &Board) -> Vec<(String, PolicyOverride)> {
        let mut active = self.lock();
        let now = self.clock.now();
        let over = active.extract_if(.., |_, one| one.until <= now);
        let ended = over.map(|(name, one)| {
            if let Some(breaker) = board.get(&name) {
                breaker.reconfigure(one.base);
            }
            (name, one.order)
        });
        ended.collect()
    }

    fn get(&self, circuit: &str) -> Option<Override> {
        let active = self.lock();
        let one = active.get(circuit)?;
        let remaining = one.until.since(self.clock.now());
        let remaining = one.order.lasting.map(|_| remaining);
        Some(Override { order: one.order.clone(), remaining })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rules_with(base: &Rules, order: &PolicyOverride) -> Result<Rules, InvalidPolicy> {
    let rules = Rules::builder()
        .tracker(base.classifier().failures.clone())
        .ignoring(base.classifier().ignored.clone())
        .window(base.window().clone())
        .tripper(order.trip.clone().unwrap_or_else(|| base.tripper().clone()))
        .retry(order.retry.clone().unwrap_or_else(|| base.retry().clone()))
        .permit(base.permit().clone())
        .slots(base.slots())
        .recovery(base.recovery().clone())
        .probe_timeout(base.probe_timeout());
    match base.cancelled_after() {
        Some(limit) => rules.cancelled_after(limit).build(),
        None => rules.build(),
    }
}

impl Operations {
    /// Puts other policies in place of a circuit's own for a while. State, deadline and window stay; when it ends, the configured
    /// policies come back. One that holds already is replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] if the policies cannot work with those that stay; nothing is changed then.
    pub fn apply_override(
        &self,
        breaker: &CircuitBreaker,
        order: PolicyOverride,
    ) -> Result<(), InvalidPolicy> {
        self.end_overrides();
        let before = told(&breaker.rules());
        self.overrides.apply(breaker, order.clone())?;
        let lasting = match order.lasting {
            Some(time) => format!("for {}", format_duration(time)),
            None => "until it is removed".to_owned(),
        };
        let after = format!("{}; {lasting}", told(&breaker.rules()));
        self.note("circuit.override_applied", breaker.name(), order.by, Some(before), Some(after));
        Ok(())
    }

    /// Ends the circuit's override; `false` if there is none.
    pub fn remove_override(&self, breaker: &CircuitBreaker, by: By) -> bool {
        self.end_overrides();
        let before = told(&breaker.rules());
        let removed = self.overrides.remove(breaker).is_some();
        if removed {
            let after = told(&breaker.rules());
            let (before, after) = (Some(before), Some(after));
            self.note("circuit.override_removed", breaker.name(), by, before, after);
        }
        removed
    }

    /// The circuit's override, if there is one.
    pub fn override_of(&self, circuit: &str) -> Option<Override> {
        self.overrides.get(circuit)
    }

    /// Ends the overrides whose time is over.
    pub fn end_overrides(&self) {
        for (circuit, order) in self.overrides.end(&self.board) {
            let after = self.board.get(&circuit).map(|breaker| told(&breaker.rules()));
            let reason = format!("ordered by {}: {}", order.by.actor, order.by.reason);
            self.note("circuit.override_lapsed", &circuit, By::system(reason), None, after);
        }
    }

    /// Hands an audit record of a circuit over to be written.
    pub(super) fn note(
        &self,
        action: &str,
        circuit: &str,
        by: By,
        before: Option<String>,
        after: Option<String>,
    ) {
        let By { actor, reason } = by;
        let (action, subject) = (action.to_owned(), format!("circuit/{circuit}"));
        let at: WallTime = self.clock.wall();
        let entry = AuditEntry { actor, action, subject, reason, before, after, at };
        // One that is not taken is counted and logged by the log itself.
        let _ = self.audit.write(entry);
    }
}

fn told(rules: &Rules) -> String {
    format!("trip {}; retry {}", rules.tripper(), rules.retry())
}
