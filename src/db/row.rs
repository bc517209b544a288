//! Rows as they are in the database, and their proof on the way out.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::dialect::{Read, Row};
use super::{DataRow, Error, Result};
use crate::domain::checksum::{Checksums, SecureHash};
use crate::domain::{Image, ImageId, Location, Member};

/// The columns of `images` that [`image`] reads, besides [`BELONGINGS`](super::dialect::BELONGINGS).
pub const IMAGE_COLUMNS: &str = "id, name, status, visibility, owner, disk_format, container_format, size, \
    virtual_size, checksum, os_hash_algo, os_hash_value, min_disk, min_ram, protected, os_hidden, \
    created_at, updated_at";

/// The columns of `image_members` that [`member`] reads.
pub const MEMBER_COLUMNS: &str = "image_id, member, status, created_at, updated_at";

/// A row of one table, read column by column.
struct Columns<'r> {
    table: &'static str,
    /// The column that says which row it is.
    key: &'static str,
    row: &'r Row,
}

/// A location as [`BELONGINGS`](super::dialect::BELONGINGS) has it.
#[derive(Deserialize)]
struct LocationColumns {
    url: String,
    /// JSON in JSON: the column is a text.
    metadata: Option<String>,
    status: String,
}

/// An image with all that belongs to it.
pub fn image(row: &Row) -> Result<Image> {
    let row = Columns {
        table: "images",
        key: "id",
        row,
    };
    let created_at = row.time("created_at")?;
    Ok(Image {
        id: row.parsed("id")?,
        name: row.get("name")?,
        status: row.parsed("status")?,
        visibility: row.parsed("visibility")?,
        owner: row.get("owner")?,
        disk_format: row.get("disk_format")?,
        container_format: row.get("container_format")?,
        size: row.size("size")?,
        virtual_size: row.size("virtual_size")?,
        checksums: row.checksums()?,
        min_disk: row.number("min_disk")?,
        min_ram: row.number("min_ram")?,
        protected: row.get("protected")?,
        hidden: row.get("os_hidden")?,
        created_at,
        updated_at: row.time_or("updated_at", created_at)?,
        properties: row.properties()?,
        tags: row.tags()?,
        locations: row.locations()?,
    })
}

/// What an image says of its data; None of one that is deleted.
pub fn data(row: &Row) -> Result<(ImageId, Option<DataRow>)> {
    let row = Columns {
        table: "images",
        key: "id",
        row,
    };
    let is_deleted: bool = row.get("deleted")?;
    let data = if is_deleted {
        None
    } else {
        Some(DataRow {
            size: row.size("size")?,
            checksums: row.checksums()?,
        })
    };
    Ok((row.parsed("id")?, data))
}

/// A member of an image.
pub fn member(row: &Row) -> Result<Member> {
    let row = Columns {
        table: "image_members",
        key: "image_id",
        row,
    };
    let created_at = row.time("created_at")?;
    Ok(Member {
        image_id: row.parsed("image_id")?,
        member: row.get("member")?,
        status: row.parsed("status")?,
        created_at,
        updated_at: row.time_or("updated_at", created_at)?,
    })
}

/// A value of the domain from its name in a column.
pub fn parsed<T>(table: &'static str, text: &str) -> Result<T>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error: T::Err| inconsistent(table, &error))
}

fn inconsistent(table: &'static str, what: &dyn Display) -> Error {
    Error::Inconsistent {
        table,
        what: what.to_string(),
    }
}

impl Columns<'_> {
    fn wrong(&self, column: &str, what: &dyn Display) -> Error {
        let id: String = self.row.get(self.key).unwrap_or_default();
        inconsistent(self.table, &format_args!("{id} {column}: {what}"))
    }

    fn get<T: Read>(&self, column: &str) -> Result<T> {
        self.row
            .get(column)
            .map_err(|error| self.wrong(column, &error))
    }

    fn parsed<T>(&self, column: &str) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.get::<String>(column)?
            .parse()
            .map_err(|error: T::Err| self.wrong(column, &error))
    }

    fn json<T>(&self, column: &str) -> Result<T>
    where
        T: for<'de> Deserialize<'de>,
    {
        serde_json::from_str(&self.get::<String>(column)?)
            .map_err(|error| self.wrong(column, &error))
    }

    fn number(&self, column: &str) -> Result<u32> {
        u32::try_from(self.get::<i64>(column)?).map_err(|error| self.wrong(column, &error))
    }

    fn size(&self, column: &str) -> Result<Option<u64>> {
        self.get::<Option<i64>>(column)?
            .map(u64::try_from)
            .transpose()
            .map_err(|error| self.wrong(column, &error))
    }

    fn time(&self, column: &str) -> Result<DateTime<Utc>> {
        self.get(column)
    }

    /// Rows that nobody changed since they were made may have no time of change.
    fn time_or(&self, column: &str, other: DateTime<Utc>) -> Result<DateTime<Utc>> {
        Ok(self.get::<Option<_>>(column)?.unwrap_or(other))
    }

    fn checksums(&self) -> Result<Checksums> {
        let (secure, announced) = match (
            self.get::<Option<String>>("os_hash_algo")?,
            self.get::<Option<String>>("os_hash_value")?,
        ) {
            (None, None) => (None, None),
            // Named as soon as somebody begins to hash the data of a new location.
            (Some(_), None) => (None, self.parsed("os_hash_algo").ok()),
            (Some(_), Some(value)) => {
                let algorithm = self.parsed("os_hash_algo")?;
                (Some(SecureHash { algorithm, value }), None)
            }
            (None, Some(_)) => return Err(self.wrong("os_hash_algo", &"missing")),
        };
        Ok(Checksums {
            md5: self.get("checksum")?,
            secure,
            announced,
        })
    }

    fn properties(&self) -> Result<BTreeMap<String, Option<String>>> {
        self.json("properties")
    }

    /// The table lets a tag be there twice, and two services at once may have put it there.
    fn tags(&self) -> Result<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.json::<Vec<String>>("tags")? {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(tags)
    }

    fn locations(&self) -> Result<Vec<Location>> {
        self.json::<Vec<LocationColumns>>("locations")?
            .into_iter()
            .map(|location| {
                let metadata = match &location.metadata {
                    Some(metadata) => serde_json::from_str::<Option<_>>(metadata)
                        .map_err(|error| self.wrong("locations", &error))?,
                    None => None,
                };
                Ok(Location {
                    url: location.url,
                    metadata: metadata.unwrap_or_default(),
                    status: location.status,
                    remarks: serde_json::Map::new(),
                })
            })
            .collect()
    }
}
