//! The world of the demo: the gateway, the payment service's process, the shop, and the script that they live by.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, Moment, SystemClock};
use fuseboard_core::{Listener, State, Transition};

use super::balance::{Accounts, Balance};
use super::ledger::Ledger;
use super::pages::Pages;
use super::payments::Behaviour;
use super::scene::{BUCKET, Bucket, Circuit, Condition, LetterCounts, Phase, Scene};
use super::script::{Act, script};
use super::service::{HEALTHY, Service};
use super::story::{Line, Story, Tone, Who};
use super::traffic::{Plan, Score, Traffic};
use super::{DemoError, Options};
use crate::app::{App, Extras};
use crate::config::Config;

/// The circuit, named after the service.
const CIRCUIT: &str = "payments";
/// How long the replay of what was kept may stand still at the end before the demo gives up.
const DRAIN: Duration = Duration::from_secs(30);
/// Most payments fail; of the others, many are done without an answer, which only an idempotency key survives.
const BROWN_OUT: Behaviour = Behaviour { fail_rate: 0.65, hang_rate: 0.25, latency_ms: 40 };

/// Transitions that were not told of yet, with when they came.
#[derive(Debug, Default)]
struct News(Mutex<VecDeque<(Moment, Transition)>>);

impl News {
    fn queue(&self) -> MutexGuard<'_, VecDeque<(Moment, Transition)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that the demo started. Dropping it ends the service's process.
pub(crate) struct World {
    clock: SystemClock,
    start: Moment,
    length: Duration,
    planned: u64,
    app: App,
    service: Service,
    traffic: Traffic,
    acts: VecDeque<(Duration, Act)>,
    news: Arc<News>,
    story: Story,
    phase: Phase,
    /// When the demo gives up, if no more letters are resolved until then, and how many were.
    drain: (Duration, u64),
    condition: (Condition, Duration),
    opened_for: Option<Duration>,
    letters: LetterCounts,
    history: Vec<Bucket>,
    bucket: (Score, State),
}

impl World {
    /// Starts the service, the gateway and the traffic, with all data in `folder`.
    pub(crate) async fn start(options: &Options, folder: &Path) -> Result<World, DemoError> {
        let clock = SystemClock::new();
        let random = SeededRandom::from_entropy();
        let service = Service::start(folder.join("payments.jsonl"), &random).await?;
        let news = Arc::new(News::default());
        let heard = Arc::clone(&news);
        let listener = move |_: &str, transition: &Transition| {
            heard.queue().push_back((clock.now(), transition.clone()));
        };
        let listeners: Vec<Arc<dyn Listener>> = vec![Arc::new(listener)];
        let config = Config::parse(
            &configuration(&service, folder, options.rate),
            "the demo's configuration",
        )?;
        let app = App::start(config, Extras { listeners }).await?;
        let length = Duration::from_secs(options.seconds);
        let (gateway, start) = (app.gateway(), clock.now());
        let plan = Plan { gateway, rate: options.rate, length, seed: options.seed };
        let mut story = Story::default();
        story.service(Duration::ZERO, Condition::Alive, service.pid());
        let text = format!("{} payments a second, one in ten at the till", options.rate);
        story.tell(Duration::ZERO, Who::Shop, Tone::Neutral, text);
        Ok(World {
            clock,
            start,
            length,
            planned: plan.total(),
            traffic: Traffic::start(plan, clock),
            app,
            service,
            acts: script(length).into(),
            news,
            story,
            phase: Phase::Traffic,
            drain: (Duration::MAX, 0),
            condition: (Condition::Alive, Duration::ZERO),
            opened_for: None,
            letters: LetterCounts::default(),
            history: Vec::new(),
            bucket: (Score::default(), State::Closed),
        })
    }

    fn at(&self) -> Duration {
        self.clock.now().since(self.start)
    }

    /// Does what is due, and looks at everything. `false` when nothing more will happen.
    pub(crate) async fn advance(&mut self) -> Result<bool, DemoError> {
        let now = self.at();
        while let Some((_, act)) = self.acts.pop_front_if(|(due, _)| *due <= now) {
            self.act(act).await?;
        }
        self.listen();
        self.letters = LetterCounts::of(&self.app.letters().counts().await?);
        self.story.letters(self.at(), self.letters);
        self.fill_buckets();
        self.end_phase();
        Ok(self.phase != Phase::Checking)
    }

    fn end_phase(&mut self) {
        let at = self.at();
        if self.letters.resolved > self.drain.1 {
            self.drain = (at + DRAIN, self.letters.resolved);
        }
        if self.phase == Phase::Traffic && self.traffic.is_over() {
            self.phase = Phase::Draining;
            self.drain = (at + DRAIN, self.letters.resolved);
            self.story.traffic_over(at, &self.traffic.score());
        }
        let over = self.letters.waiting() == 0 || at >= self.drain.0;
        if self.phase == Phase::Draining && over {
            self.phase = Phase::Checking;
        }
    }

