//! A server in a process of its own, an upstream that answers as told, and plain HTTP to talk to both.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

/// `fuseboard serve`, killed when dropped.
pub(crate) struct Serving {
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// What it logged before it served.
    pub(crate) log: String,
    /// The pipe ends when the server does and this is gone.
    stderr: Option<PipeWriter>,
    reader: BufReader<PipeReader>,
    child: Child,
}

impl Serving {
    /// Starts it with the folder for data, and waits until it serves.
    pub(crate) fn start(folder: &TempDir, upstreams_and_routes: &str) -> Self {
        let file = folder.path().join("fuseboard.toml");
        let server = "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
        let data = format!("data = {:?}\n", folder.path().join("data"));
        std::fs::write(&file, format!("{server}{data}{upstreams_and_routes}")).unwrap();
        let (reader, stderr) = std::io::pipe().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_fuseboard"))
            .args(["serve", "--config"])
            .arg(file)
            .env("FUSEBOARD_LOG", "info")
            .stdin(Stdio::null())
            .stderr(stderr.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(reader);
        let mut log = String::new();
        while !log.contains("fuseboard serves") {
            assert_ne!(reader.read_line(&mut log).unwrap(), 0, "it ended:\n{log}");
            // This end of the pipe is open here, too: a server that ended does not end it.
            assert!(!log.starts_with("fuseboard: "), "{:?}: {log}", child.wait());
        }
        let address = |name: &str| {
            let after = log.split(&format!("{name}=")).nth(1).unwrap();
            after.split_whitespace().next().unwrap().parse().unwrap()
        };
        let (gateway, admin) = (address("gateway"), address("admin"));
        Serving { gateway, admin, log, stderr: Some(stderr), reader, child }
    }

    /// The writing end of the pipe that it logs to.
    pub(crate) fn stderr(&self) -> PipeWriter {
        self.stderr.as_ref().unwrap().try_clone().unwrap()
    }

    /// SIGTERM: whether it ended with 0 within 10 s.
    pub(crate) fn stops(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        for _ in 0..1000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code() == Some(0);
            }
            thread::sleep(Duration::from_millis(10)); // waits for: the server to exit
        }
        false
    }

    /// Stops it; what it logged from when it served until its end.
    pub(crate) fn stop_and_read(mut self) -> String {
        assert!(self.stops());
        self.stderr = None;
        let mut rest = String::new();
        self.reader.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request with a body and reads the whole answer.
pub(crate) fn http(address: SocketAddr, request: &str, body: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = body.as_ref();
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// An upstream that answers its first requests with these statuses, and all later ones with the last.
pub(crate) fn upstream(statuses: &'static [u16]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let last = statuses.last().unwrap();
        for status in statuses.iter().chain(std::iter::repeat(last)) {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap() == 0 {
                    break;
                }
            }
            // These bodies are short enough to be read with the head or not at all.
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    address
}
