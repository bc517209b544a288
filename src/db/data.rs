//! What is known of the data of many images at once.

use std::collections::HashMap;

use super::dialect::{List, query};
use super::{Db, Result, row};
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;

/// Rows of one statement, so that its values are no more than any engine takes.
const BATCH: usize = 500;

/// What an image says of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRow {
    pub size: Option<u64>,
    pub checksums: Checksums,
}

impl Db {
    /// What these images say of their data; None of those that are deleted. Ids that never were an image's are not in it.
    pub async fn data_of(&self, ids: &[ImageId]) -> Result<HashMap<ImageId, Option<DataRow>>> {
        let mut found = HashMap::new();
        for some in ids.chunks(BATCH) {
            let mut db = self.link.read().await?;
            let some: Vec<&str> = some.iter().map(ImageId::as_str).collect();
            let rows = query(
                "SELECT id, size, checksum, os_hash_algo, os_hash_value, deleted FROM images WHERE id IN ?",
            )
            .bind(List::texts(&some))
            .fetch_all(&mut db)
            .await?;
            for row in &rows {
                let (id, data) = row::data(row)?;
                found.insert(id, data);
            }
        }
        Ok(found)
    }
}
