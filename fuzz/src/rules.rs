//! All settings of a circuit, as text: `trip = failures(3); slots = 1`. What passes the checks is printed and built again
//! the same.

use fuseboard_core::text::parse_duration;
use fuseboard_core::{Rules, RulesBuilder};

pub(crate) fn rules(text: &str) {
    let settings = text.split(';').map(|setting| setting.split_once('=').unwrap_or((setting, "")));
    let settings = settings.map(|(name, value)| (name.trim(), value.to_owned()));
    let Some(rules) = built(settings) else { return };
    let printed = rules.settings();
    let again = built(printed.clone().into_iter());
    assert_eq!(again.as_ref(), Some(&rules), "{text:?} is printed as {printed:?}");
    assert_eq!(again.map(|again| again.settings()), Some(printed));
}

/// The rules with these settings, if each can be read and all pass the checks.
fn built<'a>(settings: impl Iterator<Item = (&'a str, String)>) -> Option<Rules> {
    let set = |rules, (name, value): (&str, String)| with(rules, name, &value);
    settings.into_iter().try_fold(Rules::builder(), set)?.build().ok()
}

fn with(rules: RulesBuilder, name: &str, value: &str) -> Option<RulesBuilder> {
    let duration = || parse_duration(value).ok();
    Some(match name {
        "window" => rules.window(value.parse().ok()?),
        "failure" => rules.tracker(value.parse().ok()?),
        "ignore" => rules.ignoring(value.parse().ok()?),
        "trip" => rules.tripper(value.parse().ok()?),
        "retry" => rules.retry(value.parse().ok()?),
        "permit" => rules.permit(value.parse().ok()?),
        "recovery" => rules.recovery(value.parse().ok()?),
        "slots" => rules.slots(value.trim().parse().ok()?),
        "probe_timeout" => rules.probe_timeout(duration()?),
        "cancelled_after" if value.trim() == "never" => rules,
        "cancelled_after" => rules.cancelled_after(duration()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_read_and_an_unknown_one_is_not() {
        let all = built(Rules::default().settings().into_iter());
        assert_eq!(all, Some(Rules::default()));
        assert_eq!(built([("slot", "1".to_owned())].into_iter()), None);
    }
}
