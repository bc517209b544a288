//! Which images a list is of, and in which order.

use chrono::{DateTime, Utc};

use super::image::{ImageId, Visibility};
use super::member::MemberStatus;

/// A page of images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageQuery {
    /// Whose list it is; none for the administrator, who sees every project's.
    pub viewer: Viewer,
    pub filters: Vec<Filter>,
    /// Hidden images alone, or all others.
    pub hidden: bool,
    /// The requested visibility; none is the usual list, `all` keeps community images of others in.
    pub visibility: VisibilityFilter,
    /// Which shared images are in: those the viewer said this to. None is any.
    pub member_status: Option<MemberStatus>,
    /// Keys in order of importance; never empty, ends with `id` so that the order is total.
    pub sort: Vec<(SortKey, Direction)>,
    /// The last image of the page before.
    pub marker: Option<ImageId>,
    pub limit: u32,
}

/// Whose list it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the images of every project.
    #[default]
    Administrator,
    /// An administrator with a project: sees all, but `member_status` and shared images are its project's.
    AdministratorOf(String),
    Project(String),
    /// Nobody known: sees public images.
    Anonymous,
}

/// The `visibility` filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VisibilityFilter {
    /// Own, public and accepted shared images.
    #[default]
    Usual,
    /// Those and everybody's community images.
    All,
    Only(Visibility),
}

/// One condition; all must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// A column equals a text, `name`, `status`, `container_format`, `disk_format`, `owner`, `checksum`,
    /// `os_hash_algo`, `os_hash_value`, `id`.
    Text(&'static str, String),
    /// A column is one of these (`in:`).
    In(&'static str, Vec<String>),
    /// `size`, `virtual_size`, `min_disk`, `min_ram` equals.
    Number(&'static str, i64),
    /// `_min` and `_max`.
    AtLeast(&'static str, i64),
    AtMost(&'static str, i64),
    Protected(bool),
    /// A custom property has this value.
    Property(String, String),
    /// The image bears this tag.
    Tag(String),
    /// `created_at` or `updated_at`.
    Time(&'static str, Comparison, DateTime<Utc>),
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}
