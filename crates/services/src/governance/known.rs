//! What is known of the settings: the last values that could be read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fuseboard_core::time::{Moment, WallTime};
use fuseboard_store::Setting;
use tracing::warn;

use super::level::EmergencyLevel;
use super::mark::Mark;

pub(super) const KILL_SWITCH: &str = "kill_switch";
pub(super) const EMERGENCY_LEVEL: &str = "emergency_level";
/// The settings of error budgets begin so; the circuit follows.
pub(super) const ERROR_BUDGET: &str = "error_budget/";

/// A setting as it is known here, and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control<T> {
    /// Its value; `None` as long as none could be read since the program started.
    pub value: Option<T>,
    /// How often it was changed; 0 if never.
    pub revision: u64,
    /// Who changed it last; empty if nobody did.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub changed_at: Option<WallTime>,
}

impl<T> Control<T> {
    fn unread() -> Self {
        let (actor, reason) = (String::new(), String::new());
        Control { value: None, revision: 0, actor, reason, changed_at: None }
    }

    /// Takes over what the store says. A value that cannot be understood, such as one of a newer version, leaves the last one.
    fn absorb(&mut self, setting: &Setting, parsed: Result<T, impl fmt::Display>) {
        let is_news = self.revision != setting.revision;
        match parsed {
            Ok(value) => self.value = Some(value),
            Err(error) if is_news => {
                let (name, value) = (&setting.name, &setting.value);
                warn!(name, value, %error, "a governance setting is unreadable; the last value holds");
            }
            Err(_) => {}
        }
        self.revision = setting.revision;
        self.actor.clone_from(&setting.actor);
        self.reason.clone_from(&setting.reason);
        self.changed_at = Some(setting.at);
    }
}

/// The last values that could be read, and when that was.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kill_switch: Control<Switch>,
    pub(super) emergency_level: Control<EmergencyLevel>,
    pub(super) budgets: BTreeMap<String, Control<Mark>>,
    /// When the store last answered.
    pub(super) read_at: Option<(Moment, WallTime)>,
    /// When the store was last asked.
    pub(super) asked_at: Option<Moment>,
    /// Why it could not be read the last time.
    pub(super) trouble: Option<String>,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Known {
            kill_switch: Control::unread(),
            emergency_level: Control::unread(),
            budgets: BTreeMap::new(),
            read_at: None,
            asked_at: None,
            trouble: None,
        }
    }

    /// Takes over all settings. Returns the circuits whose budgets begin anew.
    pub(super) fn absorb_all(
        &mut self,
        settings: &[Setting],
        now: Moment,
        wall: WallTime,
    ) -> Vec<String> {
        let is_first = self.read_at.is_none();
        let resets = settings.iter().filter_map(|setting| self.absorb(setting)).collect();
        // What the store does not have was never set. What it had once, it has for ever.
        if self.kill_switch.revision == 0 {
            self.kill_switch.value = Some(Switch::Off);
        }
        if self.emergency_level.revision == 0 {
            self.emergency_level.value = Some(EmergencyLevel::Normal);
        }
        self.read_at = Some((now, wall));
        self.trouble = None;
        // Calls that were counted before the first read are newer than any reset that it finds.
        if is_first { Vec::new() } else { resets }
    }

    /// Takes over one setting. Returns the circuit if its budget begins anew.
    pub(super) fn absorb(&mut self, setting: &Setting) -> Option<String> {
        match setting.name.as_str() {
            KILL_SWITCH => self.kill_switch.absorb(setting, setting.value.parse()),
            EMERGENCY_LEVEL => self.emergency_level.absorb(setting, setting.value.parse()),
            name => {
                let circuit = name.strip_prefix(ERROR_BUDGET)?;
                let control =
                    self.budgets.entry(circuit.to_owned()).or_insert_with(Control::unread);
                let is_news = control.revision != setting.revision;
                control.absorb(setting, setting.value.parse());
                let is_reset = is_news && control.value == Some(Mark::Reset);
                return is_reset.then(|| circuit.to_owned());
            }
        }
        None
    }

    pub(super) fn revision(&self, name: &str) -> u64 {
        match name {
            KILL_SWITCH => self.kill_switch.revision,
            EMERGENCY_LEVEL => self.emergency_level.revision,
            _ => {
                let circuit = name.strip_prefix(ERROR_BUDGET);
                let control = circuit.and_then(|circuit| self.budgets.get(circuit));
                control.map_or(0, |control| control.revision)
            }
        }
    }
}

/// Whether the kill switch is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Replay may go on.
    Off,
    /// Nothing is replayed.
    On,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Switch::Off => "off",
            Switch::On => "on",
        })
    }
}

impl FromStr for Switch {
    type Err = crate::circuits::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Switch::Off),
            "on" => Ok(Switch::On),
            _ => Err(crate::circuits::Invalid::new(KILL_SWITCH, text, "on or off")),
        }
    }
}
