//! The rules of half_open: leases, slots, permits, and the recovery that ends the episode.

use std::sync::Arc;
use std::time::Duration;

use super::step::Change;
use super::{Cause, Lease, Mode, Reply, Stamp};
use crate::outcome::Outcome;
use crate::policy::{Decision, Recovery, RecoveryContext};

impl Change<'_> {
    /// Judges an attempt: a slot must be free, and the permit must agree.
    pub(super) fn attempt_half_open(&mut self) -> Reply {
        let context = self.context;
        let (generation, since) = (self.circuit.generation, self.circuit.since);
        let Mode::HalfOpen(shared) = &mut self.circuit.mode else { return Reply::Stale };
        let slot_free = shared.leases.len() < context.rules.slots() as usize;
        let permitted = || context.rules.permit().permits(context.now.since(since), context.draw);
        if !(slot_free && permitted()) {
            return Reply::Rejected { retry_after: None, cause: Cause::ProbesLimited };
        }
        let episode = Arc::make_mut(shared);
        let id = episode.next_lease;
        episode.next_lease += 1;
        episode.leases.push(Lease { id, until: context.now + context.rules.probe_timeout() });
        Reply::Admitted(Stamp { generation, lease: Some(id) })
    }

    pub(super) fn settle_probe(
        &mut self,
        stamp: &Stamp,
        outcome: Outcome,
        duration: Option<Duration>,
        retry_after: Option<Duration>,
    ) {
        if let Some(id) = stamp.lease {
            self.release(id);
        }
        match outcome {
            Outcome::Ignored => {}
            Outcome::Success if self.too_slow(duration) => {
                self.decide(Outcome::Failure, Cause::ProbeSlow, None);
            }
            Outcome::Success => self.decide(Outcome::Success, Cause::Recovered, None),
            Outcome::Failure => self.decide(Outcome::Failure, Cause::ProbeFailed, retry_after),
        }
    }

    /// A lease that ran out: its slot is free, and its probe has failed.
    pub(super) fn lease_lapsed(&mut self, id: u64) -> Reply {
        if !self.release(id) {
            return Reply::Stale;
        }
        self.decide(Outcome::Failure, Cause::ProbeLapsed, None);
        Reply::Taken
    }

    fn release(&mut self, id: u64) -> bool {
        let Mode::HalfOpen(episode) = &mut self.circuit.mode else { return false };
        let found = episode.leases.iter().any(|lease| lease.id == id);
        if found {
            Arc::make_mut(episode).leases.retain(|lease| lease.id != id);
        }
        found
    }

    /// Under `successes(n)` a success that reached a slow threshold of the tripper is no recovery.
    fn too_slow(&self, duration: Option<Duration>) -> bool {
        let rules = self.context.rules;
        let (Recovery::Successes(_), Some(duration)) = (rules.recovery(), duration) else {
            return false;
        };
        rules.measures().slow.reached(duration) > 0
    }

    fn decide(&mut self, last: Outcome, cause: Cause, retry_after: Option<Duration>) {
        let trips = self.trips();
        let Mode::HalfOpen(episode) = &mut self.circuit.mode else { return };
        let episode = Arc::make_mut(episode);
        match last {
            Outcome::Success => episode.successes = episode.successes.saturating_add(1),
            Outcome::Failure => episode.failures = episode.failures.saturating_add(1),
            Outcome::Ignored => {}
        }
        let (successes, failures) = (episode.successes, episode.failures);
        let metrics = self.context.metrics;
        let context = RecoveryContext { successes, failures, last, metrics, trips };
        match self.context.rules.recovery().decide(&context) {
            Decision::Stay => {}
            Decision::Close => self.close(Cause::Recovered),
            // A custom rule may open on a success; that is the recovery's verdict, not a failed probe's.
            Decision::Open if last == Outcome::Success => self.open(Cause::Tripped, None),
            Decision::Open => self.open(cause, retry_after),
        }
    }
}
