//! Making the schema where there is none.
//!
//! The original keeps its own record of the schema's age, `alembic_version`, and its tools act on it. That
//! record is the only one we write: a second, beside it, would sooner or later contradict it. So there are two
//! cases. An empty database gets all of the schema, in one transaction. Any other is the original's and stays
//! as it is; whether it is of an age that we know is for the operator to hear.

use super::Result;
use super::dialect::{BEGIN_WRITE, COUNT_TABLES, Connection, MIGRATIONS};
use sqlx::Connection as _;

/// The revision of the schema that this service was built on.
const REVISION: &str = "2024_1_contract01";

/// Makes the schema in an empty database, once, however many processes want to.
pub async fn run(db: &mut Connection) -> Result<()> {
    if has_tables(db).await? {
        return check(db).await;
    }
    let mut write = db.begin_with(BEGIN_WRITE).await?;
    if !has_tables(&mut write).await? {
        for migration in MIGRATIONS {
            sqlx::raw_sql(migration).execute(&mut *write).await?;
        }
    }
    Ok(write.commit().await?)
}

async fn has_tables(db: &mut Connection) -> Result<bool> {
    let tables: i64 = sqlx::query_scalar(COUNT_TABLES).fetch_one(db).await?;
    Ok(tables > 0)
}

async fn check(db: &mut Connection) -> Result<()> {
    let revision: Option<String> = sqlx::query_scalar("SELECT version_num FROM alembic_version")
        .fetch_optional(db)
        .await?;
    if revision.as_deref() != Some(REVISION) {
        tracing::warn!(
            revision,
            expected = REVISION,
            "the database has another revision of the schema than this service knows"
        );
    }
    Ok(())
}
