//! What an image may not be, and what may not be done to it.

use super::image::ImageId;
use super::patch::Malformed;
use super::schema::Mismatch;
use super::status::Status;

/// Why a document or a change is refused. The sentences are the original's: clients show them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Mismatch(#[from] Box<Mismatch>),
    #[error(transparent)]
    Patch(#[from] Malformed),
    #[error("Provided object does not match schema 'image': {0} is not of type 'object'")]
    NotAnObject(String),
    #[error("Custom property should not be greater than 255 characters.")]
    LongPropertyName,
    #[error("Invalid value '{value}' for parameter '{name}': Cannot be a negative value")]
    Negative { name: &'static str, value: String },
    #[error("'{0}' value out of range, must not exceed 2147483647.")]
    OutOfRange(&'static str),
    #[error("Property names can't contain 4 byte unicode.")]
    FourByteName,
    /// The attribute, each of its words with a capital.
    #[error("{0} can't contain 4 byte unicode characters.")]
    FourByteValue(String),
    #[error("Param values can't contain 4 byte unicode.")]
    FourByteTag,

    #[error("Attribute '{0}' is read-only.")]
    ReadOnly(String),
    #[error("Attribute '{0}' is reserved.")]
    Reserved(String),
    /// A name that nothing of an image may have.
    #[error("Attribute '{0}' is reserved.")]
    ReservedName(String),
    /// A property that is not for this caller to write.
    #[error("Attribute '{0}' is reserved.")]
    ProtectedProperty(String),
    #[error("Property {0} may not be removed.")]
    NotRemovable(String),
    #[error("Owner can't be updated by non admin.")]
    OwnerNotYours,
    #[error("Cannot set locations to empty list.")]
    NoLocations,
    #[error("Attribute {0} can be only replaced for a queued image.")]
    QueuedOnly(&'static str),
    #[error("Image {0} is protected and cannot be deleted.")]
    Protected(ImageId),
    #[error("Not allowed to {action} image in status '{status}'")]
    WrongStatus {
        action: &'static str,
        status: Status,
    },

    #[error("Property {0} does not exist.")]
    NoSuchProperty(String),
    #[error("Property {0} already present.")]
    PropertyExists(String),

    #[error(
        "The limit has been exceeded on the number of allowed image {what}. Attempted: {attempted}, Maximum: {maximum}"
    )]
    TooMany {
        what: &'static str,
        attempted: usize,
        maximum: i64,
    },
}