    async fn act(&mut self, act: Act) -> Result<(), DemoError> {
        let condition = match act {
            Act::Kill => {
                self.service.kill().await?;
                Condition::Killed
            }
            Act::Restart => {
                self.service.restart().await?;
                Condition::Alive
            }
            Act::BrownOut => {
                self.service.behave(BROWN_OUT).await?;
                Condition::BrownOut
            }
            Act::Heal => {
                self.service.behave(HEALTHY).await?;
                Condition::Alive
            }
        };
        let at = self.at();
        self.condition = (condition, at);
        self.story.service(at, condition, self.service.pid());
        Ok(())
    }

    /// Tells of the transitions that the listener heard of.
    fn listen(&mut self) {
        let news = std::mem::take(&mut *self.news.queue());
        for (moment, transition) in news {
            if transition.to == State::Open {
                self.opened_for = transition.retry_after;
            }
            self.bucket.1 = worse(self.bucket.1, transition.to);
            self.story.circuit(moment.since(self.start), &transition);
        }
    }

    fn fill_buckets(&mut self) {
        let due = (self.at().as_nanos() / BUCKET.as_nanos()) as usize;
        while self.history.len() < due {
            let score = self.traffic.score();
            let (before, circuit) = self.bucket;
            let service = self.condition.0;
            self.history.push(Bucket { score: score.since(&before), circuit, service });
            self.bucket = (score, self.state());
        }
    }

    fn state(&self) -> State {
        self.app.board().get(CIRCUIT).map_or(State::Closed, |breaker| breaker.state())
    }

    /// What there is to see now.
    pub(crate) fn scene(&self) -> Scene {
        let at = self.at();
        let circuit = self.app.board().get(CIRCUIT).map(|breaker| breaker.info());
        Scene {
            at,
            length: self.length,
            phase: self.phase,
            circuit: circuit
                .map_or_else(Circuit::untouched, |info| Circuit::of(&info, self.opened_for)),
            condition: self.condition.0,
            condition_lasted: at.saturating_sub(self.condition.1),
            pid: self.service.pid(),
            address: self.service.address(),
            score: self.traffic.score(),
            letters: self.letters,
            history: self.history.clone(),
            story: self.story.lines().to_vec(),
        }
    }

    /// Everything told until now.
    pub(crate) fn story(&self) -> &[Line] {
        self.story.lines()
    }

    /// Reads every 202's page, ends everything, and computes the balance from what is on the disk then.
    pub(crate) async fn finish(mut self) -> Result<Balance, DemoError> {
        let payments = self.traffic.into_payments();
        let pages = Pages::read(self.app.gateway(), &payments).await;
        let letters = LetterCounts::of(&self.app.letters().counts().await?);
        self.app.stop().await;
        self.service.kill().await?;
        let ledger = Ledger::read(self.service.ledger())?;
        Ok(Balance::of(&Accounts { planned: self.planned, payments, ledger, letters, pages }))
    }

    /// Ends everything early.
    pub(crate) async fn abandon(mut self) -> Result<(), DemoError> {
        drop(self.traffic);
        self.app.stop().await;
        Ok(self.service.kill().await?)
    }
}

/// The state that a step of the time line is to show, if both were seen in it.
fn worse(left: State, right: State) -> State {
    let badness = |state: State| match state {
        State::Closed => 0,
        State::HalfOpen => 2,
        _ => 1,
    };
    if badness(right) > badness(left) { right } else { left }
}

/// A configuration whose circuit shows in half a minute what it otherwise does in hours. What was kept goes out three
/// times as fast as it came.
fn configuration(service: &Service, folder: &Path, rate: u32) -> String {
    let (replay_rate, concurrency) = (rate.saturating_mul(3).max(100), (rate / 10).clamp(8, 64));
    let data = serde_json::Value::from(folder.join("gateway").display().to_string());
    let service = service.address();
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = {data}

[letters]
max_attempts = 30
retry = "backoff(500ms, max=2s, jitter=0.2)"

[upstreams.payments]
endpoints = ["http://{service}"]
timeout = "1s"
window = "time(10s)"
trip = "failure_streak(3) | min_requests(10) & failure_rate(0.5)"
retry = "backoff(1s, max=4s, jitter=0.2)"
slots = 2
recovery = "successes(2)"
replay = {{ concurrency = {concurrency}, rate = {replay_rate} }}

[[routes]]
path = "/payments"
upstream = "payments"
idempotent = true
fallback = ["queue", {{ status = 503, body = "try later" }}]

# At the till the customer waits: such a payment is done now or not at all.
[[routes]]
path = "/payments/till"
upstream = "payments"
"#
    )
}
