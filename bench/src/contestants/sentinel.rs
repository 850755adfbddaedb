//! `sentinel-core`: a global table of rules, asked by the name of a resource.

use std::sync::Arc;

use sentinel_core::circuitbreaker::{
    BreakerStrategy, Rule, State, get_breakers_of_resource, load_rules_of_resource,
};
use sentinel_core::{EntryBuilder, Error, trace_error};

use super::{MINUTE, OPEN_FOR};
use crate::protect::{Answer, Fault, Protect, Told};

pub(crate) struct Sentinel {
    resource: String,
}

/// `resource` must be another one for each contestant: all share one table.
pub(crate) fn error_ratio(resource: &str) -> Sentinel {
    sentinel(resource, BreakerStrategy::ErrorRatio)
}

pub(crate) fn slow_ratio(resource: &str) -> Sentinel {
    sentinel(resource, BreakerStrategy::SlowRequestRatio)
}

fn sentinel(resource: &str, strategy: BreakerStrategy) -> Sentinel {
    let resource = resource.to_owned();
    let rule = Rule {
        resource: resource.clone(),
        strategy,
        retry_timeout_ms: OPEN_FOR.as_millis() as u32,
        min_request_amount: 100,
        stat_interval_ms: MINUTE.as_millis() as u32,
        stat_sliding_window_bucket_count: 10,
        max_allowed_rt_ms: 1000,
        threshold: 0.5,
        ..Rule::default()
    };
    let loaded = load_rules_of_resource(&resource, vec![Arc::new(rule)]);
    loaded.expect("the resource has a name");
    Sentinel { resource }
}

impl Protect for Sentinel {
    #[inline]
    fn protect<T: 'static>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
        let Ok(entry) = EntryBuilder::new(self.resource.clone()).build() else {
            return Answer::Rejected;
        };
        let result = call();
        if result.is_err() {
            trace_error(&entry, Error::new(Fault));
        }
        entry.exit();
        result.into()
    }

    fn told(&self) -> Option<Told> {
        let breakers = get_breakers_of_resource(&self.resource);
        Some(match breakers.first().map(|breaker| breaker.current_state()) {
            Some(State::Closed) => Told::Closed,
            Some(State::Open) => Told::Open,
            _ => Told::Other,
        })
    }
}
