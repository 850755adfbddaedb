//! The rival: pgmq on the same server, driven by a program of its own, with as many messages in flight as letters.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use fuseboard_core::letter::{Answer, Event};
use fuseboard_store::{Letter, Letters, Settlement, StoreError};
use futures_util::future::try_join_all;

use crate::draft::{BODY, CIRCUIT, draft, now};
use crate::drive::{Failure, Until, rate};
use crate::options::Options;
use crate::place::{Engine, Place};

/// Letters or messages that one caller hands over, takes and finishes at once.
pub(crate) const BATCH: u64 = 64;

const LEASE: Duration = Duration::from_secs(3600);

/// The program that drives the rival.
pub(crate) struct Queue {
    child: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Queue {
    /// Builds and starts it.
    pub(crate) fn start(url: &str) -> Result<Self, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queue");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["run", "--release", "--locked", "--quiet", "--", url]).current_dir(&folder);
        if env::var_os("CARGO_TARGET_DIR").is_none() {
            command.env("CARGO_TARGET_DIR", folder.join("../target"));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = child.stdout.take().ok_or("the queue has no output")?;
        let mut queue = Queue { child, answers: BufReader::new(answers).lines() };
        match queue.answer()?.as_str() {
            "ready" => Ok(queue),
            other => Err(format!("the queue said `{other}`").into()),
        }
    }

    fn answer(&mut self) -> Result<String, Failure> {
        Ok(self.answers.next().ok_or("the queue has ended")??)
    }

    /// Messages a second.
    fn rate(&mut self, work: &str, shape: Shape, sample: Duration) -> Result<f64, Failure> {
        let input = self.child.stdin.as_mut().ok_or("the queue has no input")?;
        let Shape { callers, batch } = shape;
        writeln!(input, "{work} {callers} {batch} {}", sample.as_millis())?;
        let answer = self.answer()?;
        let (messages, seconds) = answer.split_once(' ').ok_or("the queue answers nonsense")?;
        Ok(messages.parse::<f64>()? / seconds.parse::<f64>()?)
    }

    /// Lets it end.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        match self.child.wait()?.success() {
            true => Ok(()),
            false => Err("the queue failed".into()),
        }
    }
}

/// The version of the rival that is measured.
pub(crate) fn version() -> io::Result<String> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queue/Cargo.lock");
    let lock = fs::read_to_string(lock)?;
    let version = fuseboard_bench_common::setting::version_in(&lock, "pgmq");
    Ok(version.unwrap_or(fuseboard_bench_common::setting::UNKNOWN).to_owned())
}

/// Who calls how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) callers: u64,
    pub(crate) batch: u64,
}

/// What is done with each letter or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Keep,
    KeepAndFinish,
}

/// Letters or messages a second, one number a round.
pub(crate) struct Case {
    pub(crate) title: &'static str,
    pub(crate) in_flight: u64,
    pub(crate) ours: Vec<Option<f64>>,
    pub(crate) rivals: Vec<(&'static str, Vec<Option<f64>>)>,
}

struct Plan {
    title: &'static str,
    deed: Deed,
    shape: Shape,
    rivals: &'static [(&'static str, &'static str, Shape)],
}

const ONE: Shape = Shape { callers: 1, batch: BATCH };
const EIGHT: Shape = Shape { callers: 8, batch: BATCH };
const SINGLE: Shape = Shape { callers: BATCH, batch: 1 };

const PLANS: &[Plan] = &[
    Plan {
        title: "kept",
        deed: Deed::Keep,
        shape: ONE,
        rivals: &[
            ("pgmq, `send_batch` of 64", "send", ONE),
            ("pgmq, `send` by 64 callers", "send", SINGLE),
        ],
    },
    Plan {
        title: "kept",
        deed: Deed::Keep,
        shape: EIGHT,
        rivals: &[("pgmq, `send_batch` of 64 by 8 callers", "send", EIGHT)],
    },
    Plan {
        title: "kept, claimed and settled",
        deed: Deed::KeepAndFinish,
        shape: ONE,
        rivals: &[
            ("pgmq, `send_batch`, `read_batch`, `archive_batch` of 64", "archive", ONE),
            ("pgmq, `send_batch`, `read_batch`, `delete_batch` of 64", "delete", ONE),
        ],
    },
    Plan {
        title: "kept, claimed and settled",
        deed: Deed::KeepAndFinish,
        shape: EIGHT,
        rivals: &[
            ("pgmq, as above with `archive_batch`, by 8 callers", "archive", EIGHT),
            ("pgmq, as above with `delete_batch`, by 8 callers", "delete", EIGHT),
        ],
    },
];

pub(crate) async fn measure(
    options: &Options,
    place: &Place,
    queue: &mut Queue,
) -> Result<Vec<Case>, Failure> {
    let letters = place.store(Engine::Postgres, "beside_the_queue").await?;
    let mut cases: Vec<Case> = PLANS.iter().map(Case::new).collect();
    for round in 0..options.rounds {
        eprintln!("beside the queue: round {} of {}", round + 1, options.rounds);
        for (plan, case) in PLANS.iter().zip(&mut cases) {
            // Who goes first changes from round to round.
            if round % 2 == 0 {
                case.ours.push(Some(ours(options, plan, &letters).await?));
            }
            for ((_, work, shape), (_, rates)) in plan.rivals.iter().zip(&mut case.rivals) {
                rates.push(Some(queue.rate(work, *shape, options.sample)?));
            }
            if round % 2 == 1 {
                case.ours.push(Some(ours(options, plan, &letters).await?));
            }
        }
    }
    letters.close().await?;
    Ok(cases)
}

impl Case {
    fn new(plan: &Plan) -> Self {
        let rivals = plan.rivals.iter().map(|(name, ..)| (*name, Vec::new())).collect();
        let in_flight = plan.shape.callers * plan.shape.batch;
        Case { title: plan.title, in_flight, ours: Vec::new(), rivals }
    }
}

/// Letters that arrive by themselves share commits, so that each has a caller of its own; a batch is claimed by one.
async fn ours(options: &Options, plan: &Plan, letters: &Arc<dyn Letters>) -> Result<f64, Failure> {
    let (letters, until) = (letters.clone(), Until::Over(options.sample));
    let Shape { callers, batch } = plan.shape;
    match plan.deed {
        Deed::Keep => {
            let keep = move || {
                let letters = letters.clone();
                async move {
                    letters.insert(draft(BODY)).await?;
                    Ok(1)
                }
            };
            rate(callers * batch, until, keep).await
        }
        Deed::KeepAndFinish => {
            let whole = move || keep_and_finish(letters.clone(), batch);
            rate(callers, until, whole).await
        }
    }
}

async fn keep_and_finish(letters: Arc<dyn Letters>, batch: u64) -> Result<u64, Failure> {
    try_join_all((0..batch).map(|_| letters.insert(draft(BODY)))).await?;
    let claimed = letters.claim(CIRCUIT, batch as usize, LEASE, now()).await?;
    try_join_all(claimed.iter().map(|letter| finish(&letters, letter))).await?;
    Ok(claimed.len() as u64)
}

/// Settles a letter as done.
pub(crate) async fn finish(letters: &Arc<dyn Letters>, letter: &Letter) -> Result<(), StoreError> {
    let event = Event::Settled { fence: letter.life.fence, answer: Answer::Done, draw: 0.5 };
    let settlement = Settlement { event, answer: None, note: "answered 200".to_owned() };
    letters.settle(letter.id, settlement, now()).await.map(drop)
}
