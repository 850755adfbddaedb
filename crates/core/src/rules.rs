//! The policies of one circuit, checked together: what cannot work is refused here, not at three in the morning.

use std::time::Duration;

use crate::metrics::Measures;
use crate::policy::{
    Classifier, InvalidPolicy, Permit, Recovery, Retry, Tracker, Tripper, Window, failure_rate,
    failure_streak, min_requests,
};
use crate::text::format_duration;

/// The policies of a circuit. Values of this type have passed every check.
///
/// The default is `count(100)`; `failure_streak(5) | min_requests(20) & failure_rate(0.5)`;
/// `backoff(10s, max=5m, jitter=0.2)`; permit `all` with 3 slots; `successes(3)`; a probe timeout of 60 s.
///
/// ```
/// use fuseboard_core::Rules;
///
/// let rules = Rules::builder().tripper("failure_streak(3)".parse()?).slots(1).build()?;
/// assert_eq!(rules.tripper().to_string(), "failure_streak(3)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    draft: RulesBuilder,
    measures: Measures,
    times_calls: bool,
    falls_from: Option<u64>,
    counts_only: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules::builder().build().expect("the defaults pass the checks, as a test shows")
    }
}

impl Rules {
    /// Starts from the defaults.
    pub fn builder() -> RulesBuilder {
        RulesBuilder::default()
    }

    /// The recent outcomes that count.
    pub fn window(&self) -> &Window {
        &self.draft.window
    }

    /// Which errors and results are failures, which are ignored.
    pub fn classifier(&self) -> &Classifier {
        &self.draft.classifier
    }

    /// When the circuit opens.
    pub fn tripper(&self) -> &Tripper {
        &self.draft.tripper
    }

    /// When an open circuit may try again.
    pub fn retry(&self) -> &Retry {
        &self.draft.retry
    }

    /// Which calls a half-open circuit lets through.
    pub fn permit(&self) -> &Permit {
        &self.draft.permit
    }

    /// How many calls a half-open circuit lets through at once.
    pub fn slots(&self) -> u32 {
        self.draft.slots
    }

    /// When a half-open circuit closes or opens again.
    pub fn recovery(&self) -> &Recovery {
        &self.draft.recovery
    }

    /// After this a half-open call has failed and its slot is free.
    pub fn probe_timeout(&self) -> Duration {
        self.draft.probe_timeout
    }

    /// A call cancelled after this long is a failure; `None`: a cancelled call never counts.
    pub fn cancelled_after(&self) -> Option<Duration> {
        self.draft.cancelled_after
    }

    /// What is measured for the tripper.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// The settings in which these rules differ from `other`, by name and both values; empty if they are the same.
    pub fn differing(&self, other: &Rules) -> String {
        let settings = self.settings().into_iter().zip(other.settings());
        let mut differing: Vec<String> = settings
            .filter(|((_, mine), (_, theirs))| mine != theirs)
            .map(|((name, mine), (_, theirs))| format!("{name} is {mine}, not {theirs}"))
            .collect();
        if differing.is_empty() && self != other {
            differing.push("a custom policy is another one".to_owned());
        }
        differing.join("; ")
    }

