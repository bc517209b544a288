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

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split_once("://").map_or("?", |(scheme, _)| scheme);
        f.debug_struct("Location")
            .field("scheme", &scheme)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
