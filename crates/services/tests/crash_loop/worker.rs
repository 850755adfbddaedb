//! The process that is to die: captures, claims, replays and settles without end, and tells of it on its standard output.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life};
use fuseboard_core::random::{Random, SeededRandom};
use fuseboard_core::time::{Clock, SystemClock};
use fuseboard_services::replay::{Deliver, Delivering};
use fuseboard_store::{
    Inserted, Letter, LetterId, Letters, Postgres, PostgresOptions, Settlement, Sqlite,
    SqliteOptions, StoreError, Token,
};

use crate::ledger::Told;
use crate::rig::{CIRCUIT, delivery, draft, letter_rules, replay};
use crate::store_over::{Hook, StoreOver};

/// Set for a process that is to die: its [`Place`].
pub(crate) const PLACE: &str = "FUSEBOARD_CRASHING_AT";

/// How long a claim lasts. A process that stands still for longer comes late.
pub(crate) const LEASE: Duration = Duration::from_millis(300);

/// Where the letters are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(String),
    Server { url: String, schema: String },
}

impl Place {
    pub(crate) fn text(&self) -> String {
        match self {
            Place::Folder(folder) => format!("folder\n{folder}"),
            Place::Server { url, schema } => format!("server\n{url}\n{schema}"),
        }
    }

    pub(crate) fn parse(text: &str) -> Place {
        match *text.split('\n').collect::<Vec<_>>() {
            ["folder", folder] => Place::Folder(folder.to_owned()),
            ["server", url, schema] => {
                Place::Server { url: url.to_owned(), schema: schema.to_owned() }
            }
            _ => panic!("no place: {text}"),
        }
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Letters>, StoreError> {
        let rules = letter_rules();
        Ok(match self {
            Place::Folder(folder) => {
                Arc::new(Sqlite::open(SqliteOptions { rules, ..SqliteOptions::new(folder) })?)
            }
            Place::Server { url, schema } => {
                let schema = schema.clone();
                let connections = 4;
                let options = PostgresOptions {
                    rules,
                    schema,
                    connections,
                    ..PostgresOptions::new(url.as_str())
                };
                Arc::new(Postgres::open(options).await?)
            }
        })
    }
}

/// In one write, so that a line is there entirely or not at all.
fn tell(told: Told) {
    let line = format!("{told}\n");
    // Whoever listened is gone: so is the reason to go on.
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Tells what the store did.
#[derive(Debug)]
struct Teller;

impl Hook for Teller {
    fn inserted(&self, letter: Inserted) {
        tell(Told::Kept(letter.id()));
    }

    fn claimed(&self, letters: &[Letter]) {
        for letter in letters {
            tell(Told::Claimed(letter.id, letter.life.fence));
        }
    }

    fn settled(&self, id: LetterId, event: Event, result: &Result<Life, StoreError>) {
        let (Event::Settled { fence, .. } | Event::HandedBack { fence }) = event else { return };
        match result {
            Ok(life) => tell(Told::Settled(id, fence, life.status)),
            Err(StoreError::Fenced(_) | StoreError::Refused(_)) => tell(Told::Refused(id, fence)),
            Err(_) => {}
        }
    }
}

/// Takes up to 2 ms for a letter, and does not always manage it. One in fifty ends the task.
struct Upstream {
    letters: Arc<dyn Letters>,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Random>,
}

impl Deliver for Upstream {
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(async move {
            tell(Told::Delivering(letter.id, letter.life.fence));
            if self.dice.draw() < 0.1 {
                lie(&*self.letters, letter, &*self.clock).await;
            }
            let pause = Duration::from_micros((self.dice.draw() * 2000.0) as u64);
            tokio::time::sleep(pause).await; // waits for: nothing; an answer takes time
            match self.dice.draw() {
                dice if dice < 0.70 => delivery(Answer::Done),
                dice if dice < 0.85 => delivery(Answer::Again { retry_after: None }),
                dice if dice < 0.95 => delivery(Answer::NotReached),
                dice if dice < 0.98 => delivery(Answer::Never),
                _ => panic!("the deliverer dies"),
            }
        })
    }
}

/// Runs until it is killed.
pub(crate) fn run(place: &Place) -> ! {
    // Panics are part of the game, and nobody's news.
    std::panic::set_hook(Box::new(|_| ()));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // Whoever died just now may still be on its way out.
        let inner = loop {
            match place.open().await {
                Ok(letters) => break letters,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await, // waits for: the one before to end
            }
        };
        let letters: Arc<dyn Letters> =
            Arc::new(StoreOver { inner: Arc::clone(&inner), hook: Teller });
        let dice: Arc<dyn Random> = Arc::new(SeededRandom::from_entropy());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let upstream =
            Upstream { letters: inner, clock: Arc::clone(&clock), dice: Arc::clone(&dice) };
        let (_replay, bells) =
            replay(Arc::clone(&letters), Arc::new(upstream), Arc::clone(&clock), LEASE);
        loop {
            let two = (capture(&*letters, &*dice, &*clock), capture(&*letters, &*dice, &*clock));
            tokio::join!(two.0, two.1);
            bells.ring(CIRCUIT);
        }
    })
}

/// Keeps a letter; every third waits in one of four lines.
async fn capture(letters: &dyn Letters, dice: &dyn Random, clock: &dyn Clock) {
    let line = (dice.draw() * 12.0) as u32;
    let order_key = (line < 4).then(|| format!("line-{line}"));
    let key = Token::random().to_string();
    // What was refused was not acknowledged.
    let _ = letters.insert(draft(&key, order_key, clock.wall())).await;
    tokio::time::sleep(Duration::from_millis(3)).await; // waits for: nothing; requests come now and then
}

/// Pretends to have had the letter before, or after, who has it now.
async fn lie(letters: &dyn Letters, letter: &Letter, clock: &dyn Clock) {
    for fence in [letter.life.fence - 1, letter.life.fence + 1_000_000] {
        let settled = Event::Settled { fence, answer: Answer::Done, draw: 0.5 };
        for event in [settled, Event::HandedBack { fence }] {
            let settlement = Settlement { event, answer: None, note: "a lie".to_owned() };
            if letters.settle(letter.id, settlement, clock.wall()).await.is_ok() {
                tell(Told::Deceived(letter.id, fence));
            }
        }
    }
}
