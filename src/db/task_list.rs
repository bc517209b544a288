//! Pages of tasks.

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row as _};

use super::dialect::{self, Engine, Row, Stamp};
use super::{Db, Error, Result};
use crate::domain::task_stub::{TaskListing, TaskStub};

const STUB: &str = "id, type, status, owner, created_at, updated_at, expires_at";

impl Db {
    /// A page of tasks, `owner`'s alone where there is one given. None where there is no such marker.
    pub async fn task_stubs(
        &self,
        listing: &TaskListing,
        owner: Option<&str>,
        limit: u32,
    ) -> Result<Option<Vec<TaskStub>>> {
        let mut db = self.link.read().await?;
        if let Some(marker) = &listing.marker {
            let found = dialect::query("SELECT 1 FROM tasks WHERE id = ? AND NOT deleted")
                .bind(marker)
                .fetch_optional(&mut *db)
                .await?;
            if found.is_none() {
                return Ok(None);
            }
        }
        let mut sql = page(listing, owner);
        sql.push(" LIMIT ").push_bind(i64::from(limit));
        let rows = sql.build().fetch_all(&mut *db).await?;
        rows.iter().map(stub).collect::<Result<_>>().map(Some)
    }
}

/// Equals are in the order of time, and at one time in that of ids.
fn page<'l>(listing: &'l TaskListing, owner: Option<&'l str>) -> QueryBuilder<Engine> {
    let (key, id) = (listing.sort_key, "id");
    let (beyond, order) = if listing.descending {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    let mut sql = QueryBuilder::new(format!("SELECT {STUB} FROM tasks WHERE NOT deleted"));
    for (column, value) in &listing.equal {
        sql.push(format_args!(" AND {column} = "))
            .push_bind(value.clone());
    }
    if let Some(owner) = owner {
        sql.push(" AND owner = ").push_bind(owner.to_owned());
    }
    if let Some(marker) = &listing.marker {
        sql.push(format_args!(
            " AND (COALESCE({key}, ''), created_at, {id}) {beyond} \
             (SELECT COALESCE({key}, ''), created_at, {id} FROM tasks WHERE id = "
        ));
        sql.push_bind(marker.clone()).push(")");
    }
    sql.push(format_args!(
        " ORDER BY COALESCE({key}, '') {order}, created_at {order}, {id} {order}"
    ));
    sql
}

pub(super) fn stub(row: &Row) -> Result<TaskStub> {
    let created_at = time(row, "created_at")?.ok_or_else(|| no_time("created_at"))?;
    Ok(TaskStub {
        id: row.try_get("id")?,
        kind: row.try_get("type")?,
        status: row.try_get("status")?,
        owner: row.try_get("owner")?,
        created_at,
        updated_at: time(row, "updated_at")?.unwrap_or(created_at),
        expires_at: time(row, "expires_at")?,
    })
}

/// A column of `tasks` that may have a time.
pub(super) fn time(row: &Row, column: &str) -> Result<Option<DateTime<Utc>>> {
    let stamp: Option<Stamp> = row.try_get(column)?;
    let time = stamp.map(|stamp| dialect::time(&stamp).ok_or_else(|| no_time(column)));
    time.transpose()
}

fn no_time(column: &str) -> Error {
    Error::Inconsistent {
        table: "tasks",
        what: format!("{column}: not a time"),
    }
}
