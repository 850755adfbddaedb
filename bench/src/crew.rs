//! The measuring threads, each pinned to a core of its own, and what makes one sample of them clean.

use std::fs;
use std::hint;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::entry::{Entry, HUNDRED};

/// The most threads that share one breaker.
pub(crate) const THREADS: usize = 2;

/// Batches that overlapped less did not share the breaker for long enough.
const LEAST_OVERLAP: f64 = 0.85;

/// A batch for one thread, to be begun together with the others.
struct Job {
    entry: Arc<Entry>,
    calls: u64,
    gate: Arc<Gate>,
}

/// Where threads wait for each other without sleeping, several times.
struct Gate {
    threads: usize,
    arrivals: AtomicUsize,
}

impl Gate {
    fn new(threads: usize) -> Self {
        Gate { threads, arrivals: AtomicUsize::new(0) }
    }

    /// Returns when everyone has come here for the `time`th time.
    fn pass(&self, time: usize) {
        self.arrivals.fetch_add(1, Ordering::AcqRel);
        while self.arrivals.load(Ordering::Acquire) < time * self.threads {
            hint::spin_loop();
        }
    }
}

/// When a thread's batch ran.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: Instant,
    end: Instant,
    /// The scheduler took the core away meanwhile.
    interrupted: bool,
}

impl Span {
    fn nanos(&self) -> f64 {
        (self.end - self.start).as_nanos() as f64
    }
}

struct Lane {
    jobs: Sender<Job>,
    spans: Receiver<Result<Span, String>>,
}

/// A breaker that was not in the state that its case claims.
#[derive(Debug)]
pub(crate) struct WrongState(pub(crate) String);

/// The measuring threads.
pub(crate) struct Crew {
    lanes: Vec<Lane>,
    pinned: bool,
}

impl Crew {
    /// Starts the threads, on the first cores that the process may use.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let (mut lanes, mut pinned) = (Vec::new(), true);
        for index in 0..THREADS {
            let core = cores.get(index).copied();
            let (jobs, incoming) = channel();
            let (outgoing, spans) = channel();
            let (ready, is_pinned) = channel();
            thread::Builder::new().name(format!("lane {index}")).spawn(move || {
                // Nobody listens any more only once the process ends.
                let _ = ready.send(core.is_some_and(core_affinity::set_for_current));
                work_off(&incoming, &outgoing);
            })?;
            pinned &= is_pinned.recv().unwrap_or(false);
            lanes.push(Lane { jobs, spans });
        }
        Ok(Crew { lanes, pinned })
    }

    /// Whether every thread has a core of its own.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Lets `threads` threads make `calls` calls each, at the same time, through the same breaker: nanoseconds that one
    /// thread waits for one call, or nothing if the sample is not clean.
    pub(crate) fn sample(
        &self,
        entry: &Arc<Entry>,
        threads: usize,
        calls: u64,
    ) -> Result<Sample, WrongState> {
        let gate = Arc::new(Gate::new(threads));
        let lanes = &self.lanes[..threads];
        for lane in lanes {
            let job = Job { entry: Arc::clone(entry), calls, gate: Arc::clone(&gate) };
            lane.jobs.send(job).map_err(|_| gone())?;
        }
        // Every thread is waited for before the first error is told, so that none is left in the next sample.
        let spans: Vec<_> =
            lanes.iter().map(|lane| lane.spans.recv().unwrap_or_else(|_| Err(gone().0))).collect();
        let spans: Result<Vec<Span>, String> = spans.into_iter().collect();
        Ok(Sample::of(&spans.map_err(WrongState)?, calls))
    }
}

fn gone() -> WrongState {
    WrongState("a measuring thread panicked".to_owned())
}

fn work_off(jobs: &Receiver<Job>, spans: &Sender<Result<Span, String>>) {
    for Job { entry, calls, gate } in jobs {
        let warm_up = round_up(calls / 8);
        let warm = guarded(|| entry.check(warm_up, entry.run(warm_up)));
        // Waiting for a thread that is still warming up may be interrupted; that harms nobody.
        gate.pass(1);
        let before = interruptions();
        gate.pass(2);
        let start = Instant::now();
        let tally = guarded(|| Ok(entry.run(calls)));
        let end = Instant::now();
        let interrupted = interruptions() != before;
        let checked = warm.and(tally).and_then(|tally| guarded(|| entry.check(calls, tally)));
        if spans.send(checked.map(|()| Span { start, end, interrupted })).is_err() {
            return;
        }
    }
}

