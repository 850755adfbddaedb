//! A batch on its way: letter by letter, as long as gate, circuits and whoever asked for it want it to go on.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use fuseboard_core::Rejected;
use fuseboard_store::{Priority, StoreError};
use tokio::time::timeout;

use crate::governance::{BlockedBy, GateRequest, GovernanceCheckResult};
use crate::replay::pace::Pace;

use super::job::Job;
use super::jobs::Running;
use super::on_close::Inflight;
use super::result::ReplayResult;
use super::service::Shared;
use super::turn::{Turn, Wanted};

pub(super) struct Sweep<'a> {
    shared: &'a Shared,
    running: &'a Running,
    /// The job as it began: what it is to do.
    job: Job,
    pace: Option<Pace>,
    /// Letters that had their turn.
    seen: HashSet<fuseboard_store::LetterId>,
    /// Letters that came up again.
    again: HashSet<fuseboard_store::LetterId>,
    /// Circuits that still admit calls.
    open: Vec<String>,
    /// Circuits that do not, and what they said.
    shut: Vec<(String, Rejected)>,
    inflight: Option<Inflight<'a>>,
    stopped: bool,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        running: &'a Arc<Running>,
        inflight: Option<Inflight<'a>>,
    ) -> Self {
        let job = running.snapshot();
        let pace = job.rate.map(Pace::new);
        // A pace lets one start through that is late, and before the first there was none.
        let _ = pace.as_ref().map(|pace| pace.take(shared.clock.now()));
        Sweep {
            shared,
            running,
            pace,
            job,
            seen: HashSet::new(),
            again: HashSet::new(),
            open: Vec::new(),
            shut: Vec::new(),
            inflight,
            stopped: false,
        }
    }

    pub(super) async fn run(&mut self) -> Result<(), StoreError> {
        self.find_circuits().await?;
        if self.job.dry_run {
            return self.tell(&self.open.clone(), |_| "dry run: it would be replayed".into()).await;
        }
        let levels: &[Priority] = match self.job.priority && self.open.len() > 1 {
            true => &[Priority::Critical, Priority::Normal, Priority::Low],
            false => &[Priority::Low],
        };
        for level in levels {
            self.level(*level, levels.len() > 1).await?;
        }
        if self.is_over() {
            return Ok(());
        }
        let shut = std::mem::take(&mut self.shut);
        for (circuit, rejected) in shut {
            self.tell(&[circuit], |_| rejected.to_string()).await?;
        }
        Ok(())
    }

    pub(super) fn into_inflight(self) -> Option<Inflight<'a>> {
        self.inflight
    }

    /// The circuits whose letters are meant, and which the gate lets through.
    async fn find_circuits(&mut self) -> Result<(), StoreError> {
        let named = self.job.filter.circuit.clone();
        if !self.passes(named.as_deref(), self.job.dry_run).await {
            return Ok(());
        }
        let Some(circuit) = named else {
            for circuit in self.shared.letters.circuits_with_letters().await? {
                if self.passes(Some(&circuit), self.job.dry_run).await {
                    self.open.push(circuit);
                }
            }
            return Ok(());
        };
        self.open.push(circuit);
        Ok(())
    }

    /// Whether the gate is open; if not, the result says so.
    async fn passes(&self, circuit: Option<&str>, dry_run: bool) -> bool {
        let checked = self.check(circuit, dry_run).await;
        if !checked.allowed {
            self.running.update(|job| job.result.block(&checked));
        }
        checked.allowed
    }

    async fn check(&self, circuit: Option<&str>, dry_run: bool) -> GovernanceCheckResult {
        let Job { action, by, filter, override_gate, .. } = &self.job;
        let request = GateRequest {
            circuit: circuit.map(ToOwned::to_owned),
            domain: filter.domain.clone(),
            override_gate: *override_gate,
            dry_run,
            ..GateRequest::new(action, &by.actor, &by.reason)
        };
        self.shared.gate.check(&request).await
    }

    /// The circuits take turns, so that a long queue does not starve the others.
    async fn level(&mut self, level: Priority, look_first: bool) -> Result<(), StoreError> {
        let mut circuits: VecDeque<String> = self.open.iter().cloned().collect();
        while let Some(circuit) = circuits.pop_front() {
            if !self.may_go_on(&circuit).await {
                if self.is_over() {
                    return Ok(());
                }
                continue;
            }
            let filter = &self.job.filter;
            if look_first
                && level < Priority::Low
                && !self.shared.may_have_due(filter, &circuit, level).await?
            {
                continue;
            }
            if self.one(&circuit, level).await? {
                circuits.push_back(circuit);
            }
        }
        Ok(())
    }

    /// Whether another letter of the circuit may be begun, once its time has come.
    async fn may_go_on(&mut self, circuit: &str) -> bool {
        if self.is_over() || !self.keep_pace().await || !self.keep_inflight().await {
            return false;
        }
        // The gate was asked in earnest at the beginning; what is recorded is a change of its mind.
        let checked = self.check(Some(circuit), true).await;
        if checked.allowed || self.passes(Some(circuit), false).await {
            return true;
        }
        match checked.blocked_by {
            Some(BlockedBy::ErrorBudget { .. }) => self.open.retain(|open| open != circuit),
            _ => self.stopped = true,
        }
        false
    }

    fn is_over(&self) -> bool {
        self.stopped || self.left() == 0 || self.running.is_canceled()
    }

    fn left(&self) -> usize {
        self.running.update(|job| job.left())
    }

    /// Waits until the rate lets another letter go; `false` if the job was canceled meanwhile.
    async fn keep_pace(&self) -> bool {
        let Some(pace) = &self.pace else { return true };
        while let Err(wait) = pace.take(self.shared.clock.now()) {
            if timeout(wait, self.running.canceled()).await.is_ok() {
                return false;
            }
        }
        true
    }

    /// Keeps others from replaying the circuit; `false` if somebody else does.
    async fn keep_inflight(&mut self) -> bool {
        if let Some(inflight) = &mut self.inflight
            && !inflight.keep().await
        {
            self.stopped = true;
            self.running.update(|job| job.result.inflight_skipped = true);
        }
        !self.stopped
    }

    /// Gives one letter of the circuit its turn; whether there may be more.
    async fn one(&mut self, circuit: &str, level: Priority) -> Result<bool, StoreError> {
        let wanted = Wanted {
            circuit,
            filter: self.job.filter.to_claim(self.job.priority),
            level,
            seen: &self.seen,
            escalate: self.job.escalate_failures.then_some(&self.job.by),
            given: None,
            hasten: None,
        };
        match self.shared.turn(wanted).await? {
            Turn::Nothing => Ok(false),
            Turn::Rejected(rejected) => {
                self.open.retain(|open| open != circuit);
                self.shut.push((circuit.to_owned(), rejected));
                Ok(false)
            }
            // Put off already and due again: whatever else there is will come up in the next batch.
            Turn::Again(id) => Ok(self.again.insert(id)),
            Turn::Had { domain, result } => {
                self.seen.insert(result.dlq_id);
                self.running.update(|job| {
                    job.result.meet(&domain);
                    job.result.add(result);
                });
                Ok(true)
            }
        }
    }

    /// Lists letters of those circuits that are due and that nobody tries, and says why.
    async fn tell(
        &self,
        circuits: &[String],
        why: impl Fn(&str) -> String,
    ) -> Result<(), StoreError> {
        let limit = self.left() + self.seen.len();
        let due = self.shared.due(&self.job, circuits, limit).await?;
        let rest = due.into_iter().filter(|letter| !self.seen.contains(&letter.id));
        for letter in rest.take(self.left()) {
            self.running.update(|job| {
                job.result.meet(&letter.domain);
                job.result.add(ReplayResult::not_tried(letter.id, why(&letter.circuit)));
            });
        }
        Ok(())
    }
}
