//! Sees in a caller's bytes what hyper does not tell: that a request came with a length and a transfer coding as well.
//!
//! Such a request means one thing to one server and another to the next. hyper decides for the coding, drops the length
//! and passes on what nobody sent. So the bytes are followed on their way to hyper, and only as far as this needs; what
//! is malformed is left to hyper, which refuses it and closes the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the stream of a connection and its service both know.
#[derive(Debug, Default)]
pub(super) struct Requests {
    served: AtomicU64,
    /// The number of the first request that came with both, counted from 1; 0 for none.
    both: AtomicU64,
}

impl Requests {
    /// Whether the request that is being served now, and that was not asked for before, came with both.
    pub(super) fn next_has_both(&self) -> bool {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        number == self.both.load(Ordering::Relaxed)
    }
}

/// A stream whose requests are followed.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    follower: Follower,
    requests: Arc<Requests>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, requests: Arc<Requests>) -> Self {
        Watched { stream, follower: Follower::default(), requests }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.follower.follow(&buffer.filled()[before..]);
        self.requests.both.store(self.follower.both, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where in a request the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Header,
    /// This much of a body or chunk is to come.
    Data(u64),
    ChunkSize,
    ChunkEnd,
    Trailer,
    /// No request begins any more that would be served.
    Lost,
}

/// Follows requests line by line. A line is no longer than the heads that hyper takes.
#[derive(Debug, Default)]
struct Follower {
    place: Place,
    line: Vec<u8>,
    chunked: bool,
    /// A body's length, if the head has one; one that is no number is left to hyper.
    length: Option<u64>,
    number: u64,
    both: u64,
}

impl Follower {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.place != Place::Lost {
            if let Place::Data(left) = self.place {
                let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                bytes = &bytes[here..];
                self.place = self.after_data(left - here as u64);
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.line.extend_from_slice(part);
            bytes = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.place = self.after_line(line.trim_ascii_end());
            }
        }
    }

    fn after_data(&self, left: u64) -> Place {
        match (left, self.chunked) {
            (0, true) => Place::ChunkEnd,
            (0, false) => Place::Start,
            _ => Place::Data(left),
        }
    }

    fn after_line(&mut self, line: &[u8]) -> Place {
        match (self.place, line.is_empty()) {
            (Place::Start, false) => {
                (self.chunked, self.length) = (false, None);
                self.number += 1;
                Place::Header
            }
            (Place::Header, false) => {
                self.header(line);
                Place::Header
            }
            (Place::Header, true) => self.after_head(),
            (Place::ChunkSize, _) => match chunk_size(line) {
                Some(0) => Place::Trailer,
                Some(size) => Place::Data(size),
                None => Place::Lost,
            },
            (Place::ChunkEnd, true) => Place::ChunkSize,
            (Place::Trailer, true) => Place::Start,
            (Place::ChunkEnd, false) => Place::Lost,
            (place, _) => place,
        }
    }

    fn header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.length = Some(number.unwrap_or_default());
        }
    }

    fn after_head(&mut self) -> Place {
        match (self.chunked, self.length) {
            (true, Some(_)) => {
                self.both = self.number;
                Place::Lost
            }
            (true, None) => Place::ChunkSize,
            (false, Some(length)) => self.after_data(length),
            (false, None) => Place::Start,
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}
