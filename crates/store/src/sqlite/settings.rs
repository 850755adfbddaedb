//! Settings in SQLite.

use fuseboard_core::time::WallTime;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::fault::Fault;
use super::row::{integer, natural, read, time};
use super::work::Work;
use crate::audit::By;
use crate::change;
use crate::error::StoreError;
use crate::letters::Answering;
use crate::settings::{Setting, Settings};

const SET: &str = "
INSERT INTO settings (name, value, revision, actor, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, revision = excluded.revision,
    actor = excluded.actor, reason = excluded.reason, at = excluded.at";

fn settings(connection: &Connection) -> Result<Vec<Setting>, Fault> {
    let mut statement = connection.prepare_cached("SELECT * FROM settings ORDER BY name")?;
    let settings = statement.query_map([], read_setting)?;
    Ok(settings.collect::<rusqlite::Result<_>>()?)
}

fn read_setting(row: &Row<'_>) -> rusqlite::Result<Setting> {
    Ok(Setting {
        name: row.get("name")?,
        value: row.get("value")?,
        revision: read(row, "revision", natural)?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
        at: time(row, "at")?,
    })
}

impl Work<'_> {
    fn change_setting(&self, after: &Setting) -> Result<Setting, Fault> {
        let before = self
            .connection
            .prepare_cached("SELECT * FROM settings WHERE name = ?1")?
            .query_row([&after.name], read_setting)
            .optional()?;
        let current = before.as_ref().map_or(0, |setting| setting.revision);
        if current + 1 != after.revision {
            let (name, seen) = (after.name.clone(), after.revision - 1);
            return Err(StoreError::Outdated { name, seen, current }.into());
        }
        self.connection.prepare_cached(SET)?.execute(params![
            after.name,
            after.value,
            integer(after.revision),
            after.actor,
            after.reason,
            after.at.as_unix_millis()
        ])?;
        self.record(&change::audit_of_setting(before.as_ref(), after))?;
        Ok(after.clone())
    }
}

impl Settings for Sqlite {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.read(settings)
    }

    fn change_setting(
        &self,
        name: String,
        value: String,
        seen: u64,
        by: By,
        now: WallTime,
    ) -> Answering<'_, Setting> {
        let By { actor, reason } = by;
        let after =
            Setting { name, value, revision: seen.saturating_add(1), actor, reason, at: now };
        self.write(move |work| work.change_setting(&after))
    }
}
