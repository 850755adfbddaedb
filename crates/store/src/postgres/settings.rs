//! Settings in PostgreSQL.

use fuseboard_core::time::WallTime;
use futures_util::future::join;

use super::Postgres;
use super::audit::Entries;
use super::fault::Fault;
use super::pool::{Errand, Visit};
use super::row::{Read, integer};
use super::session;
use super::text::escape;
use crate::audit::By;
use crate::change;
use crate::error::StoreError;
use crate::letters::Answering;
use crate::settings::{Setting, Settings};

const ALL: &str = "SELECT * FROM settings ORDER BY name";

const HELD: &str = "SELECT * FROM settings WHERE name = $1 FOR UPDATE";

// Where nobody holds the row because there was none, another may have made it meanwhile.
const SET: &str = "
INSERT INTO settings (name, value, revision, actor, reason, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, revision = excluded.revision, actor = excluded.actor,
    reason = excluded.reason, at = excluded.at
WHERE settings.revision = excluded.revision - 1";

pub(crate) const STATEMENTS: &[&str] = &[ALL, HELD, SET];

struct All;

impl Errand for All {
    type Answer = Vec<Setting>;

    const READS: bool = true;

    async fn run(&self, visit: &Visit<'_>) -> Result<Vec<Setting>, Fault> {
        let rows = visit.session.rows(ALL, &[]).await?;
        rows.iter().map(|row| setting(Read { row, offset: visit.offset })).collect()
    }
}

fn setting(read: Read<'_>) -> Result<Setting, Fault> {
    Ok(Setting {
        name: read.text("name")?,
        value: read.text("value")?,
        revision: read.natural("revision")?,
        actor: read.text("actor")?,
        reason: read.text("reason")?,
        at: read.time("at")?,
    })
}

/// What a setting is to become, if it is at the revision before.
struct Set(Setting);

impl Errand for Set {
    type Answer = Setting;

    const READS: bool = false;

    async fn run(&self, visit: &Visit<'_>) -> Result<Setting, Fault> {
        let after = &self.0;
        let name = escape(&after.name);
        let (begun, rows) = join(visit.begin(), visit.session.rows(HELD, &[&name])).await;
        begun?;
        let before = rows?.first().map(|row| setting(Read { row, offset: visit.offset }));
        let before = before.transpose()?;
        let current = before.as_ref().map_or(0, |setting| setting.revision);
        if current + 1 != after.revision {
            let (name, seen) = (after.name.clone(), after.revision - 1);
            return Err(StoreError::Outdated { name, seen, current }.into());
        }
        let texts = [&after.value, &after.actor, &after.reason].map(|text| escape(text));
        let [value, actor, reason] = &texts;
        let (revision, at) = (integer(after.revision), visit.offset.stored(after.at));
        let with: session::Parameters<'_> = &[&name, value, &revision, actor, reason, &at];
        if visit.session.run(SET, with).await? == 0 {
            return Err(Fault::Again);
        }
        let entry = change::audit_of_setting(before.as_ref(), after);
        let entries = Entries::of(&[entry], visit.offset);
        let recorded = session::all(entries.send(visit.session).into_iter().collect());
        let (recorded, committed) = join(recorded, visit.commit()).await;
        recorded?;
        committed?;
        Ok(after.clone())
    }
}

impl Settings for Postgres {
    fn settings(&self) -> Answering<'_, Vec<Setting>> {
        self.errand(All)
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
        let revision = seen.saturating_add(1);
        self.errand(Set(Setting { name, value, revision, actor, reason, at: now }))
    }
}
