//! What breakers and the store say at the moment of a scrape, as metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use fuseboard_core::{Info, State};
use fuseboard_store::{CircuitCounts, Counts, Late};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Where letters of circuits that are not configured are counted, so that labels are bounded.
const OTHER: &str = "other";

/// One circuit at the moment of the scrape.
#[derive(Debug)]
pub(super) struct CircuitNow {
    pub(super) info: Info,
    pub(super) stays: BTreeMap<State, Duration>,
}

/// Everything at the moment of the scrape.
#[derive(Debug)]
pub(super) struct Snapshot {
    circuits: Vec<CircuitNow>,
    /// `None` if the store does not tell.
    letters: Option<BTreeMap<String, CircuitCounts>>,
    /// The late ones; `None` if the store does not tell.
    late: Option<BTreeMap<String, u64>>,
    now: WallTime,
}

impl Snapshot {
    pub(super) fn new(
        circuits: Vec<CircuitNow>,
        counts: Option<&Counts>,
        late: Option<&[Late]>,
        now: WallTime,
    ) -> Self {
        let names = circuits.iter().map(|circuit| circuit.info.name.to_string());
        let none: BTreeMap<_, _> = names.map(|name| (name, CircuitCounts::default())).collect();
        let letters = counts.map(|counts| {
            counts.circuits.iter().fold(none, |mut letters, (circuit, counts)| {
                let known = letters.contains_key(circuit);
                let circuit = if known { circuit.as_str() } else { OTHER };
                add(letters.entry(circuit.to_owned()).or_default(), counts);
                letters
            })
        });
        let late = late.map(|late| {
            let none: BTreeMap<String, u64> =
                circuits.iter().map(|circuit| (circuit.info.name.to_string(), 0)).collect();
            late.iter().fold(none, |mut sums, one| {
                let known = sums.contains_key(&one.circuit);
                let circuit = if known { one.circuit.as_str() } else { OTHER };
                *sums.entry(circuit.to_owned()).or_default() += one.letters;
                sums
            })
        });
        Snapshot { circuits, letters, late, now }
    }

    fn encode_circuits(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 for the state that the circuit is in, 0 for the others.";
        let mut metric = describe(encoder, "fuseboard_circuit_state", help, MetricType::Gauge)?;
        for CircuitNow { info, .. } in &self.circuits {
            for state in State::ALL {
                let labels = [("circuit", &*info.name), ("state", state.as_str())];
                gauge(&mut metric, &labels, i64::from(info.state == state))?;
            }
        }
        let help = "Calls, by what they came to.";
        let mut metric = describe(encoder, "fuseboard_calls", help, MetricType::Counter)?;
        for CircuitNow { info, .. } in &self.circuits {
            for (outcome, calls) in info.totals.by_outcome() {
                count(&mut metric, &[("circuit", &*info.name), ("outcome", outcome)], calls)?;
            }
        }
        let help = "Time spent in each state.";
        let mut metric = describe(encoder, "fuseboard_state_seconds", help, MetricType::Counter)?;
        for CircuitNow { info, stays } in &self.circuits {
            for state in State::ALL {
                let labels = [("circuit", &*info.name), ("state", state.as_str())];
                let seconds = stays.get(&state).copied().unwrap_or_default().as_secs_f64();
                ConstCounter::new(seconds).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_letters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 if the store told how many letters there are, 0 if not.";
        let metric = describe(encoder, "fuseboard_store_up", help, MetricType::Gauge)?;
        ConstGauge::new(i64::from(self.letters.is_some())).encode(metric)?;
        let Some(letters) = &self.letters else { return Ok(()) };
        let help = "Letters that are kept.";
        let mut metric = describe(encoder, "fuseboard_letters", help, MetricType::Gauge)?;
        for (circuit, counts) in letters {
            for status in Status::ALL {
                let labels = [("circuit", circuit.as_str()), ("status", status.as_str())];
                gauge(&mut metric, &labels, counts.of(status))?;
            }
        }
        let help = "Letters ever captured.";
        let mut metric =
            describe(encoder, "fuseboard_letters_captured", help, MetricType::Counter)?;
        for (circuit, counts) in letters {
            count(&mut metric, &[("circuit", circuit.as_str())], counts.captured)?;
        }
        let help = "Letters ever forgotten, some time after they were done.";
        let mut metric = describe(encoder, "fuseboard_letters_purged", help, MetricType::Counter)?;
        for (circuit, counts) in letters {
            count(&mut metric, &[("circuit", circuit.as_str())], counts.purged)?;
        }
        let help = "Letters that are not done and past the deadline of their domain.";
        let mut metric = describe(encoder, "fuseboard_letters_late", help, MetricType::Gauge)?;
        for (circuit, letters) in self.late.iter().flatten() {
            gauge(&mut metric, &[("circuit", circuit.as_str())], *letters)?;
        }
        let help = "Age of the oldest pending letter, 0 if there is none.";
        let name = "fuseboard_oldest_letter_age_seconds";
        let mut metric = describe(encoder, name, help, MetricType::Gauge)?;
        for (circuit, counts) in letters {
            let age = counts.oldest_pending.map_or(Duration::ZERO, |at| self.now.since(at));
            gauge(&mut metric, &[("circuit", circuit.as_str())], age.as_secs_f64())?;
        }
        Ok(())
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_circuits(&mut encoder)?;
        self.encode_letters(&mut encoder)
    }
}

fn add(sum: &mut CircuitCounts, more: &CircuitCounts) {
    for status in Status::ALL {
        *sum.by_status.entry(status).or_default() += more.of(status);
    }
    sum.captured += more.captured;
    sum.purged += more.purged;
    let both = [sum.oldest_pending, more.oldest_pending];
    sum.oldest_pending = both.into_iter().flatten().min();
}

pub(super) fn describe<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &'a str,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, kind)
}

pub(super) fn gauge<N>(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: N,
) -> fmt::Result
where
    ConstGauge<N>: EncodeMetric,
{
    ConstGauge::new(value).encode(metric.encode_family(labels)?)
}

pub(super) fn count(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u64,
) -> fmt::Result {
    ConstCounter::new(value).encode(metric.encode_family(labels)?)
}
