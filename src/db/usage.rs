//! How much data a project keeps.

use sqlx::{QueryBuilder, Row as _};

use super::{Db, Result};
use crate::domain::ImageId;

impl Db {
    /// The bytes in stores of all images of `owner` besides `image`, each place of an image counted.
    pub async fn stored_bytes(&self, owner: Option<&str>, image: ImageId) -> Result<u64> {
        let mut sql = QueryBuilder::new(
            "SELECT COALESCE(SUM(images.size), 0) FROM images \
             JOIN image_locations ON image_locations.image_id = images.id \
             AND image_locations.status <> 'deleted' \
             WHERE images.size > 0 AND images.status NOT IN ('killed', 'deleted', 'pending_delete') \
             AND images.id <> ",
        );
        sql.push_bind(image.as_str()).push(" AND images.owner ");
        match owner {
            Some(owner) => sql.push("= ").push_bind(owner),
            None => sql.push("IS NULL"),
        };
        let mut db = self.link.read().await?;
        let bytes: i64 = sql.build().fetch_one(&mut *db).await?.try_get(0)?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}
