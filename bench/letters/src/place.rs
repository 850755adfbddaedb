//! Where it is measured: a folder on one disk, and a PostgreSQL server beside it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fuseboard_bench_common::setting;
use fuseboard_store::{Letters, Postgres, PostgresOptions, Sqlite, SqliteOptions};
use tempfile::TempDir;

use crate::drive::Failure;
use crate::queue;
use crate::server::Server;

/// Room for the largest tables' upper part, and no checkpoint within a sample. All else is as PostgreSQL comes.
const SERVER_OPTIONS: &str = "-c shared_buffers=512MB -c max_wal_size=4GB";

/// The settings that the report tells.
const TOLD: [&str; 7] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "autovacuum",
];

/// What keeps letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const ALL: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }
}

pub(crate) struct Place {
    pub(crate) server: Server,
    folder: TempDir,
}

/// What the report says of the place.
pub(crate) struct Setting {
    pub(crate) load_before: String,
    pub(crate) file_system: String,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: String,
    pub(crate) postgres_settings: Vec<String>,
    /// The version of the rival.
    pub(crate) queue: String,
}

impl Place {
    /// A new folder and a new server, both in the folder for temporary files.
    pub(crate) async fn prepare() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("fuseboard-bench-").tempdir()?;
        let server = tokio::task::spawn_blocking(|| Server::start(SERVER_OPTIONS)).await?;
        Ok(Place { server, folder })
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// An empty store, which has this name to itself.
    pub(crate) async fn store(
        &self,
        engine: Engine,
        name: &str,
    ) -> Result<Arc<dyn Letters>, Failure> {
        Ok(match engine {
            Engine::Sqlite => {
                let options = SqliteOptions::new(self.path(name));
                Arc::new(tokio::task::spawn_blocking(|| Sqlite::open(options)).await??)
            }
            Engine::Postgres => {
                let url = self.server.url();
                let options =
                    PostgresOptions { schema: name.to_owned(), ..PostgresOptions::new(url) };
                Arc::new(Postgres::open(options).await?)
            }
        })
    }

    /// How many bytes the store of this name has on disk.
    pub(crate) async fn bytes(&self, engine: Engine, name: &str) -> Result<u64, Failure> {
        match engine {
            Engine::Sqlite => {
                let files = fs::read_dir(self.path(name))?;
                Ok(files.map(|file| Ok(file?.metadata()?.len())).sum::<std::io::Result<u64>>()?)
            }
            Engine::Postgres => {
                let size = "SELECT SUM(pg_total_relation_size(oid))::bigint FROM pg_class
                            WHERE relkind = 'r' AND relnamespace = $1::text::regnamespace";
                let row = self.server.client().await.query_one(size, &[&name]).await?;
                Ok(u64::try_from(row.get::<_, i64>(0))?)
            }
        }
    }

    /// Gives the disk back what the closed store of this name has there, where others could do with the room.
    pub(crate) fn forget(&self, engine: Engine, name: &str) -> Result<(), Failure> {
        match engine {
            Engine::Sqlite => Ok(fs::remove_dir_all(self.path(name))?),
            // It goes with the server, which is the last to be measured.
            Engine::Postgres => Ok(()),
        }
    }

    /// Has what was written so far moved to where it belongs, so that nobody pays for it later.
    pub(crate) async fn settle_down(&self) -> Result<(), Failure> {
        self.server.client().await.batch_execute("VACUUM ANALYZE").await?;
        Ok(self.server.client().await.batch_execute("CHECKPOINT").await?)
    }

    pub(crate) async fn setting(&self, load_before: String) -> Result<Setting, Failure> {
        let client = self.server.client().await;
        let version: String = client.query_one("SHOW server_version", &[]).await?.get(0);
        let mut settings = Vec::new();
        for name in TOLD {
            let value: String = client.query_one(&format!("SHOW {name}"), &[]).await?.get(0);
            settings.push(format!("{name} {value}"));
        }
        Ok(Setting {
            load_before,
            file_system: file_system(self.folder.path()),
            sqlite: rusqlite::version(),
            postgres: version,
            postgres_settings: settings,
            queue: queue::version()?,
        })
    }
}

/// The kind of file system that `path` is on.
fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        Some((words.next()?, words.next()?))
    });
    let of_path = mounts.filter(|(folder, _)| path.starts_with(folder));
    let nearest = of_path.max_by_key(|(folder, _)| folder.len());
    nearest.map_or_else(|| setting::UNKNOWN.to_owned(), |(_, kind)| kind.to_owned())
}
