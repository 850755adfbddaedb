//! What one breaker takes: new, used and open, as the mean of a thousand.

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::{Window, min_requests, slow_rate};
use fuseboard_core::{Board, CircuitBreaker, Rules, RulesBuilder};

use super::heap::{Change, change_by, change_by_thread};
use super::subject::{Blocking, Ready, Subject, opens, use_closed};
use crate::cases;
use crate::contestants::fuseboard::Fuseboard;
use crate::contestants::{
    circuit_breaker, circuitbreaker_rs, execution_policy, failsafe, nobreak, recloser, sentinel,
};
use crate::protect::Protect;

/// So many of each of ours, and of each of the rivals.
pub(super) const BREAKERS: usize = 1000;
pub(super) const RIVALS: usize = 100;

/// What one breaker takes of memory, in bytes, itself included wherever it lies.
pub(super) struct Breaker {
    pub(super) name: &'static str,
    /// Whether it is one of ours, for which there is a goal.
    pub(super) ours: bool,
    pub(super) new: f64,
    /// Blocks of the heap asked for while it was made.
    pub(super) allocations: f64,
    /// After its calls, all by threads that ended.
    pub(super) used: f64,
    /// After it opened; `None` if it does not while it is called.
    pub(super) open: Option<f64>,
}

impl Breaker {
    /// The most it ever takes.
    pub(super) fn most(&self) -> f64 {
        self.new.max(self.used).max(self.open.unwrap_or_default())
    }
}

/// Everyone, ours first.
pub(super) fn all() -> Result<Vec<Breaker>, String> {
    let mut all = ours()?;
    let names = |index| format!("memory-{index:04}");
    let rivals = [
        theirs(cases::RECLOSER, |_| recloser::ring()),
        theirs(cases::AVERAGE, |_| failsafe::average()),
        theirs(cases::CONSECUTIVE, |_| failsafe::consecutive()),
        theirs(cases::LIFETIME, |_| circuitbreaker_rs::lifetime()),
        theirs(cases::CUMULATIVE, |_| circuit_breaker::cumulative()),
        theirs(cases::NOBREAK, |_| nobreak::consecutive()),
        theirs(cases::SENTINEL, |index| sentinel::error_ratio(&names(index))),
        each(cases::POLICY, RIVALS, |_| Ready(execution_policy::failure_ratio())),
    ];
    for rival in rivals {
        all.push(rival?);
    }
    Ok(all)
}

/// The name of the circuit of that index.
pub(super) fn name(index: usize) -> String {
    format!("payments-{index:04}")
}

/// Rules as they come, but for what `change` does to them.
pub(super) fn rules(change: impl FnOnce(RulesBuilder) -> RulesBuilder) -> Rules {
    change(Rules::builder()).build().expect("these rules are possible")
}

pub(super) fn time_window(rules: RulesBuilder) -> RulesBuilder {
    rules.window(Window::Time(Duration::from_secs(60)))
}

pub(super) fn slow_calls(rules: RulesBuilder) -> RulesBuilder {
    let failing = rules.clone().build().expect("these rules are possible").tripper().clone();
    rules.tripper(failing | min_requests(20) & slow_rate(0.5, Duration::from_secs(1)))
}

fn ours() -> Result<Vec<Breaker>, String> {
    let board = Board::new();
    let on_board = |index| board.get_or_create(&name(index), Rules::default());
    Ok(vec![
        mine("fuseboard, default rules", |index| CircuitBreaker::builder(name(index)).build())?,
        mine("fuseboard, default rules, on a board", on_board)?,
        shared("fuseboard, default rules, shared", |rules| rules)?,
        shared("fuseboard, time window, shared", time_window)?,
        shared("fuseboard, slow calls, shared", slow_calls)?,
        shared("fuseboard, time window and slow calls, shared", |rules| {
            slow_calls(time_window(rules))
        })?,
    ])
}

/// Breakers that share the rules which `change` makes of the default ones.
fn shared(
    name_of_all: &'static str,
    change: impl FnOnce(RulesBuilder) -> RulesBuilder,
) -> Result<Breaker, String> {
    let rules = Arc::new(rules(change));
    mine(name_of_all, |index| {
        CircuitBreaker::builder(name(index)).rules(Arc::clone(&rules)).build()
    })
}

fn mine<E: std::fmt::Debug>(
    name: &'static str,
    make: impl Fn(usize) -> Result<CircuitBreaker, E>,
) -> Result<Breaker, String> {
    let make = |index| make(index).expect("a circuit can have this name, these rules are possible");
    let mine = each(name, BREAKERS, |index| Blocking(Fuseboard::from(make(index))))?;
    Ok(Breaker { ours: true, ..mine })
}

fn theirs<P: Protect>(name: &'static str, make: impl Fn(usize) -> P) -> Result<Breaker, String> {
    each(name, RIVALS, |index| Blocking(make(index)))
}

fn each<S: Subject>(
    name: &'static str,
    number: usize,
    make: impl Fn(usize) -> S,
) -> Result<Breaker, String> {
    // What the first of a crate makes for the whole process is not a breaker's.
    use_closed(&make(number)).map_err(|error| format!("{name}: {error}"))?;
    let mut all = Vec::with_capacity(number);
    let ((), made) = change_by(|| all.extend((0..number).map(make)));
    let mut fine = Ok(());
    let used = change_by_thread(|| fine = all.iter().try_for_each(use_closed));
    fine.map_err(|error| format!("{name}: {error}"))?;
    let mut opened = true;
    let tripped = change_by_thread(|| opened = all.iter().all(opens));
    let own = (number * size_of::<S>()) as i64;
    let mean = |changes: &[Change]| {
        let heap: i64 = changes.iter().map(|change| change.bytes).sum();
        (own + heap) as f64 / number as f64
    };
    Ok(Breaker {
        name,
        ours: false,
        new: mean(&[made]),
        allocations: made.allocations as f64 / number as f64,
        used: mean(&[made, used]),
        open: opened.then(|| mean(&[made, used, tripped])),
    })
}
