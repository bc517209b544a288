//! Why a request could not be served. The sentences are the original's: clients show them.

use crate::{db, store};

pub type Result<T> = std::result::Result<T, Error>;

/// Why a request could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The id as the caller wrote it.
    #[error("No image found with ID {0}")]
    NoSuchImage(String),
    #[error("You are not authorized to complete {0} action.")]
    Forbidden(&'static str),
    #[error("the database failed")]
    Db(#[from] db::Error),
    #[error("the image store failed")]
    Store(#[from] store::Error),
}
