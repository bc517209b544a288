//! Where image data is kept.

use std::collections::BTreeMap;
use std::fmt;

/// One place of an image's data: a store's own URL, and what is noted beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    /// A URL with a scheme the store knows. May hold credentials: never log it.
    pub url: String,
    /// `store` names the backend in a multi-store configuration.
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// `active` for one that can be read.
    pub status: String,
}

impl Location {
    /// What comes before `://`; empty for what is no URL.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.url.split_once("://").map_or("", |(scheme, _)| scheme)
    }

    /// The backend that is said to keep it, in a multi-store configuration.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        self.metadata.get("store")?.as_str()
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location")
            .field("scheme", &self.scheme())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
