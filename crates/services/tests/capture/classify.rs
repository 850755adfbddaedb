//! What errors tell by themselves.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use fuseboard_services::capture::{
    Captured, Captures, Idempotent, Kind, Undone, by_source, undone_by,
};
use fuseboard_store::Memory;

#[derive(Debug)]
struct Wrapped(io::Error);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client failed")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

const KINDS: [(ErrorKind, Undone); 13] = [
    (ErrorKind::ConnectionRefused, Undone::Connect),
    (ErrorKind::AddrNotAvailable, Undone::Connect),
    (ErrorKind::TimedOut, Undone::Timeout),
    (ErrorKind::WouldBlock, Undone::Timeout),
    (ErrorKind::ConnectionReset, Undone::Reset),
    (ErrorKind::ConnectionAborted, Undone::Reset),
    (ErrorKind::NotConnected, Undone::Reset),
    (ErrorKind::BrokenPipe, Undone::Reset),
    (ErrorKind::UnexpectedEof, Undone::Reset),
    (ErrorKind::HostUnreachable, Undone::Reset),
    (ErrorKind::NetworkUnreachable, Undone::Reset),
    (ErrorKind::InvalidData, Undone::Failure),
    (ErrorKind::Other, Undone::Failure),
];

#[test]
fn the_first_error_that_tells_is_believed() {
    for (kind, undone) in KINDS {
        assert_eq!(undone_by(&io::Error::from(kind)), undone, "{kind}");
        assert_eq!(by_source(&Wrapped(kind.into())), undone, "{kind} as a source");
        let inside = io::Error::other(Wrapped(io::Error::other(io::Error::from(kind))));
        assert_eq!(by_source(&inside), undone, "{kind} deep inside");
        let boxed: Box<dyn Error + Send + Sync> = Wrapped(kind.into()).into();
        assert_eq!(undone_by(&*boxed), undone, "{kind} in a box");
    }
    assert_eq!(undone_by(&fmt::Error), Undone::Failure);
}

/// A call that fails with this error, and the kind of its letter.
async fn kind_of<E: Send + 'static>(error: impl Fn() -> E + Send + Sync + 'static) -> Kind {
    let captures = Captures::builder().letters(Arc::new(Memory::default())).build().unwrap();
    let breaker = fuseboard_core::CircuitBreaker::builder("payments").build().unwrap();
    let call = captures.protect("fail", &breaker, move |(), _| {
        let error = error();
        async move { Err::<(), E>(error) }
    });
    match call.idempotent(Idempotent::Always).build().unwrap().call(()).await {
        Captured::Queued(queued) => queued.kind,
        _ => panic!("not queued"),
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_classifier_errors_of_common_types_tell() {
    for (kind, undone) in KINDS {
        assert_eq!(kind_of(move || io::Error::from(kind)).await, Kind::of(undone), "{kind}");
        let boxed = move || -> Box<dyn Error + Send + Sync> { Wrapped(kind.into()).into() };
        assert_eq!(kind_of(boxed).await, Kind::of(undone), "{kind} in a box");
    }
    let never = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>());
    let elapsed = Arc::new(never.await.unwrap_err());
    let again = Arc::clone(&elapsed);
    assert_eq!(kind_of(move || io::Error::other(again.to_string())).await, Kind::Failure);
    assert_eq!(kind_of(move || elapsed.to_string()).await, Kind::Failure, "a text tells nothing");
    assert_eq!(
        kind_of(|| Wrapped(ErrorKind::TimedOut.into())).await,
        Kind::Failure,
        "nor does a type of one's own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tokio_is_a_timeout() {
    let never = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>());
    let elapsed = never.await.unwrap_err();
    assert_eq!(undone_by(&elapsed), Undone::Timeout);
    assert_eq!(undone_by(&io::Error::other(elapsed)), Undone::Timeout);
}
