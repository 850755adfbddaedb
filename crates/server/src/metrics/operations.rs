//! What governance and the audit log say at the moment of a scrape, as metrics.

use std::fmt;

use fuseboard_services::governance::{
    AuditCounts, BudgetStatus, EmergencyLevel, GovernanceStatus, Switch,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::snapshot::{count, describe, gauge};

/// Governance and audit log at the moment of the scrape.
#[derive(Debug)]
pub(super) struct OperationsNow {
    gates: [(&'static str, bool); 4],
    level: Option<EmergencyLevel>,
    checks: [(&'static str, u64); 2],
    budgets: Vec<BudgetStatus>,
    records: [(&'static str, u64); 3],
    waiting: u64,
}

impl OperationsNow {
    /// Budgets are those of circuits that are `known`, so that labels are bounded.
    pub(super) fn new(
        governance: &GovernanceStatus,
        audit: AuditCounts,
        known: impl Fn(&str) -> bool,
    ) -> Self {
        let (switch, level) = (governance.kill_switch.value, governance.emergency_level.value);
        let budgets: Vec<_> =
            governance.budgets.iter().filter(|budget| known(&budget.circuit)).cloned().collect();
        let AuditCounts { accepted, refused, written, lost } = audit;
        OperationsNow {
            gates: [
                ("kill_switch", switch == Some(Switch::On)),
                ("emergency_level", level.is_some_and(EmergencyLevel::blocks)),
                ("error_budget", budgets.iter().any(|budget| budget.exhausted)),
                ("unread", switch.is_none() || level.is_none()),
            ],
            level,
            checks: [("blocked", governance.blocked), ("overridden", governance.overridden)],
            budgets,
            records: [("written", written), ("refused", refused), ("lost", lost)],
            waiting: accepted.saturating_sub(written + lost),
        }
    }

    fn encode_governance(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 if the gate keeps replays from going, 0 if not.";
        let mut metric = describe(encoder, "fuseboard_governance", help, MetricType::Gauge)?;
        for (gate, closed) in self.gates {
            gauge(&mut metric, &[("gate", gate)], i64::from(closed))?;
        }
        if let Some(level) = self.level {
            let help = "The emergency level: 0 for normal.";
            let metric = describe(encoder, "fuseboard_emergency_level", help, MetricType::Gauge)?;
            ConstGauge::new(number(level)).encode(metric)?;
        }
        let help = "Replays that were blocked, or overridden.";
        let name = "fuseboard_governance_checks";
        let mut metric = describe(encoder, name, help, MetricType::Counter)?;
        for (result, checks) in self.checks {
            count(&mut metric, &[("result", result)], checks)?;
        }
        Ok(())
    }

    fn encode_budgets(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.budgets.is_empty() {
            return Ok(());
        }
        let help = "The part of the error budget that is spent: 1 is all of it.";
        let name = "fuseboard_error_budget_spent";
        let mut metric = describe(encoder, name, help, MetricType::Gauge)?;
        for BudgetStatus { circuit, spent, .. } in &self.budgets {
            gauge(&mut metric, &[("circuit", circuit.as_str())], *spent)?;
        }
        let help = "How fast the error budget is spent: at 1 it lasts as long as its window.";
        let name = "fuseboard_error_budget_burn_rate";
        let mut metric = describe(encoder, name, help, MetricType::Gauge)?;
        for BudgetStatus { circuit, burn_rate, .. } in &self.budgets {
            gauge(&mut metric, &[("circuit", circuit.as_str())], *burn_rate)?;
        }
        Ok(())
    }

    fn encode_audit(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Audit records, by what became of them.";
        let name = "fuseboard_audit_records";
        let mut metric = describe(encoder, name, help, MetricType::Counter)?;
        for (result, records) in self.records {
            count(&mut metric, &[("result", result)], records)?;
        }
        let help = "Audit records that wait to be written.";
        let name = "fuseboard_audit_records_waiting";
        let metric = describe(encoder, name, help, MetricType::Gauge)?;
        ConstGauge::new(self.waiting).encode(metric)
    }
}

impl Collector for OperationsNow {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_governance(&mut encoder)?;
        self.encode_budgets(&mut encoder)?;
        self.encode_audit(&mut encoder)
    }
}

fn number(level: EmergencyLevel) -> i64 {
    match level {
        EmergencyLevel::Normal => 0,
        EmergencyLevel::Level1 => 1,
        EmergencyLevel::Level2 => 2,
        EmergencyLevel::Level3 => 3,
    }
}
