//! Which images a list is of, and in which order.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::image::{ImageId, Visibility};
use super::member::MemberStatus;

/// A page of images. Deleted and killed ones are never in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageQuery {
    /// Whose list it is.
    pub viewer: Viewer,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// `os_hidden`: hidden images alone (`true`), or all others (`false`).
    pub hidden: bool,
    /// The requested `visibility`.
    pub visibility: VisibilityFilter,
    /// `member_status`: images shared with a viewing project are in where it said this to them; none is `all`.
    /// A request that does not ask means `accepted`. Says nothing of own and public images.
    pub member_status: Option<MemberStatus>,
    /// Keys in order of importance. An empty list, or one that leaves the order open, is completed as
    /// [`total_order`] does it, newest first. Nulls come before all values.
    pub sort: Vec<(SortKey, Direction)>,
    /// The last image of the page before. It need not match the filters.
    pub marker: Option<ImageId>,
    /// At most this many images.
    pub limit: u32,
}

/// Whose list it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the images of every project.
    #[default]
    Administrator,
    /// An administrator with a project: sees all as well, and in the usual list its own community images too.
    AdministratorOf(String),
    /// Sees its own, public and community images, and those shared with it.
    Project(String),
    /// Nobody known: sees public and community images.
    Anonymous,
}

impl Viewer {
    /// The project, of those that have one.
    pub fn project(&self) -> Option<&str> {
        match self {
            Viewer::AdministratorOf(project) | Viewer::Project(project) => Some(project),
            Viewer::Administrator | Viewer::Anonymous => None,
        }
    }
}

/// The `visibility` filter, on what the viewer sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VisibilityFilter {
    /// No filter was asked for: all but the community images of others.
    #[default]
    Usual,
    /// `all`: those too.
    All,
    Only(Visibility),
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// A column equals a text: `name`, `id`, `status`, `container_format`, `disk_format`, `owner`, `checksum`,
    /// `os_hash_algo`, `os_hash_value`.
    Text(&'static str, String),
    /// A column, of those, is one of these (`in:`).
    In(&'static str, Vec<String>),
    /// `size`, `virtual_size`, `min_disk` or `min_ram` equals.
    Number(&'static str, i64),
    /// A number is at least this (`size_min=` and its like). Unknown sizes are not.
    AtLeast(&'static str, i64),
    /// A number is at most this (`size_max=` and its like). Unknown sizes are not.
    AtMost(&'static str, i64),
    Protected(bool),
    /// A custom property has this value.
    Property(String, String),
    /// The image bears this tag.
    Tag(String),
    /// `created_at` or `updated_at`, to the microsecond as it is kept.
    Time(&'static str, Comparison, DateTime<Utc>),
    /// A value that nothing can have, such as `size=big` or an empty `visibility`: nothing matches.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
    Neq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    Name,
    Status,
    ContainerFormat,
    DiskFormat,
    Size,
    Id,
    CreatedAt,
    UpdatedAt,
}

impl SortKey {
    /// All of them, in the order in which errors list them.
    pub const ALL: [SortKey; 8] = [
        SortKey::Name,
        SortKey::Status,
        SortKey::ContainerFormat,
        SortKey::DiskFormat,
        SortKey::Size,
        SortKey::Id,
        SortKey::CreatedAt,
        SortKey::UpdatedAt,
    ];

    /// The name in requests, and of the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SortKey::Name => "name",
            SortKey::Status => "status",
            SortKey::ContainerFormat => "container_format",
            SortKey::DiskFormat => "disk_format",
            SortKey::Size => "size",
            SortKey::Id => "id",
            SortKey::CreatedAt => "created_at",
            SortKey::UpdatedAt => "updated_at",
        }
    }
}

/// A name by which images cannot be sorted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("images are not sorted by {0:?}")]
pub struct UnknownSortKey(pub String);

impl FromStr for SortKey {
    type Err = UnknownSortKey;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        SortKey::ALL
            .into_iter()
            .find(|key| key.as_str() == name)
            .ok_or_else(|| UnknownSortKey(name.to_owned()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}

/// Completes `sort` to an order in which no two images are equal: `created_at` and `id` in the direction
/// `default` follow what was asked for. What comes after `id` decides nothing and is left out.
#[must_use]
pub fn total_order(sort: &[(SortKey, Direction)], default: Direction) -> Vec<(SortKey, Direction)> {
    let mut order: Vec<(SortKey, Direction)> = Vec::new();
    for (key, direction) in sort
        .iter()
        .copied()
        .chain([(SortKey::CreatedAt, default), (SortKey::Id, default)])
    {
        if order.iter().all(|(known, _)| *known != key) {
            order.push((key, direction));
        }
        if key == SortKey::Id {
            break;
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::Direction::{Asc, Desc};
    use super::SortKey::{CreatedAt, Id, Name};
    use super::*;

    #[test]
    fn an_order_ends_where_no_two_images_are_equal() {
        assert_eq!(total_order(&[], Desc), [(CreatedAt, Desc), (Id, Desc)]);
        assert_eq!(
            total_order(&[(Name, Asc), (Name, Desc)], Asc),
            [(Name, Asc), (CreatedAt, Asc), (Id, Asc)]
        );
        assert_eq!(total_order(&[(Id, Asc), (Name, Asc)], Desc), [(Id, Asc)]);
    }

    #[test]
    fn every_sort_key_is_read_by_its_name() {
        for key in SortKey::ALL {
            assert_eq!(key.as_str().parse(), Ok(key));
        }
        assert!("min_disk".parse::<SortKey>().is_err());
    }
}
