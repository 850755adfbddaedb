//! Random rules, and random programs to run under them.

use std::fmt;
use std::time::Duration;

use fuseboard_core::Rules;
use fuseboard_core::machine::Pinnable;
use fuseboard_core::policy::{Permit, Recovery, Retry, Tripper, Window};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::forms::{FORMS, Form};
use crate::words::{End, Order};

/// Which of the calls in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pick {
    Newest,
    Oldest,
    Nth(u8),
}

impl Pick {
    /// The picked one among `len` in order of age; `None` where there is none.
    pub(crate) fn among(self, len: usize) -> Option<usize> {
        let last = len.checked_sub(1)?;
        Some(match self {
            Pick::Newest => last,
            Pick::Oldest => 0,
            Pick::Nth(n) => usize::from(n) % len,
        })
    }
}

/// How far time goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Far {
    By(Duration),
    /// To one of the times at which something may change, give or take so many nanoseconds.
    Point(u8, i8),
    /// Until so much is left of all time that a clock can tell.
    BeforeTheEnd(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Acquire,
    Settle(Pick, End),
    /// So many calls, one after another.
    Calls(Form, End, u8),
    Command(Order),
    Advance(Far),
    /// The wall clock is set, in milliseconds since 1970.
    Wall(i64),
    Look,
    State,
    Tick,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) draw: f64,
}

/// Rules and a program to run under them.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) rules: Rules,
    pub(crate) steps: Vec<Step>,
    /// Whether to look at the circuit after each step, which makes it notice what lapsed.
    pub(crate) watched: bool,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "watched: {}", self.watched)?;
        for (name, value) in self.rules.settings() {
            writeln!(f, "  {name} = {value}")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {index}: {:?}  (draw {})", step.act, step.draw)?;
        }
        Ok(())
    }
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    (rules(), late(), vec(fragment(), 1..70), any::<bool>()).prop_map(
        |(rules, late, fragments, watched)| {
            let mut steps: Vec<Step> = late.into_iter().chain(fragments.concat()).collect();
            steps.truncate(200);
            Case { rules, steps, watched }
        },
    )
}

/// Few programs run at the end of all time, because there everything is over at once.
fn late() -> impl Strategy<Value = Option<Step>> {
    let jump = |left| Step { act: Act::Advance(Far::BeforeTheEnd(left)), draw: 0.5 };
    prop_oneof![
        15 => Just(None),
        1 => (duration(), 0..20u32).prop_map(move |(left, times)| Some(jump(left * times))),
    ]
}

/// A few steps that belong together.
fn fragment() -> impl Strategy<Value = Vec<Step>> {
    let acts = prop_oneof![
        4 => Just(vec![Act::Acquire]),
        6 => end().prop_map(|end| vec![Act::Acquire, Act::Settle(Pick::Newest, end)]),
        6 => (by(), end()).prop_map(|(far, end)| {
            vec![Act::Acquire, Act::Advance(far), Act::Settle(Pick::Newest, end)]
        }),
        4 => (form(), end()).prop_map(|(form, end)| vec![Act::Calls(form, end, 1)]),
        2 => (form(), 2..40u8).prop_map(|(form, many)| {
            // A circuit that is called often and does well: threads count by themselves.
            vec![Act::Calls(form, End::Success, many)]
        }),
        5 => (pick(), end()).prop_map(|(pick, end)| vec![Act::Settle(pick, end)]),
        3 => by().prop_map(|far| vec![Act::Advance(far)]),
        6 => (point(), any::<bool>()).prop_map(|(far, attempt)| match attempt {
            true => vec![Act::Advance(far), Act::Acquire],
            false => vec![Act::Advance(far)],
        }),
        2 => order().prop_map(|order| vec![Act::Command(order)]),
        1 => (wall(), end()).prop_map(|(wall, end)| {
            vec![Act::Acquire, Act::Wall(wall), Act::Settle(Pick::Newest, end)]
        }),
        1 => wall().prop_map(|wall| vec![Act::Wall(wall)]),
        1 => select(vec![Act::Look, Act::State, Act::Tick]).prop_map(|act| vec![act]),
    ];
    (acts, vec(draw(), 3)).prop_map(|(acts, draws)| {
        let steps = acts.into_iter().zip(draws);
        steps.map(|(act, draw)| Step { act, draw }).collect()
    })
}

fn form() -> impl Strategy<Value = Form> {
    select(FORMS.to_vec())
}

fn draw() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0.0..1.0f64).boxed(),
        1 => select(vec![0.0, 0.25, 0.5, 0.75, 1.0 - f64::EPSILON]).boxed(),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![Just(Pick::Newest), Just(Pick::Oldest), any::<u8>().prop_map(Pick::Nth)]
}

fn end() -> impl Strategy<Value = End> {
    let asked = prop_oneof![
        3 => Just(None),
        1 => duration().prop_map(Some),
        1 => select(vec![0, 1, 59, 3_599, 3_600, 7_200, 1 << 40]).prop_map(|secs| {
            Some(Duration::from_secs(secs))
        }),
    ];
    prop_oneof![
        6 => Just(End::Success),
        7 => asked.prop_map(|retry_after| End::Failure { retry_after }),
        1 => Just(End::Ignored),
        2 => Just(End::Dropped),
        1 => Just(End::Panicked),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    use Pinnable::{Disabled, ForcedClosed, ForcedOpen, MetricsOnly};
    // Twice the one that remembers something.
    let pinned = [ForcedOpen, ForcedClosed, MetricsOnly, MetricsOnly, Disabled];
    let lasting = prop_oneof![
        1 => Just(None),
        3 => duration().prop_map(Some),
        1 => Just(Some(Duration::ZERO)),
    ];
    prop_oneof![
        4 => (select(pinned.to_vec()), lasting).prop_map(|(to, lasting)| Order::Pin(to, lasting)),
        1 => Just(Order::Auto),
        1 => Just(Order::Reset),
    ]
}

/// Any time: years ago, years ahead, and those at which arithmetic ends.
fn wall() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -5_000..5_000i64, select(vec![i64::MIN, i64::MIN + 1, -1, i64::MAX])]
}

