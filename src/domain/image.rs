//! An image and its identity.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::caller::Caller;
use super::checksum::Checksums;
use super::location::Location;
use super::status::Status;

/// The id of an image: a UUID in its 36 characters, kept as it was written.
///
/// It is safe as a file name, for it has no characters but hexadecimal digits and dashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId([u8; 36]);

impl ImageId {
    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        let mut id = [0; 36];
        uuid::Uuid::new_v4().hyphenated().encode_lower(&mut id);
        Self(id)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl AsRef<str> for ImageId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ImageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ImageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no image id, and so the name of no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no image id")]
pub struct InvalidImageId(pub String);

impl FromStr for ImageId {
    type Err = InvalidImageId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 36] = text
            .as_bytes()
            .try_into()
            .map_err(|_| InvalidImageId(text.to_owned()))?;
        let well_formed = bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
        if well_formed {
            Ok(Self(bytes))
        } else {
            Err(InvalidImageId(text.to_owned()))
        }
    }
}

/// Who may see an image besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody, and it is in everybody's list.
    Public,
    /// The owner alone.
    Private,
    /// The members that the owner names.
    Shared,
    /// Everybody who knows of it.
    Community,
}

impl Visibility {
    /// The name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Private => "private",
            Visibility::Shared => "shared",
            Visibility::Community => "community",
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no visibility.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no visibility is called {0:?}")]
pub struct UnknownVisibility(pub String);

impl FromStr for Visibility {
    type Err = UnknownVisibility;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "public" => Visibility::Public,
            "private" => Visibility::Private,
            "shared" => Visibility::Shared,
            "community" => Visibility::Community,
            other => return Err(UnknownVisibility(other.to_owned())),
        })
    }
}

/// What we know of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub id: ImageId,
    pub name: Option<String>,
    pub status: Status,
    pub visibility: Visibility,
    /// The project it belongs to.
    pub owner: Option<String>,
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    /// Bytes of data; none until there are some.
    pub size: Option<u64>,
    /// Bytes of the disk that the data describes.
    pub virtual_size: Option<u64>,
    pub checksums: Checksums,
    /// GiB
    pub min_disk: u32,
    /// MiB
    pub min_ram: u32,
    pub protected: bool,
    pub hidden: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Custom properties, by name. One without a value is there all the same.
    pub properties: BTreeMap<String, Option<String>>,
    /// In the order in which they were added, each once.
    pub tags: Vec<String>,
    /// Where the data is; the first is tried first.
    pub locations: Vec<Location>,
}

/// Whether somebody gets to know of an image at all: a rule as old as the service, which no policy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight<'c> {
    Seen,
    Unseen,
    /// Where this project is a member of the image.
    OfMember(&'c str),
}

impl Image {
    /// Whether `caller` gets to know of the image.
    #[must_use]
    pub fn sight<'c>(&self, caller: &'c Caller) -> Sight<'c> {
        let Some(owner) = &self.owner else {
            return Sight::Seen;
        };
        let project = caller.project_id.as_deref();
        match (self.visibility, project) {
            _ if caller.is_admin => Sight::Seen,
            (Visibility::Public | Visibility::Community, _) => Sight::Seen,
            (_, Some(project)) if project == owner => Sight::Seen,
            (Visibility::Shared, Some(project)) => Sight::OfMember(project),
            (Visibility::Shared, None) | (Visibility::Private, _) => Sight::Unseen,
        }
    }
}
