//! Drives pgmq on a PostgreSQL server as it is told on standard input: what `bench/letters` measures beside the stores.
//!
//! It is given the server's URL and answers each line `WORK CALLERS BATCH MILLISECONDS` with the messages that were done
//! and the seconds that it took.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgmq::PGMQueueExt;
use serde::{Deserialize, Serialize};

type Failure = Box<dyn Error + Send + Sync>;

const QUEUE: &str = "letters";

/// As many as the store of letters has.
const CONNECTIONS: u32 = 8;

/// No message comes again while it is measured.
const HIDDEN_SECONDS: i32 = 3600;

const BODY: usize = 1024;

/// What a letter carries, as a message.
#[derive(Serialize, Deserialize)]
struct Message {
    circuit: String,
    method: String,
    uri: String,
    key: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Clone, Copy)]
enum Work {
    /// Messages are sent.
    Send,
    /// They are sent, read and moved to the archive.
    Archive,
    /// They are sent, read and deleted.
    Delete,
}

/// What one line asks for.
#[derive(Clone, Copy)]
struct Task {
    work: Work,
    callers: u64,
    batch: usize,
    duration: Duration,
}

fn main() -> ExitCode {
    let Some(url) = env::args().nth(1) else {
        eprintln!("usage: fuseboard-bench-queue URL");
        return ExitCode::from(2);
    };
    match run(url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pgmq: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: String) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let queue = runtime.block_on(async {
        let queue = PGMQueueExt::new(url, CONNECTIONS).await?;
        queue.install_sql_from_embedded().await?;
        queue.create(QUEUE).await?;
        Ok::<_, Failure>(Arc::new(queue))
    })?;
    println!("ready");
    io::stdout().flush()?;
    for line in io::stdin().lock().lines() {
        let task = parse(&line?).ok_or("expected: WORK CALLERS BATCH MILLISECONDS")?;
        let (messages, seconds) = runtime.block_on(perform(&queue, task))?;
        println!("{messages} {seconds}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn parse(line: &str) -> Option<Task> {
    let mut words = line.split_whitespace();
    let work = match words.next()? {
        "send" => Work::Send,
        "archive" => Work::Archive,
        "delete" => Work::Delete,
        _ => return None,
    };
    let callers = words.next()?.parse().ok()?;
    let batch = words.next()?.parse().ok()?;
    let duration = Duration::from_millis(words.next()?.parse().ok()?);
    Some(Task { work, callers, batch, duration })
}

/// How many messages were done, and in how many seconds.
async fn perform(queue: &Arc<PGMQueueExt>, task: Task) -> Result<(u64, f64), Failure> {
    let begun = Instant::now();
    let callers: Vec<_> = (0..task.callers)
        .map(|caller| tokio::spawn(call_until_over(queue.clone(), task, caller, begun)))
        .collect();
    let mut done = 0;
    for caller in callers {
        done += caller.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    // What was sent and not read would be read in another sample.
    queue.purge_queue(QUEUE).await?;
    Ok((done, seconds))
}

async fn call_until_over(
    queue: Arc<PGMQueueExt>,
    task: Task,
    caller: u64,
    begun: Instant,
) -> Result<u64, Failure> {
    let mut done = 0;
    while begun.elapsed() < task.duration {
        let messages: Vec<Message> =
            (done..done + task.batch as u64).map(|n| message(caller << 32 | n)).collect();
        match (task.work, &messages[..]) {
            (Work::Send, [message]) => _ = queue.send(QUEUE, message).await?,
            _ => _ = queue.send_batch(QUEUE, &messages).await?,
        }
        done += match task.work {
            Work::Send => messages.len(),
            Work::Archive => {
                let ids = read(&queue, task.batch).await?;
                queue.archive_batch(QUEUE, &ids).await?
            }
            Work::Delete => {
                let ids = read(&queue, task.batch).await?;
                queue.delete_batch(QUEUE, &ids).await?
            }
        } as u64;
    }
    Ok(done)
}

async fn read(queue: &PGMQueueExt, batch: usize) -> Result<Vec<i64>, Failure> {
    let read = queue.read_batch::<Message>(QUEUE, HIDDEN_SECONDS, i32::try_from(batch)?).await?;
    Ok(read.iter().map(|message| message.msg_id).collect())
}

fn message(number: u64) -> Message {
    Message {
        circuit: "payments".to_owned(),
        method: "POST".to_owned(),
        uri: "/charge?order=7".to_owned(),
        key: number.to_string(),
        headers: vec![("accept".to_owned(), "*/*".to_owned())],
        body: body(number),
    }
}

/// Letters and digits without a pattern (xorshift64), as long as the bodies of the letters beside.
fn body(number: u64) -> String {
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let digits = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[(word >> 59) as usize])
    });
    digits.take(BODY).collect()
}
