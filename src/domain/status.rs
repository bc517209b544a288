//! The life of an image.

use std::fmt;
use std::str::FromStr;

/// Where an image is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Queued,
    Saving,
    Uploading,
    Importing,
    Active,
    Deactivated,
    Killed,
    PendingDelete,
    Deleted,
}

impl Status {
    /// Whether an image may go from here to `next`.
    #[must_use]
    pub fn can_become(self, next: Status) -> bool {
        use Status::{
            Active, Deactivated, Deleted, Importing, Killed, PendingDelete, Queued, Saving,
            Uploading,
        };
        match self {
            Queued => matches!(next, Saving | Uploading | Importing | Active | Deleted),
            Saving => matches!(next, Active | Killed | Deleted | Queued),
            Uploading => matches!(next, Importing | Queued | Deleted),
            Importing => matches!(next, Active | Deleted | Queued),
            Active => matches!(next, PendingDelete | Deleted | Deactivated),
            Killed => matches!(next, Deleted),
            PendingDelete => matches!(next, Deleted | Active),
            Deleted => false,
            Deactivated => matches!(next, Active | Deleted),
        }
    }

    /// The name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Saving => "saving",
            Status::Uploading => "uploading",
            Status::Importing => "importing",
            Status::Active => "active",
            Status::Deactivated => "deactivated",
            Status::Killed => "killed",
            Status::PendingDelete => "pending_delete",
            Status::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no image status is called {0:?}")]
pub struct UnknownStatus(pub String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "queued" => Status::Queued,
            "saving" => Status::Saving,
            "uploading" => Status::Uploading,
            "importing" => Status::Importing,
            "active" => Status::Active,
            "deactivated" => Status::Deactivated,
            "killed" => Status::Killed,
            "pending_delete" => Status::PendingDelete,
            "deleted" => Status::Deleted,
            other => return Err(UnknownStatus(other.to_owned())),
        })
    }
}
