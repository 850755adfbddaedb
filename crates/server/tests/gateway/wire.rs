//! HTTP/1.1 as bytes: what both ends of these tests write and read exactly.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Whoever waits longer than this for the other side has found a defect.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One end of a connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request's or an answer's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start: String,
    /// As they came: names in their own case, values without the spaces around them.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Exactly(usize),
    Chunked,
    UntilClosed,
}

/// A body, and whether it came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) whole: bool,
}

/// What a caller got.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Head {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
        let start = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        let pairs = lines.filter(|line| !line.is_empty()).map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let name = String::from_utf8_lossy(&line[..colon]).into_owned();
            (name, line[colon + 1..].trim_ascii().to_vec())
        });
        Head { start, headers: pairs.collect() }
    }

    /// Every value of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        let wanted = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        wanted.map(|(_, value)| value.as_slice()).collect()
    }

    /// A header that is there at most once.
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is there more than once: {self:?}");
        all.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// How the body of a message with this head is framed; `bare` is how it is where nothing says so.
    pub(crate) fn framing(&self, bare: Framing) -> Framing {
        if self.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            return Framing::Chunked;
        }
        self.get("content-length").map_or(bare, |text| Framing::Exactly(text.parse().unwrap()))
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.head.get(name)
    }
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Wire {
        Wire::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        Wire { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.expect("it takes bytes")
    }

    /// Says that nothing more comes.
    pub(crate) async fn finish(&mut self) {
        self.try_finish().await.unwrap();
    }

    pub(crate) async fn try_finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// From now on closing it is a reset.
    pub(crate) fn will_reset(&self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Reads what is there; `false` at the end, also if that is a reset.
    async fn fill(&mut self) -> bool {
        let reading = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        reading.expect("the other side says something").is_ok_and(|read| read > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.buffer.drain(..length).collect()
    }

    /// The next head; `None` if the connection ends first.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                return Some(Head::parse(&self.take(end + 4)));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// At least one byte and at most `most`; nothing at the end.
    pub(crate) async fn some(&mut self, most: usize) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.fill().await;
        }
        self.take(most.min(self.buffer.len()))
    }

    async fn exactly(&mut self, length: usize, body: &mut Body) {
        while self.buffer.len() < length {
            if !self.fill().await {
                let rest = self.buffer.len();
                body.bytes.extend(self.take(rest));
                body.whole = false;
                return;
            }
        }
        body.bytes.extend(self.take(length));
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.take(end + 1);
                return Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    pub(crate) async fn body(&mut self, framing: Framing) -> Body {
        let mut body = Body { bytes: Vec::new(), whole: true };
        match framing {
            Framing::Exactly(length) => self.exactly(length, &mut body).await,
            Framing::Chunked => body.whole = self.chunks(&mut body).await.is_some(),
            Framing::UntilClosed => body.bytes = self.rest().await,
        }
        body
    }

    async fn chunks(&mut self, body: &mut Body) -> Option<()> {
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            self.exactly(size, body).await;
            if !body.whole || !self.line().await?.is_empty() {
                return None;
            }
            if size == 0 {
                return Some(());
            }
        }
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// The answer to a request that was no `HEAD`; `None` if the connection ends first.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    /// The answer to a request of this method, after any interim ones.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        loop {
            let head = self.head().await?;
            let status = head.start.split(' ').nth(1).unwrap().parse().unwrap();
            let framing = match (method, status) {
                (_, 100) => continue,
                ("HEAD", _) | (_, 101 | 204 | 304) => Framing::Exactly(0),
                _ => head.framing(Framing::UntilClosed),
            };
            let Body { bytes, whole } = self.body(framing).await;
            return Some(Answer { status, head, body: bytes, whole });
        }
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await.expect("there is an answer")
    }
}