fn by() -> impl Strategy<Value = Far> {
    const YEAR: u64 = 365 * 86_400;
    let huge = select(vec![3_600, 86_400, YEAR, 30 * YEAR]).prop_map(Duration::from_secs);
    prop_oneof![
        1 => Just(Duration::ZERO),
        1 => (1..1_000u64).prop_map(Duration::from_nanos),
        8 => duration(),
        1 => huge,
    ]
    .prop_map(Far::By)
}

fn point() -> impl Strategy<Value = Far> {
    (any::<u8>(), -1..=1i8).prop_map(|(nth, off)| Far::Point(nth, off))
}

/// Durations of one scale, so that calls, waits and windows meet.
fn duration() -> impl Strategy<Value = Duration> {
    let round = [1, 10, 100, 250, 500, 1_000, 1_500, 2_000, 5_000, 10_000, 60_000];
    prop_oneof![
        3 => select(round.to_vec()).prop_map(Duration::from_millis),
        1 => (1..5_000_000_000u64).prop_map(Duration::from_nanos),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let cancelled_after = prop_oneof![1 => Just(None), 1 => duration().prop_map(Some)];
    let gate = (permit(), 1..=4u32, recovery());
    let timeouts = (duration(), cancelled_after);
    (window().prop_flat_map(window_and_tripper), retry(), gate, timeouts).prop_map(
        |((window, tripper), retry, (permit, slots, recovery), (probe_timeout, cancelled))| {
            let rules = Rules::builder()
                .window(window)
                .tripper(tripper)
                .retry(retry)
                .permit(permit)
                .slots(slots)
                .recovery(recovery)
                .probe_timeout(probe_timeout.max(Duration::from_millis(1)));
            let rules = match cancelled {
                Some(limit) => rules.cancelled_after(limit),
                None => rules,
            };
            rules.build().expect("only possible rules are made")
        },
    )
}

fn window() -> impl Strategy<Value = Window> {
    let least = Duration::from_millis(100);
    prop_oneof![
        2 => (1..=12u32).prop_map(Window::count),
        1 => Just(Window::count(100)),
        3 => duration().prop_map(move |span| Window::time(span.max(least))),
    ]
}

fn window_and_tripper(window: Window) -> impl Strategy<Value = (Window, Tripper)> {
    let most = window.capacity().unwrap_or(10).min(10);
    (Just(window), tripper(most))
}

/// Trees of all terms that wait for at most `most` calls in the window.
fn tripper(most: u64) -> impl Strategy<Value = Tripper> {
    let slow = select([200, 1_000, 3_000].map(Duration::from_millis).to_vec());
    let hanging = select([1, 500, 2_000].map(Duration::from_millis).to_vec());
    let term = prop_oneof![
        2 => (1..=most).prop_map(Tripper::MinRequests),
        2 => ratio().prop_map(Tripper::FailureRate),
        3 => (1..=5u64).prop_map(Tripper::FailureStreak),
        2 => (1..=most).prop_map(Tripper::Failures),
        2 => (ratio(), slow).prop_map(|(ratio, from)| Tripper::SlowRate(ratio, from)),
        1 => duration().prop_map(Tripper::AvgLatency),
        2 => (1..=3u64, hanging).prop_map(|(calls, over)| Tripper::InFlightOver(calls, over)),
        1 => Just(Tripper::Closed),
        1 => Just(Tripper::HalfOpen),
    ];
    term.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left & right),
            (inner.clone(), inner).prop_map(|(left, right)| left | right),
        ]
    })
}

fn ratio() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => select(vec![0.0, 0.07, 0.25, 1.0 / 3.0, 0.5, 0.6, 0.75, 1.0]),
        1 => 0.0..=1.0f64,
    ]
}

fn jitter() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 2 => select(vec![0.1, 0.2, 0.5, 0.99])]
}

fn retry() -> impl Strategy<Value = Retry> {
    let cooldown =
        (duration(), jitter()).prop_map(|(wait, jitter)| Retry::Cooldown { wait, jitter });
    let multiplier = select(vec![1.1, 1.5, 2.0, 3.0, 10.0]);
    let backoff = (duration(), 1..=40u32, multiplier, jitter()).prop_map(
        |(initial, times, multiplier, jitter)| {
            let max = initial * times;
            Retry::Backoff { initial, max, multiplier, jitter }
        },
    );
    prop_oneof![2 => Just(Retry::Always), 1 => Just(Retry::Never), 4 => cooldown, 5 => backoff]
}

fn permit() -> impl Strategy<Value = Permit> {
    let shares = select(vec![(0.125, 1.0), (0.25, 0.75), (0.5, 0.5)]);
    prop_oneof![
        3 => Just(Permit::All),
        1 => select(vec![0.25, 0.5, 0.9, 1.0]).prop_map(Permit::random),
        1 => (shares, duration()).prop_map(|((from, to), over)| Permit::ramp_up(from, to, over)),
    ]
}

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![3 => (1..=4u32).prop_map(Recovery::successes), 2 => Just(Recovery::Tripper)]
}
