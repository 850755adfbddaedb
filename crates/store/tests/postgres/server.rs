//! A real PostgreSQL server of the tests' own, which ends with the tests, however they end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fuseboard_store::{Postgres, PostgresOptions, conformance};

/// Waits for its standard input to end, which it does when this process does; then stops the server and removes
/// everything. Lines that come before that are signals to send to all of the server's processes, and are answered.
const KEEPER: &str = r#"
folder=$1; user=$2; bin=$3; port=$4
run() {
    # Again and again: right after a kill the memory of the one before may still be in use.
    while [ ! -e "$folder/end" ]; do
        [ -e "$folder/down" ] || (
            as_user "$bin/postgres" -D "$folder/data" -p "$port" -k "$folder" -c listen_addresses=127.0.0.1 \
                -c max_connections=100 $(cat "$folder/options")
        )
        sleep 0.1
    done
}
as_user() {
    if [ -n "$user" ]; then exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; else exec "$@"; fi
}
first() { head -n 1 "$folder/data/postmaster.pid"; }
# The first one by itself, so that it has no more children by the time they are counted.
everyone() { pid=$(first); kill -"$1" "$pid"; kill -"$1" $(pgrep -P "$pid"); }
exec 2>>"$folder/log"
run >&2 </dev/null &
while read -r line; do
    case $line in
        start) rm "$folder/down" ;;
        KILL) touch "$folder/down"; pid=$(first); kill -STOP "$pid"; kill -KILL $(pgrep -P "$pid") "$pid" ;;
        *) everyone "$line" ;;
    esac
    echo "$line"
done
touch "$folder/end"
everyone CONT
kill -QUIT "$(first)"
wait
rm -rf "$folder"
"#;

pub(crate) struct Server {
    port: u16,
    folder: PathBuf,
    keeper: Child,
}

impl Server {
    /// A new server with `options` on its command line.
    pub(crate) fn start(options: &str) -> Self {
        Self::start_with(options, &[])
    }

    /// A new server that owns `files`, too.
    pub(crate) fn start_with(options: &str, files: &[&str]) -> Self {
        Self::make(options, files, initialise)
    }

    /// A server that follows this one, as its standby, until it is told to take over.
    pub(crate) fn standby(&self) -> Self {
        Self::make("", &[], |bin, folder, user| {
            let mut copy = as_user(user, bin.join("pg_basebackup"));
            copy.arg("-D").arg(folder.join("data"));
            copy.args(["-R", "--checkpoint=fast", "--no-sync", "-d", &self.url()]);
            let done = copy.output().expect("pg_basebackup runs");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        })
    }

    fn make(options: &str, files: &[&str], fill: impl FnOnce(&Path, &Path, Option<&str>)) -> Self {
        let bin = binaries();
        let folder =
            std::env::temp_dir().join(format!("fuseboard-{}-{}", std::process::id(), next()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("options"), options).unwrap();
        let user = unprivileged(&folder, files);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fill(&bin, &folder, user);
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .args([user.unwrap_or_default(), bin.to_str().unwrap(), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Server { port, folder, keeper };
        server.wait_until_ready();
        server
    }

    /// The server that the tests of this process share.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::start(""))
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres:secret@127.0.0.1:{}/postgres", self.port)
    }

    /// As it is found in a file system.
    pub(crate) fn url_of_its_socket(&self) -> String {
        let folder = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgresql://postgres:secret@{folder}:{}/postgres", self.port)
    }

    /// As it is found by who knows two places of which it may be at.
    pub(crate) fn url_after(&self, other: std::net::SocketAddr) -> String {
        self.url().replace('@', &format!("@{other},"))
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Options for a store in a schema that no other test has.
    pub(crate) fn options(&self) -> PostgresOptions {
        let schema = format!("test_{}", next());
        PostgresOptions { rules: conformance::rules(), schema, ..PostgresOptions::new(self.url()) }
    }

    /// A store in a schema that no other test has.
    pub(crate) async fn empty(&self) -> Postgres {
        Postgres::open(self.options()).await.unwrap()
    }

    /// A plain connection.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        let url = self.url();
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Sends a signal to every process of the server, or starts it again with `start`.
    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{what}").unwrap();
        let (mut answer, mut expected) = (vec![0; what.len() + 1], what.as_bytes().to_vec());
        self.keeper.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        expected.push(b'\n');
        assert_eq!(answer, expected);
    }

    pub(crate) fn restart(&mut self) {
        self.tell("start");
        self.wait_until_ready();
    }

    pub(crate) fn wait_until_ready(&self) {
        let begun = Instant::now();
        let (runtime, url) = (tokio::runtime::Builder::new_current_thread(), self.url());
        let ready = move || {
            let mut runtime = runtime;
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                while tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err() {
                    assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
                    tokio::time::sleep(Duration::from_millis(50)).await; // waits for: the server to start
                }
            });
        };
        // On a thread of its own, since the caller may be inside a runtime.
        std::thread::scope(|scope| scope.spawn(ready).join()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}

fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn as_user(user: Option<&str>, program: PathBuf) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(program);
    command
}

fn initialise(bin: &Path, folder: &Path, user: Option<&str>) {
    let mut command = as_user(user, bin.join("initdb"));
    let password = folder.join("password");
    std::fs::write(&password, "secret").unwrap();
    command.arg("-D").arg(folder.join("data")).arg("--pwfile").arg(&password).args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]);
    let done = command.output().expect("initdb runs");
    assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
}

/// The user to run the server as, and `folder` and `files` made theirs: PostgreSQL does not run as root.
fn unprivileged(folder: &Path, files: &[&str]) -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let exists = |user: &&str| Command::new("id").arg(user).output().unwrap().status.success();
    let user = ["postgres", "nobody"].into_iter().find(exists).expect("a user that is not root");
    let mut chown = Command::new("chown");
    assert!(chown.arg(user).arg(folder).args(files).status().unwrap().success());
    Some(user)
}

/// The folder of the server's programs: in `PATH`, or where Debian has them.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let needed = ["initdb", "postgres", "pg_basebackup"];
    let has_all = |folder: &PathBuf| needed.iter().all(|name| folder.join(name).exists());
    let found = folders.into_iter().find(has_all);
    found.expect("these tests need PostgreSQL's programs (initdb, postgres, pg_basebackup): install `postgresql`")
}
