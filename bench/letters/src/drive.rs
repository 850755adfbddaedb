//! Callers that each do one thing after the other, and how much they get done together.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What ends a benchmark early.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// When callers stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// They begin nothing more after this time.
    Over(Duration),
    /// So many calls have been begun.
    Calls(u64),
}

/// How many letters a second `callers` get done, whose calls each say how many they did.
pub(crate) async fn rate<F>(
    callers: u64,
    until: Until,
    call: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Result<f64, Failure>
where
    F: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let (begun, calls) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let go_on = move || match until {
        Until::Over(duration) => begun.elapsed() < duration,
        Until::Calls(most) => calls.fetch_add(1, Ordering::Relaxed) < most,
    };
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (go_on, call) = (go_on.clone(), call.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while go_on() {
                    done += call().await?;
                }
                Ok::<_, Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for caller in callers {
        done += caller.await??;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn callers_together_make_as_many_calls_as_they_are_told() {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let call = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(25) }
        };
        let rate = rate(3, Until::Calls(10), call).await.unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 10);
        assert!(rate > 0.0);
    }

    #[tokio::test]
    async fn a_call_that_fails_ends_it() {
        let call = || async { Err::<u64, Failure>("full".into()) };
        let error = rate(2, Until::Over(Duration::from_secs(3600)), call).await.unwrap_err();
        assert_eq!(error.to_string(), "full");
    }
}
