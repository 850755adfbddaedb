//! Blocking sequences as calls that last until their end: iterators of results, and readers.

use std::io::{self, ErrorKind, Read};

use fuseboard_core::{CircuitBreaker, Rejected, Ticket};

use crate::admitted::{Admitted, follow, unwinding};

/// An iterator of results that is one call: the blocking form of [`WatchedStream`](crate::WatchedStream), with its
/// rules.
///
/// ```
/// use fuseboard_core::CircuitBreaker;
/// use fuseboard_tower::WatchedIter;
///
/// let rows = CircuitBreaker::builder("rows").build()?;
/// let read = ["1", "2", "x"].into_iter().map(str::parse::<u32>);
/// let sum: Result<u32, _> = WatchedIter::begin(&rows, read)?.sum();
/// assert!(sum.is_err());
/// assert_eq!(rows.info().totals.failure, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an iterator that is dropped before its end cancels the call"]
pub struct WatchedIter<I> {
    iter: I,
    call: Option<Admitted>,
}

impl<I> WatchedIter<I> {
    /// Begins a call that lasts as long as `iter`.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through; then `iter` is dropped.
    pub fn begin(circuit: &CircuitBreaker, iter: I) -> Result<Self, Rejected> {
        let call = Some(Admitted::ask(circuit.clone())?);
        Ok(WatchedIter { iter, call })
    }

    /// Goes on with a call that `circuit` admitted before there was an iterator.
    pub fn of(circuit: &CircuitBreaker, ticket: Ticket, iter: I) -> Self {
        WatchedIter { iter, call: Some(Admitted::new(circuit.clone(), ticket)) }
    }
}

impl<I, T, E> Iterator for WatchedIter<I>
where
    I: Iterator<Item = Result<T, E>>,
    E: 'static,
{
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = unwinding(&mut self.call, || self.iter.next());
        follow(&mut self.call, next.as_ref().map(|item| item.as_ref().map(drop)));
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

/// A reader that is one call, as [`WatchedIter`] is: for the body of a blocking HTTP client, or a file on a network.
///
/// The end is a read of no bytes into a buffer that has room. `Interrupted` and `WouldBlock` are no errors: such a read
/// is made again.
///
/// ```
/// use std::io::Read;
///
/// use fuseboard_core::CircuitBreaker;
/// use fuseboard_tower::WatchedRead;
///
/// let archive = CircuitBreaker::builder("archive").build()?;
/// let mut text = String::new();
/// WatchedRead::begin(&archive, "a file from far away".as_bytes())?.read_to_string(&mut text)?;
/// assert_eq!(archive.info().totals.success, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a reader that is dropped before its end cancels the call"]
pub struct WatchedRead<R> {
    reader: R,
    call: Option<Admitted>,
}

impl<R> WatchedRead<R> {
    /// Begins a call that lasts until all of `reader` is read.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the circuit does not let the call through; then `reader` is dropped.
    pub fn begin(circuit: &CircuitBreaker, reader: R) -> Result<Self, Rejected> {
        let call = Some(Admitted::ask(circuit.clone())?);
        Ok(WatchedRead { reader, call })
    }

    /// Goes on with a call that `circuit` admitted before there was a reader.
    pub fn of(circuit: &CircuitBreaker, ticket: Ticket, reader: R) -> Self {
        WatchedRead { reader, call: Some(Admitted::new(circuit.clone(), ticket)) }
    }
}

impl<R: Read> Read for WatchedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = unwinding(&mut self.call, || self.reader.read(buffer));
        let next = match &read {
            Ok(0) if buffer.is_empty() => return read,
            Ok(0) => None,
            Ok(_) => Some(Ok(())),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock => return read,
                _ => Some(Err(error)),
            },
        };
        follow(&mut self.call, next);
        read
    }
}
