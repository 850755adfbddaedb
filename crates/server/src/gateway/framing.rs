//! Sees in a caller's bytes what hyper does not tell: that a request came with a length and a transfer coding as well, and
//! how large its head is.
//!
//! A request with both means one thing to one server and another to the next. hyper decides for the coding, drops the
//! length and passes on what nobody sent. A head it measures by its own buffer, and only if that is full before the head
//! ends. So the bytes are followed on their way to hyper, and only as far as this needs; what is malformed is left to
//! hyper, which refuses it and closes the connection.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is wrong with a request although hyper takes it. None after it on its connection is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It has a length and a transfer coding.
    Both,
    /// Its head is too large.
    LargeHead,
}

/// A request of a connection by its number, counted from 1, and what is wrong with it.
type Flawed = (u64, Flaw);

/// What the stream of a connection and its service both know.
#[derive(Debug, Default)]
pub(super) struct Requests {
    served: AtomicU64,
    flawed: OnceLock<Flawed>,
}

impl Requests {
    /// What is wrong with the request that is being served now, and that was not asked for before.
    pub(super) fn next_flaw(&self) -> Option<Flaw> {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        self.flawed.get().filter(|flawed| flawed.0 == number).map(|flawed| flawed.1)
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
    /// Follows the requests on `stream`, whose heads should be no larger than `largest`.
    pub(super) fn new(stream: S, requests: Arc<Requests>, largest: usize) -> Self {
        Watched { stream, follower: Follower { largest, ..Follower::default() }, requests }
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
        if let Some(flawed) = self.follower.flawed {
            self.requests.flawed.get_or_init(|| flawed);
        }
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
    /// How much of the present head was read, and how much that may be.
    head: usize,
    largest: usize,
    /// The first request with a flaw.
    flawed: Option<Flawed>,
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
                let before = if self.place == Place::Header { self.head } else { 0 };
                self.head = before + line.len();
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
        if self.head > self.largest {
            return self.flaw(Flaw::LargeHead);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => self.flaw(Flaw::Both),
            (true, None) => Place::ChunkSize,
            (false, Some(length)) => self.after_data(length),
            (false, None) => Place::Start,
        }
    }

    fn flaw(&mut self, flaw: Flaw) -> Place {
        self.flawed = Some((self.number, flaw));
        Place::Lost
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}
