//! A breaker whose memory is counted: something to call, whatever the kind of its calls.

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::protect::{Answer, Fault, Protect, ProtectAsync};

/// Makes calls that fail or succeed.
pub(super) trait Subject: Send + Sync {
    fn call(&self, fails: bool) -> Answer<()>;
}

/// A breaker for blocking calls.
pub(super) struct Blocking<P>(pub(super) P);

/// A breaker for futures, around one that is ready.
pub(super) struct Ready<P>(pub(super) P);

fn result(fails: bool) -> Result<(), Fault> {
    if fails { Err(Fault) } else { Ok(()) }
}

impl<P: Protect> Subject for Blocking<P> {
    fn call(&self, fails: bool) -> Answer<()> {
        self.0.protect(|| result(fails))
    }
}

impl<P: ProtectAsync> Subject for Ready<P> {
    fn call(&self, fails: bool) -> Answer<()> {
        now(self.0.protect(|| ready(result(fails))))
    }
}

/// What a future gives that waits for nothing; no runtime allocates beside it.
pub(super) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a breaker around a ready future is not ready"),
    }
}

/// Fails calls until one is rejected; `false` if none of two thousand is.
pub(super) fn opens(subject: &impl Subject) -> bool {
    (0..2000).any(|_| matches!(subject.call(true), Answer::Rejected))
}

/// Makes a thousand calls of which fifty fail. A breaker that does not stay closed would be another one than the table says.
pub(super) fn use_closed(subject: &impl Subject) -> Result<(), String> {
    for index in 0..1000 {
        let fails = index % 20 == 19;
        match (subject.call(fails), fails) {
            (Answer::Value(()), false) | (Answer::Failed, true) => {}
            _ => return Err(format!("call {index} of a closed breaker did not do as it was told")),
        }
    }
    Ok(())
}
