//! The real circuit breaker, driven with the twin's words.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fuseboard_core::machine::{Command, Transition};
use fuseboard_core::random::Random;
use fuseboard_core::time::{Clock, Moment, WallTime};
use fuseboard_core::{
    CircuitBreaker, Failure, Info, Listener, Pin, Rejected, Rules, State, Ticket,
};

use crate::forms::{Form, call};
use crate::words::{Answer, End, News, Order, Sight, When};

/// Gives out the number that was set last, however often it is asked.
#[derive(Debug, Default)]
struct Dice {
    draw: AtomicU64,
}

impl Random for Dice {
    fn draw(&self) -> f64 {
        f64::from_bits(self.draw.load(Ordering::SeqCst))
    }
}

/// Goes on as it is told to, up to the end of time. Its wall clock has nothing to do with that: it shows what it was set
/// to, later or earlier.
#[derive(Debug, Default)]
struct Hands {
    now: AtomicU64,
    wall: AtomicI64,
}

impl Clock for Hands {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_millis(self.wall.load(Ordering::SeqCst))
    }
}

/// A listener that writes down what it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<News>>>);

impl Log {
    pub(crate) fn take(&self) -> Vec<News> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Log {
    fn on_transition(&self, _: &str, transition: &Transition) {
        self.0.lock().unwrap().push(News::from(transition));
    }

    fn on_would_trip(&self, _: &str, why: &str) {
        assert!(!why.is_empty(), "what held has a name");
        self.0.lock().unwrap().push(News::WouldTrip);
    }
}

impl From<&Transition> for News {
    fn from(transition: &Transition) -> Self {
        News::Transition {
            from: transition.from,
            to: transition.to,
            cause: transition.cause,
            generation: transition.generation,
            at: transition.at.as_nanos(),
            reopens: transition.reopens,
            snapshot: (&transition.metrics).into(),
            retry_after: transition.retry_after,
        }
    }
}

impl From<Info> for Sight {
    fn from(info: Info) -> Self {
        Sight {
            state: info.state,
            generation: info.generation,
            reopens: info.reopens,
            lasted: info.lasted,
            measured: (&info.metrics).into(),
            in_flight: info.in_flight,
            totals: info.totals,
            retry_after: info.retry_after,
            tripped: info.trip.map(|trip| (trip.cause, trip.at.as_nanos())),
            pin_remaining: info.pin.map(|pin| pin.remaining),
        }
    }
}

pub(crate) fn answer(attempt: &Result<Ticket, Rejected>) -> Answer {
    match attempt {
        Ok(ticket) => Answer::Admitted { probe: ticket.is_probe() },
        Err(Rejected { state, retry_after, cause, .. }) => {
            Answer::Rejected { state: *state, retry_after: *retry_after, cause: *cause }
        }
    }
}

/// Ends the call of a ticket.
pub(crate) fn settle(ticket: Ticket, end: End) {
    match end {
        End::Success => ticket.success(),
        End::Failure { retry_after } => {
            let failure = Failure::new("refused");
            ticket.failure(match retry_after {
                Some(delay) => failure.retry_after(delay),
                None => failure,
            });
        }
        End::Ignored => ticket.ignored(),
        End::Dropped => drop(ticket),
        End::Panicked => {
            let call = AssertUnwindSafe(|| {
                let _ticket = ticket;
                resume_unwind(Box::new("the call"));
            });
            assert!(catch_unwind(call).is_err());
        }
    }
}

/// A breaker whose time and chance are in our hands.
pub(crate) struct Subject {
    breaker: CircuitBreaker,
    clock: Arc<Hands>,
    dice: Arc<Dice>,
    log: Log,
    tickets: Vec<Option<Ticket>>,
}

impl Subject {
    pub(crate) fn new(rules: Rules) -> Self {
        let (clock, dice, log) =
            (Arc::new(Hands::default()), Arc::new(Dice::default()), Log::default());
        let breaker = CircuitBreaker::builder("subject")
            .rules(rules)
            .clock(Arc::<Hands>::clone(&clock))
            .random(Arc::<Dice>::clone(&dice))
            .listener(log.clone())
            .build()
            .unwrap();
        Subject { breaker, clock, dice, log, tickets: Vec::new() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_nanos()
    }

    pub(crate) fn advance(&self, nanos: u64) {
        let now = self.now().saturating_add(nanos);
        self.clock.now.store(now, Ordering::SeqCst);
    }

    /// Sets the wall clock, in milliseconds since 1970.
    pub(crate) fn set_wall(&self, millis: i64) {
        self.clock.wall.store(millis, Ordering::SeqCst);
    }

    /// What the listener was told since the last time.
    pub(crate) fn take_news(&self) -> Vec<News> {
        self.log.take()
    }

    pub(crate) fn acquire(&mut self, when: When) -> Answer {
        self.prepare(when);
        let attempt = self.breaker.try_acquire();
        let answer = answer(&attempt);
        self.tickets.extend(attempt.ok().map(Some));
        answer
    }

    /// Makes calls; gives of each the rejection.
    pub(crate) fn call(
        &mut self,
        form: Form,
        end: End,
        many: u8,
        when: When,
    ) -> Vec<Option<Answer>> {
        self.prepare(when);
        let one = |_| {
            let rejected = call(&self.breaker, form, end).err();
            // It has had a number, as if it had had a ticket.
            self.tickets.extend(rejected.is_none().then_some(None));
            rejected.map(|rejected| answer(&Err(rejected)))
        };
        (0..many).map(one).collect()
    }

    pub(crate) fn settle(&mut self, call: usize, end: End, when: When) {
        self.prepare(when);
        settle(self.take_ticket(call), end);
    }

    pub(crate) fn take_ticket(&mut self, call: usize) -> Ticket {
        self.tickets[call].take().expect("a call ends once")
    }

    /// The breaker itself, for threads to share.
    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    pub(crate) fn command(&self, order: Order, when: When) {
        self.prepare(when);
        match order {
            Order::Pin(to, lasting) => {
                let pin = Pin::by("somebody");
                let pin = match lasting {
                    Some(duration) => pin.lasting(duration),
                    None => pin,
                };
                self.breaker.command(Command::Pin(to, pin));
            }
            Order::Auto => self.breaker.auto(),
            Order::Reset => self.breaker.reset(),
        }
    }

    pub(crate) fn look(&self, when: When) -> Sight {
        self.prepare(when);
        let info = self.breaker.info();
        Sight::from(info)
    }

    pub(crate) fn state(&self, when: When) -> State {
        self.prepare(when);
        self.breaker.state()
    }

    pub(crate) fn tick(&self, when: When) {
        self.prepare(when);
        self.breaker.tick();
    }

    fn prepare(&self, when: When) {
        assert_eq!(when.now, self.now(), "the program and the clock agree");
        self.dice.draw.store(when.draw.to_bits(), Ordering::SeqCst);
    }
}
