//! Where copies stand in the order in which they leave, for other processes and for the next start.
//!
//! A table of our own in the index: the original takes no notice of it, and it may be dropped at any time. Every
//! change has a number that grows, so that a process reads what the others did and nothing else.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::eviction::{MOST_USES, Place, Standing};
use super::rows::Change;
use crate::domain::ImageId;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS glance_standings (
        image_id TEXT PRIMARY KEY,
        place INTEGER NOT NULL,
        uses INTEGER NOT NULL,
        since INTEGER NOT NULL,
        used INTEGER NOT NULL,
        size INTEGER NOT NULL,
        life REAL,
        turn INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS glance_standings_turn ON glance_standings (turn);
";

/// What is written down of a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    pub standing: Standing,
    /// How long it may stay unused, where that is its own.
    pub life: Option<Duration>,
}

/// Makes the table where it is missing.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
}

/// Forgets a copy that is not there any more.
pub fn forget(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM glance_standings WHERE image_id = ? AND place < 2")?
        .execute([name])
        .map(drop)
}

/// What changed after the change of this number, and the number of the last one.
pub fn since(
    connection: &Connection,
    turn: i64,
) -> rusqlite::Result<(Vec<(ImageId, Stored)>, i64)> {
    let known = "SELECT 1 FROM sqlite_schema WHERE name = 'glance_standings'";
    let known = connection.prepare_cached(known)?.exists([])?;
    if !known {
        return Ok((Vec::new(), 0));
    }
    let newest = "SELECT coalesce(max(turn), 0) FROM glance_standings";
    let newest: i64 = connection
        .prepare_cached(newest)?
        .query_row([], |row| row.get(0))?;
    // An index that was made anew begins to count anew.
    let turn = if newest < turn { 0 } else { turn };
    let mut statement = connection.prepare_cached(
        "SELECT image_id, place, uses, since, used, size, life, turn
         FROM glance_standings WHERE turn > ? ORDER BY turn",
    )?;
    let mut rows = statement.query([turn])?;
    let (mut changed, mut last) = (Vec::new(), turn);
    while let Some(row) = rows.next()? {
        last = row.get(7)?;
        let name: String = row.get(0)?;
        let Ok(id) = name.parse() else {
            continue;
        };
        let place = match row.get(1)? {
            0_i64 => Place::Trial,
            1 => Place::Kept,
            _ => Place::Left,
        };
        let standing = Standing {
            place,
            uses: row.get::<_, u8>(2)?.min(MOST_USES),
            since: row.get(3)?,
            used: row.get(4)?,
            size: row.get::<_, i64>(5)?.try_into().unwrap_or(0),
        };
        let life: Option<f64> = row.get(6)?;
        let life = life.and_then(|life| Duration::try_from_secs_f64(life).ok());
        changed.push((id, Stored { standing, life }));
    }
    Ok((changed, last))
}

/// Writes down where a copy stands now. Of one that is not here nothing is kept but that it left.
pub fn write(
    connection: &Connection,
    id: ImageId,
    change: &Change,
    here: bool,
) -> rusqlite::Result<()> {
    let left = |standing: &Standing| standing.place == Place::Left;
    let Some(standing) = change.standing.filter(|standing| here || left(standing)) else {
        if !here {
            connection
                .prepare_cached("DELETE FROM glance_standings WHERE image_id = ?")?
                .execute([id.as_str()])?;
        }
        return Ok(());
    };
    let turn = "SELECT coalesce(max(turn), 0) + 1 FROM glance_standings";
    let turn: i64 = connection
        .prepare_cached(turn)?
        .query_row([], |row| row.get(0))?;
    let known = "SELECT since, uses FROM glance_standings WHERE image_id = ?";
    let known: Option<(i64, u8)> = connection
        .prepare_cached(known)?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Uses of several processes add up while the copy keeps its place.
    let uses = match known {
        Some((since, _)) if since > standing.since => return Ok(()),
        Some((since, uses)) if since == standing.since => {
            let hits = u8::try_from(change.hits).unwrap_or(MOST_USES);
            uses.saturating_add(hits).min(MOST_USES)
        }
        _ => standing.uses,
    };
    let place = match standing.place {
        Place::Trial => 0,
        Place::Kept => 1,
        Place::Left => 2,
    };
    let size = i64::try_from(standing.size).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO glance_standings (image_id, place, uses, since, used, size, life, turn)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (image_id) DO UPDATE SET
                 place = ?2, uses = ?3, since = ?4, used = max(used, ?5), size = ?6,
                 life = CASE WHEN ?9 THEN ?7 ELSE life END, turn = ?8",
        )?
        .execute(params![
            id.as_str(),
            place,
            uses,
            standing.since,
            standing.used,
            size,
            change
                .life
                .and_then(|life| life.0)
                .map(|life| life.as_secs_f64()),
            turn,
            change.life.is_some(),
        ])?;
    Ok(())
}
