//! Why the cache could not do as asked.

use std::io;

use super::layout::Layout;

/// Why the cache could not do as asked. The index is not among the reasons: without it hits are not known,
/// and that is all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cache directory {path}: {source}")]
    Directory { path: String, source: io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn at(layout: &Layout, source: io::Error) -> Self {
        Error::Directory {
            path: layout.root().display().to_string(),
            source,
        }
    }
}