/// A contestant that panics must not leave the other thread alone at the gate.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// The next multiple of a hundred, and at least one hundred.
pub(crate) fn round_up(calls: u64) -> u64 {
    calls.div_ceil(HUNDRED).max(1) * HUNDRED
}

/// How often the scheduler took the core away from this thread; none where the system does not tell.
fn interruptions() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

/// One batch on each thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) nanos_per_call: f64,
    pub(crate) clean: bool,
}

impl Sample {
    fn of(spans: &[Span], calls: u64) -> Self {
        let nanos: f64 = spans.iter().map(Span::nanos).sum();
        let interrupted = spans.iter().any(|span| span.interrupted);
        let clean = !interrupted && overlap(spans) >= LEAST_OVERLAP;
        Sample { nanos_per_call: nanos / spans.len() as f64 / calls as f64, clean }
    }
}

/// The part of the time from the first start to the last end in which all batches ran.
fn overlap(spans: &[Span]) -> f64 {
    let first = spans.iter().map(|span| span.start).min();
    let last = spans.iter().map(|span| span.end).max();
    let common_start = spans.iter().map(|span| span.start).max();
    let common_end = spans.iter().map(|span| span.end).min();
    match (first, last, common_start, common_end) {
        (Some(first), Some(last), Some(start), Some(end)) if last > first => {
            (end.saturating_duration_since(start)).as_secs_f64() / (last - first).as_secs_f64()
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contestants::{circuit_breaker, floors};
    use crate::protect::{Answer, Fault, Protect};
    use crate::traffic;

    /// When each batch ran, whether it was interrupted, and whether that is a clean sample.
    type Case<'a> = (&'a [(u64, u64)], bool, bool);

    fn spans(times: &[(u64, u64)], interrupted: bool) -> Vec<Span> {
        let origin = Instant::now();
        let at = |micros| origin + Duration::from_micros(micros);
        times
            .iter()
            .map(|(start, end)| Span { start: at(*start), end: at(*end), interrupted })
            .collect()
    }

    #[test]
    fn a_sample_is_clean_if_nobody_was_interrupted_and_all_ran_together() {
        let cases: &[Case<'_>] = &[
            (&[(0, 100)], false, true),
            (&[(0, 100)], true, false),
            (&[(0, 100), (0, 100)], false, true),
            (&[(0, 95), (10, 100)], false, true),
            (&[(0, 92), (8, 100)], false, false),
            (&[(0, 80), (0, 100)], false, false),
            (&[(0, 100), (100, 200)], false, false),
            (&[(0, 100), (150, 200)], false, false),
            (&[(0, 100), (0, 100)], true, false),
        ];
        for (times, interrupted, clean) in cases {
            let sample = Sample::of(&spans(times, *interrupted), 100);
            assert_eq!(sample.clean, *clean, "{times:?} {interrupted}");
        }
    }

    #[test]
    fn a_sample_is_what_one_thread_waits_for_one_call() {
        let sample = Sample::of(&spans(&[(0, 100), (0, 120)], false), 1000);
        assert!((sample.nanos_per_call - 110.0).abs() < 1e-9, "{sample:?}");
    }

    struct Panics;

    impl Protect for Panics {
        fn protect<T: 'static>(&self, _: impl FnOnce() -> Result<T, Fault>) -> Answer<T> {
            panic!("as the test wants it")
        }
    }

    #[test]
    fn a_breaker_that_leaves_its_state_is_found_out_and_the_crew_goes_on() {
        let crew = Crew::start().unwrap();
        let opens = Arc::new(traffic::closed("opens", 30, circuit_breaker::cumulative()));
        let panics = Arc::new(traffic::closed("panics", 30, Panics));
        let fine = Arc::new(traffic::closed("fine", 30, floors::Nothing));
        for threads in 1..=THREADS {
            crew.sample(&opens, threads, 1000).unwrap_err();
            let WrongState(reason) = crew.sample(&panics, threads, 1000).unwrap_err();
            assert_eq!(reason, "it panicked");
            assert!(crew.sample(&fine, threads, 1000).unwrap().nanos_per_call > 0.0);
        }
    }
}
