//! Why a request could not be served. The sentences are the original's: clients show them.

use super::format::FormatError;
use super::range::RangeError;
use crate::domain::{ImageId, Status};
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

    /// Data cannot be taken in by an image in this state.
    #[error("Image status transition from {from} to {to} is not allowed")]
    StatusTransition { from: Status, to: Status },
    /// More than `image_size_cap`.
    #[error("The incoming image is too large: The provided image is too large.")]
    TooLarge,
    /// More came than the client declared.
    #[error("Size exceeds: expected {expected} bytes, got {got} bytes")]
    SizeExceeds { expected: i64, got: u64 },
    /// Less came than the client declared.
    #[error("Size mismatch: expected {expected} bytes, got {got} bytes")]
    SizeMismatch { expected: i64, got: u64 },
    /// The client broke off, or sent what is no body.
    #[error("The image data did not come to its end.")]
    BrokenUpload(#[source] std::io::Error),
    /// The image was deleted while its data came in. The data is gone as well.
    #[error(
        "Image {0} could not be found after upload. The image may have been deleted during the \
         upload, cleaning up the chunks uploaded."
    )]
    DeletedMeanwhile(ImageId),
    #[error(
        "Image storage media is full: There is not enough disk space on the image storage media."
    )]
    StoreFull(#[source] store::Error),
    #[error(
        "Insufficient permissions on image storage media: Permission to write image storage media \
         denied."
    )]
    StoreDenied(#[source] store::Error),
    #[error("Error in store configuration. Adding images to store is disabled.")]
    StoreReadOnly(#[source] store::Error),
    /// The data is not what the image claims, or it is dangerous.
    #[error("The request media type application/octet-stream is not supported by this server. {0}")]
    Format(#[from] FormatError),
    /// Only administrators read the data of such an image.
    #[error("The requested image has been deactivated. Image data download is forbidden.")]
    Deactivated,
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The process is going down, or its part of the work fell over.
    #[error("the work was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),

    #[error("the database failed")]
    Db(#[from] db::Error),
    #[error("the image store failed")]
    Store(#[from] store::Error),
}