    /// Every setting by name, as text.
    pub fn settings(&self) -> [(&'static str, String); 10] {
        let RulesBuilder { window, classifier, tripper, retry, permit, .. } = &self.draft;
        let cancelled_after = match self.cancelled_after() {
            Some(duration) => format_duration(duration).to_string(),
            None => "never".to_owned(),
        };
        [
            ("window", window.to_string()),
            ("failure", classifier.failures.to_string()),
            ("ignore", classifier.ignored.to_string()),
            ("trip", tripper.to_string()),
            ("retry", retry.to_string()),
            ("permit", permit.to_string()),
            ("slots", self.slots().to_string()),
            ("recovery", self.recovery().to_string()),
            ("probe_timeout", format_duration(self.probe_timeout()).to_string()),
            ("cancelled_after", cancelled_after),
        ]
    }

    /// As [`Tripper::falls_from`].
    pub(crate) fn falls_from(&self) -> Option<u64> {
        self.falls_from
    }

    /// Whether all that is measured is how many calls there were, how many of them failed, and how many in a row.
    #[inline]
    pub(crate) fn counts_only(&self) -> bool {
        self.counts_only
    }

    /// Whether calls are timed at all. If not, a closed circuit with a count window reads no clock.
    pub fn times_calls(&self) -> bool {
        self.times_calls
    }
}

/// Puts [`Rules`] together. Every setting has a default, named at [`Rules`].
#[derive(Clone, Debug, PartialEq)]
pub struct RulesBuilder {
    window: Window,
    classifier: Classifier,
    tripper: Tripper,
    retry: Retry,
    permit: Permit,
    slots: u32,
    recovery: Recovery,
    probe_timeout: Duration,
    cancelled_after: Option<Duration>,
}

impl Default for RulesBuilder {
    fn default() -> Self {
        let (initial, max) = (Duration::from_secs(10), Duration::from_secs(300));
        RulesBuilder {
            window: Window::Count(100),
            classifier: Classifier::default(),
            tripper: failure_streak(5) | min_requests(20) & failure_rate(0.5),
            retry: Retry::Backoff { initial, max, multiplier: 2.0, jitter: 0.2 },
            permit: Permit::All,
            slots: 3,
            recovery: Recovery::Successes(3),
            probe_timeout: Duration::from_secs(60),
            cancelled_after: None,
        }
    }
}

impl RulesBuilder {
    /// Sets the recent outcomes that count.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Sets which errors and results are failures.
    #[must_use]
    pub fn tracker(mut self, failures: Tracker) -> Self {
        self.classifier.failures = failures;
        self
    }

    /// Sets which errors and results are ignored, whatever the tracker says of them.
    #[must_use]
    pub fn ignoring(mut self, ignored: Tracker) -> Self {
        self.classifier.ignored = ignored;
        self
    }

    /// Sets the condition that opens the circuit.
    #[must_use]
    pub fn tripper(mut self, tripper: Tripper) -> Self {
        self.tripper = tripper;
        self
    }

    /// Sets when an open circuit may try again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets which calls a half-open circuit lets through.
    #[must_use]
    pub fn permit(mut self, permit: Permit) -> Self {
        self.permit = permit;
        self
    }

    /// Sets how many calls a half-open circuit lets through at once, 1 to 10 000.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Sets when a half-open circuit closes or opens again.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Sets how long a half-open call may take before it has failed, 1 ms to 24 h.
    #[must_use]
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout;
        self
    }

    /// Makes a call that is cancelled later than `duration` a failure: a hang that the caller gave up on is one.
    #[must_use]
    pub fn cancelled_after(mut self, duration: Duration) -> Self {
        self.cancelled_after = Some(duration);
        self
    }

    /// Checks the policies, each and together.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] names the field, its value, and what would be right.
    pub fn build(self) -> Result<Rules, InvalidPolicy> {
        self.window.validate()?;
        self.classifier.validate()?;
        self.tripper.validate()?;
        self.tripper.validate_with(&self.window)?;
        self.retry.validate()?;
        self.permit.validate()?;
        self.recovery.validate()?;
        self.check_slots()?;
        self.check_durations()?;
        let measures = self.tripper.measures();
        let times_calls = measures.latency
            || !measures.slow.is_empty()
            || !measures.hanging.is_empty()
            || self.cancelled_after.is_some();
        let falls_from = self.tripper.falls_from();
        let counts_only =
            measures == Measures::default() && !matches!(self.window, Window::Custom(_));
        Ok(Rules { draft: self, measures, times_calls, falls_from, counts_only })
    }

    fn check_slots(&self) -> Result<(), InvalidPolicy> {
        if (1..=10_000).contains(&self.slots) {
            return Ok(());
        }
        Err(InvalidPolicy::new("slots", self.slots, "a number from 1 to 10000"))
    }

    fn check_durations(&self) -> Result<(), InvalidPolicy> {
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));
        if !(least..=most).contains(&self.probe_timeout) {
            let found = format_duration(self.probe_timeout);
            return Err(InvalidPolicy::new("probe_timeout", found, "a duration from 1ms to 24h"));
        }
        match self.cancelled_after {
            Some(Duration::ZERO) => {
                Err(InvalidPolicy::new("cancelled_after", "0s", "a duration above zero"))
            }
            _ => Ok(()),
        }
    }
}
