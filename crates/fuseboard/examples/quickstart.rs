//! A dependency dies and comes back: run it with `cargo run --example quickstart`.

use std::sync::Arc;
use std::time::Duration;

use fuseboard::time::ManualClock;
use fuseboard::{CallError, CircuitBreaker, Rules, Transition};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Arc::new(ManualClock::new());
    let rules = Rules::builder()
        .tripper("failure_streak(3)".parse()?)
        .retry("cooldown(10s)".parse()?)
        .recovery("successes(2)".parse()?)
        .build()?;
    let breaker = CircuitBreaker::builder("payments")
        .rules(rules)
        .clock(clock.clone())
        .listener(|_: &str, change: &Transition| {
            println!("    {} → {} ({})", change.from, change.to, change.cause);
        })
        .build()?;

    for second in 0..24 {
        let dead = (3..12).contains(&second);
        let result = breaker.call(|| if dead { Err("connection refused") } else { Ok("charged") });
        match result {
            Ok(receipt) => println!("{second:>2} s  {receipt}"),
            Err(CallError::Failed(error)) => println!("{second:>2} s  failed: {error}"),
            Err(CallError::Rejected(rejected)) => println!("{second:>2} s  {rejected}"),
        }
        clock.advance(Duration::from_secs(1));
    }
    Ok(())
}
