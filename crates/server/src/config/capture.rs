//! What a route captures: the key `capture`, and what can never be captured there.

use fuseboard_core::policy::Seen;
use fuseboard_services::capture::{CapturePolicy, Kind, changes_something};

use super::document::{Item, Section};
use super::{ConfigError, Fallback, Route};

/// The policy of `route`, all of which but this and what comes later is known. Where none is said, everything that comes to a
/// `queue`.
pub(super) fn read(section: &Section<'_>, route: &Route) -> Result<CapturePolicy, ConfigError> {
    let queues = route.fallback.contains(&Fallback::Queue);
    let (policy, item) = match section.get("capture") {
        Some(item) => {
            let policy = item.policy("kinds such as rejected | connect")?;
            check(&item, policy, route, queues)?;
            (policy, Some(item))
        }
        None if queues => (CapturePolicy::UNDONE, section.get("fallback")),
        None => (CapturePolicy::NOTHING, None),
    };
    match item {
        Some(item) if !policy.is_nothing() => check_methods(&item, route).map(|()| policy),
        _ => Ok(policy),
    }
}

fn check(
    item: &Item<'_>,
    policy: CapturePolicy,
    route: &Route,
    queues: bool,
) -> Result<(), ConfigError> {
    let refuse =
        |value: CapturePolicy, right: &str| Err(item.refuse_value(&value.to_string(), right));
    let undone = policy.and(CapturePolicy::UNDONE);
    if queues && undone.is_nothing() {
        let right = "\"queue\" in fallback would take nothing: expected a kind beside `fallback`, or no \"queue\"";
        return refuse(policy, right);
    }
    if !queues && !undone.is_nothing() {
        let right =
            "only a \"queue\" in fallback takes it: expected one there, or no kind but `fallback`";
        return refuse(undone, right);
    }
    let answers = route.fallback.iter().any(|fallback| matches!(fallback, Fallback::Answer(_)));
    if policy.names(Kind::Fallback) && !answers {
        let right = "no answer is ever served: expected one in fallback, such as { status = 503 }";
        return refuse(Kind::Fallback.into(), right);
    }
    let failure = |status: u16| route.failure.matches(&Seen::status(status));
    if policy.names(Kind::Failure) && !(100..600).any(failure) {
        let right = "no answer is a failure here: expected a status in failure, such as \"5xx\"";
        return refuse(Kind::Failure.into(), right);
    }
    Ok(())
}

fn check_methods(item: &Item<'_>, route: &Route) -> Result<(), ConfigError> {
    let mut methods = route.methods.iter();
    match route.methods.is_empty() || methods.any(|method| changes_something(method.as_str())) {
        true => Ok(()),
        false => {
            let right =
                "nothing is kept of these methods: expected POST, PUT, PATCH or DELETE in methods";
            Err(item.refuse(right))
        }
    }
}
