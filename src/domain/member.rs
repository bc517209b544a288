//! The projects an image is shared with.

use chrono::{DateTime, Utc};
use std::fmt;
use std::str::FromStr;

use super::image::ImageId;

/// A project that an image is shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub image_id: ImageId,
    /// The project.
    pub member: String,
    pub status: MemberStatus,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What the project said to it. Only accepted images are in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberStatus {
    Pending,
    Accepted,
    Rejected,
}

impl MemberStatus {
    /// The name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MemberStatus::Pending => "pending",
            MemberStatus::Accepted => "accepted",
            MemberStatus::Rejected => "rejected",
        }
    }
}

impl fmt::Display for MemberStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no member status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no member status is called {0:?}")]
pub struct UnknownMemberStatus(pub String);

impl FromStr for MemberStatus {
    type Err = UnknownMemberStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "pending" => MemberStatus::Pending,
            "accepted" => MemberStatus::Accepted,
            "rejected" => MemberStatus::Rejected,
            other => return Err(UnknownMemberStatus(other.to_owned())),
        })
    }
}
