//! What nodes tell each other of their caches: a row for each copy, as the original's cache driver
//! `centralized_db` keeps them. They are told, not asked: what a node has, its directory decides.

use chrono::{DateTime, Utc};

use super::dialect::{BIGINT, Connection, List, Row, query};
use super::{Db, Error, Result};
use crate::domain::ImageId;

/// Rows of one statement, so that its values are no more than any engine takes.
const BATCH: usize = 500;

/// A node, and what it told that it has: how many copies, of how many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    pub name: String,
    pub copies: u64,
    pub bytes: u64,
}

/// A copy of an image, as its node told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRow {
    pub id: ImageId,
    pub size: u64,
    pub hits: u64,
    pub last_accessed: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

impl Db {
    /// The number of the node that calls itself `name`. It gets one where it has none.
    pub async fn node(&self, name: &str) -> Result<i64> {
        let made = self
            .link
            .write(move |mut db| async move {
                if let Some(number) = number(&mut db, name).await? {
                    return Ok(number);
                }
                query("INSERT INTO node_reference (node_reference_url) VALUES (?)")
                    .bind(name)
                    .execute(&mut db)
                    .await?;
                let number = number(&mut db, name).await?;
                let number =
                    number.ok_or_else(|| Error::Failed(format!("no number for {name}")))?;
                db.commit_with(number).await
            })
            .await;
        match made {
            // Another process of the node was quicker.
            Err(Error::Taken(why)) => {
                let mut db = self.link.read().await?;
                number(&mut db, name).await?.ok_or(Error::Failed(why))
            }
            made => made,
        }
    }

    /// The number of a node that calls itself `name`. None where it has never told anything.
    pub async fn number_of(&self, name: &str) -> Result<Option<i64>> {
        let mut db = self.link.read().await?;
        number(&mut db, name).await
    }

    /// What the rows say that a node has.
    pub async fn copies_of(&self, node: i64) -> Result<Vec<CopyRow>> {
        let mut db = self.link.read().await?;
        query(
            "SELECT image_id, size, hits, last_accessed, last_modified FROM cached_images \
             WHERE node_reference_id = ?",
        )
        .bind(node)
        .fetch_all(&mut db)
        .await?
        .iter()
        .map(copy)
        .collect()
    }

    /// Makes the rows of a node say that it has `there` and has no more of `gone`.
    pub async fn tell_copies(&self, node: i64, there: &[CopyRow], gone: &[ImageId]) -> Result<()> {
        self.link
            .write(move |mut db| async move {
                let outdated: Vec<&str> = (there.iter().map(|copy| &copy.id))
                    .chain(gone)
                    .map(ImageId::as_str)
                    .collect();
                for ids in outdated.chunks(BATCH) {
                    query(
                        "DELETE FROM cached_images WHERE node_reference_id = ? AND image_id IN ?",
                    )
                    .bind(node)
                    .bind(List::texts(ids))
                    .execute(&mut db)
                    .await?;
                }
                for copies in there.chunks(BATCH) {
                    insert(&mut db, node, copies).await?;
                }
                db.commit_with(()).await
            })
            .await
    }

    /// All nodes that have ever told anything, sorted by name.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>> {
        let mut db = self.link.read().await?;
        query(
            "SELECT n.node_reference_url AS name, COUNT(c.id) AS copies, \
             CAST(COALESCE(SUM(c.size), 0) AS ",
        )
        .then(BIGINT)
        .then(
            ") AS bytes FROM node_reference AS n \
             LEFT JOIN cached_images AS c ON c.node_reference_id = n.node_reference_id \
             GROUP BY n.node_reference_url ORDER BY n.node_reference_url",
        )
        .fetch_all(&mut db)
        .await?
        .iter()
        .map(node)
        .collect()
    }

    /// What all nodes are called, sorted.
    pub async fn node_names(&self) -> Result<Vec<String>> {
        let mut db = self.link.read().await?;
        query("SELECT node_reference_url AS name FROM node_reference ORDER BY node_reference_url")
            .fetch_all(&mut db)
            .await?
            .iter()
            .map(|row| row.get("name"))
            .collect()
    }

    /// The nodes that say they have a copy of the image, sorted.
    pub async fn nodes_with(&self, id: ImageId) -> Result<Vec<String>> {
        let mut db = self.link.read().await?;
        query(
            "SELECT n.node_reference_url AS name FROM cached_images AS c \
             JOIN node_reference AS n ON n.node_reference_id = c.node_reference_id \
             WHERE c.image_id = ? ORDER BY n.node_reference_url",
        )
        .bind(id)
        .fetch_all(&mut db)
        .await?
        .iter()
        .map(|row| row.get("name"))
        .collect()
    }
}

async fn number(db: &mut Connection, name: &str) -> Result<Option<i64>> {
    let row = query(
        "SELECT node_reference_id AS number FROM node_reference WHERE node_reference_url = ?",
    )
    .bind(name)
    .fetch_optional(db)
    .await?;
    row.map(|row| row.get("number")).transpose()
}

async fn insert(db: &mut Connection, node: i64, copies: &[CopyRow]) -> Result<()> {
    let rows = copies.iter().map(|copy| {
        [
            node.into(),
            copy.id.into(),
            i64::try_from(copy.size).unwrap_or(i64::MAX).into(),
            // The column is 32 bits wide in two of the engines.
            i64::from(i32::try_from(copy.hits).unwrap_or(i32::MAX)).into(),
            copy.last_accessed.into(),
            copy.last_modified.into(),
        ]
    });
    query(
        "INSERT INTO cached_images \
         (node_reference_id, image_id, size, hits, last_accessed, last_modified) VALUES ",
    )
    .rows(rows)
    .execute(db)
    .await?;
    Ok(())
}

fn node(row: &Row) -> Result<NodeRow> {
    Ok(NodeRow {
        name: row.get("name")?,
        copies: natural(row, "copies")?,
        bytes: natural(row, "bytes")?,
    })
}

fn copy(row: &Row) -> Result<CopyRow> {
    let id: String = row.get("image_id")?;
    Ok(CopyRow {
        id: id.parse().map_err(|_| wrong("image_id"))?,
        size: natural(row, "size")?,
        hits: natural(row, "hits")?,
        last_accessed: row.get("last_accessed")?,
        last_modified: row.get("last_modified")?,
    })
}

fn natural(row: &Row, column: &str) -> Result<u64> {
    u64::try_from(row.get::<i64>(column)?).map_err(|_| wrong(column))
}

fn wrong(what: &str) -> Error {
    Error::Inconsistent {
        table: "cached_images",
        what: what.to_owned(),
    }
}
