//! How much data a project keeps.

use super::dialect::{BIGINT, query};
use super::{Db, Result};
use crate::domain::ImageId;

impl Db {
    /// The bytes in stores of all images of `owner` besides `image`, each place of an image counted.
    pub async fn stored_bytes(&self, owner: Option<&str>, image: ImageId) -> Result<u64> {
        let mut sum = query("SELECT CAST(COALESCE(SUM(images.size), 0) AS ").then(BIGINT).then(
            ") AS bytes FROM images \
             JOIN image_locations ON image_locations.image_id = images.id \
             AND image_locations.status <> 'deleted' \
             WHERE images.size > 0 AND images.status NOT IN ('killed', 'deleted', 'pending_delete') \
             AND images.id <> ",
        );
        sum.push_bind(image).push(" AND images.owner ");
        match owner {
            Some(owner) => sum.push("= ").push_bind(owner),
            None => sum.push("IS NULL"),
        };
        let mut db = self.link.read().await?;
        let bytes: i64 = sum.fetch_one(&mut db).await?.get("bytes")?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}
