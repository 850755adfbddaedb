//! A tiny HTTP server that answers as it is told, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// What a client sent.
#[derive(Debug)]
pub(super) struct Request {
    /// Request line and headers.
    pub(super) head: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What a client gets.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A status, and headers each with their line end.
    Status(u16, &'static str),
    /// The connection is closed without an answer.
    HangUp,
    /// Bytes that are no HTTP and no TLS.
    Garbage,
}

pub(super) struct Server {
    pub(super) url: String,
    /// Each request, as soon as it is read and before it is answered.
    requests: Receiver<Request>,
}

impl Server {
    /// Answers each request with what `reply` says; that may take its time.
    pub(super) fn start(mut reply: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (heard, requests) = channel();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let reply_to = Request { head: request.head.clone(), body: request.body.clone() };
                let _ = heard.send(request);
                write(&mut stream, &reply(&reply_to));
            }
        });
        Server { url, requests }
    }

    /// The next request.
    pub(super) fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).expect("a request arrives")
    }

    /// The requests that arrived so far.
    pub(super) fn so_far(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: String::from_utf8(body).unwrap() })
}

fn write(stream: &mut TcpStream, reply: &Reply) {
    // The client may have gone.
    let _ = match reply {
        Reply::Status(status, headers) => write!(
            stream,
            "HTTP/1.1 {status} Word\r\n{headers}connection: close\r\ncontent-length: 4\r\n\r\nwhy?"
        ),
        Reply::HangUp => Ok(()),
        Reply::Garbage => stream.write_all(b"what is this?\r\n\r\n"),
    };
}
