//! Pages of tasks.

use super::dialect::{Row, Statement, query};
use super::{Db, Result};
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
            let found = query("SELECT id FROM tasks WHERE id = ? AND NOT deleted")
                .bind(marker)
                .fetch_optional(&mut db)
                .await?;
            if found.is_none() {
                return Ok(None);
            }
        }
        let mut sql = page(listing, owner);
        sql.push(" LIMIT ").push_bind(limit);
        let rows = sql.fetch_all(&mut db).await?;
        rows.iter().map(stub).collect::<Result<_>>().map(Some)
    }
}

/// Equals are in the order of time, and at one time in that of ids.
fn page(listing: &TaskListing, owner: Option<&str>) -> Statement {
    let (beyond, order) = if listing.descending {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    // What some tasks do not have is less than anything.
    let key = match listing.sort_key {
        key @ ("image_id" | "request_id" | "user_id") => format!("COALESCE({key}, '')"),
        key @ ("updated_at" | "expires_at" | "deleted_at") => {
            format!("COALESCE({key}, '1970-01-01 00:00:00')")
        }
        key => key.to_owned(),
    };
    let mut sql = query(format!("SELECT {STUB} FROM tasks WHERE NOT deleted"));
    for (column, value) in &listing.equal {
        sql.push(format!(" AND {column} = ")).push_bind(value);
    }
    if let Some(owner) = owner {
        sql.push(" AND owner = ").push_bind(owner);
    }
    if let Some(marker) = &listing.marker {
        sql.push(format!(
            " AND ({key}, created_at, id) {beyond} \
             (SELECT {key}, created_at, id FROM tasks WHERE id = "
        ));
        sql.push_bind(marker).push(")");
    }
    sql.push(format!(
        " ORDER BY {key} {order}, created_at {order}, id {order}"
    ));
    sql
}

/// What a list says of a task.
pub fn stub(row: &Row) -> Result<TaskStub> {
    let created_at = row.get("created_at")?;
    Ok(TaskStub {
        id: row.get("id")?,
        kind: row.get("type")?,
        status: row.get("status")?,
        owner: row.get("owner")?,
        created_at,
        updated_at: row.get::<Option<_>>("updated_at")?.unwrap_or(created_at),
        expires_at: row.get("expires_at")?,
    })
}
