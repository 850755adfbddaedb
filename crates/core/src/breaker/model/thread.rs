//! Runs a program on a breaker, in threads that loom interleaves.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use loom::sync::mpsc::{Receiver, Sender, channel};
use loom::thread::{JoinHandle, spawn};

use super::program::{Answer, Op, Program, Told, View, told_of, window_of};
use crate::breaker::{CircuitBreaker, Info, LightTicket, Ticket};
use crate::error::CallError;
use crate::listener::Listener;
use crate::machine::Transition;
use crate::outcome::{Failure, Judgement, Outcome};
use crate::random::Random;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::time::{Clock, Moment, WallTime};

/// Runs `program` once, in the interleaving that loom is about to explore.
pub(super) fn run(program: &Program) -> String {
    let log = Arc::new(Log::default());
    let mut first = Thread::first(program, &log);
    program.before.iter().for_each(|op| first.run(op));
    let mut dealt = std::mem::take(&mut first.tickets).into_iter();
    let begin =
        |ops: &Vec<Op>| Other::begin(first.beside(dealt.next()), ops.clone(), program.at_home);
    let others: Vec<Other> = program.threads.iter().map(begin).collect();
    others.iter().for_each(Other::go);
    let theirs: Vec<Vec<Answer>> = others.iter().map(Other::done).collect();
    program.after.iter().for_each(|op| first.run(op));
    let end = first.view();
    let answers: Vec<_> = [std::mem::take(&mut first.answers)].into_iter().chain(theirs).collect();
    // Without a breaker there is nobody to whom they could hand their counts.
    drop(first);
    others.into_iter().for_each(|other| other.leave(program.at_home));
    let log = log.0.lock().unwrap();
    told(&answers, &end, &log)
}

/// What a run came to: what each thread was told, after what the first was; what there is to know; what the listener heard.
pub(super) fn told(answers: &[Vec<Answer>], end: &View, log: &[Told]) -> String {
    format!("{answers:?} {end:?} {log:?}")
}

/// A thread beside the first. It waits to be told when to go, and when to leave.
struct Other {
    thread: JoinHandle<()>,
    tell: Sender<()>,
    told: Receiver<Vec<Answer>>,
}

impl Other {
    fn begin(mut thread: Thread, ops: Vec<Op>, at_home: bool) -> Self {
        let ((tell, next), (answer, told)) = (channel(), channel());
        let thread = spawn(move || {
            if at_home {
                thread.run(&Op::Welcome);
            }
            answer.send(Vec::new()).unwrap();
            next.recv().unwrap();
            ops.iter().for_each(|op| thread.run(op));
            answer.send(std::mem::take(&mut thread.answers)).unwrap();
            if at_home {
                drop(thread);
                next.recv().unwrap();
            }
        });
        told.recv().unwrap();
        Other { thread, tell, told }
    }

    fn go(&self) {
        self.tell.send(()).unwrap();
    }

    fn done(&self) -> Vec<Answer> {
        self.told.recv().unwrap()
    }

    fn leave(self, at_home: bool) {
        if at_home {
            self.tell.send(()).unwrap();
        }
        self.thread.join().unwrap();
    }
}

/// What a thread has.
struct Thread {
    breaker: CircuitBreaker,
    clock: Arc<ModelClock>,
    tickets: VecDeque<Option<Held>>,
    answers: Vec<Answer>,
}

enum Held {
    Full(Ticket),
    Light(LightTicket),
}

impl Thread {
    fn first(program: &Program, log: &Arc<Log>) -> Self {
        let clock = Arc::new(ModelClock(AtomicU64::new(0)));
        let breaker = CircuitBreaker::builder("model")
            .rules(Arc::clone(&program.rules))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .random(Arc::new(NoChance))
            .shared_listener(Arc::clone(log) as Arc<dyn Listener>)
            .build()
            .unwrap();
        if program.at_home {
            breaker.shared.welcome();
        }
        Thread { breaker, clock, tickets: VecDeque::new(), answers: Vec::new() }
    }

    /// Another thread with the same circuit, and a ticket of it.
    fn beside(&self, ticket: Option<Option<Held>>) -> Self {
        let (breaker, clock) = (self.breaker.clone(), Arc::clone(&self.clock));
        Thread { breaker, clock, tickets: ticket.into_iter().collect(), answers: Vec::new() }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Welcome => self.breaker.shared.welcome(),
            Op::Enter => self.enter(),
            Op::EnterLight => match self.breaker.try_acquire_light() {
                Some(ticket) => {
                    self.answers.push(Answer::Admitted);
                    self.tickets.push_back(Some(Held::Light(ticket)));
                }
                None => self.enter(),
            },
            Op::End(outcome) => match self.oldest() {
                Some(Held::Full(ticket)) => ticket.settle(judgement(*outcome)),
                Some(Held::Light(ticket)) => ticket.settle(judgement(*outcome)),
                None => (),
            },
            Op::Leave => drop(self.oldest()),
            Op::Call(outcome) => self.call(*outcome),
            Op::Command(command) => self.breaker.command(command.clone()),
            Op::Reconfigure(rules) => self.breaker.reconfigure(Arc::clone(rules)),
            Op::Pass(seconds) => self.clock.pass(*seconds),
            Op::Look => {
                let seen = self.view().amid();
                self.answers.push(Answer::Seen(seen));
            }
        }
    }

    fn enter(&mut self) {
        let made = self.breaker.try_acquire();
        self.answers.push(made.as_ref().map(|_| ()).map_err(|rejected| *rejected).into());
        self.tickets.push_back(made.ok().map(Held::Full));
    }

    fn oldest(&mut self) -> Option<Held> {
        self.tickets.pop_front().expect("a program ends the calls that it begins")
    }

    fn call(&mut self, outcome: Outcome) {
        let judge = |_: Result<&(), &()>| judgement(outcome);
        let made = self.breaker.call_judged_by(|| Ok(()), judge).map_err(|error| match error {
            CallError::Rejected(rejected) => rejected,
            CallError::Failed(()) => unreachable!("the call gives no error"),
        });
        self.answers.push(made.into());
    }

    fn view(&self) -> View {
        let Info { state, generation, metrics, in_flight, totals, .. } = self.breaker.info();
        View { state, generation, window: window_of(&metrics), in_flight, totals }
    }
}

fn judgement(outcome: Outcome) -> Judgement {
    match outcome {
        Outcome::Failure => Failure::default().into(),
        outcome => outcome.into(),
    }
}

/// A listener that writes down what it is told. Before it does, loom may let others go on.
#[derive(Default)]
struct Log(Mutex<Vec<Told>>);

impl Listener for Log {
    fn on_transition(&self, _: &str, transition: &Transition) {
        self.0.lock().unwrap().push(told_of(transition));
    }
}

/// A clock that is read and moved where loom sees it; moved by one thread.
struct ModelClock(AtomicU64);

impl ModelClock {
    fn pass(&self, seconds: u64) {
        let now = self.0.load(Ordering::Relaxed);
        self.0.store(now + seconds * 1_000_000_000, Ordering::Release);
    }
}

impl fmt::Debug for ModelClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelClock")
    }
}

impl Clock for ModelClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.load(Ordering::Acquire))
    }

    fn wall(&self) -> WallTime {
        WallTime::default()
    }
}

/// The same draw each time.
#[derive(Debug)]
pub(super) struct NoChance;

impl Random for NoChance {
    fn draw(&self) -> f64 {
        0.5
    }
}
