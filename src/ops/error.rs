//! Why a request could not be served. The sentences are the original's: clients show them.

use super::format::FormatError;
use super::range::RangeError;
use super::resource::OverLimit;
use crate::domain::evidence::{Doubt, Objection};
use crate::domain::listing::Unlistable;
use crate::domain::location::NoPlace;
use crate::domain::task::NoTask;
use crate::domain::task_stub::NoTaskList;
use crate::domain::{ImageId, Refusal, Status};
use crate::{cache, client, db, store};

pub type Result<T> = std::result::Result<T, Error>;

/// Why a request could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The id as the caller wrote it.
    #[error("No image found with ID {0}")]
    NoSuchImage(String),
    /// The same, in the words of the calls that are about something of an image.
    #[error("Image {0} not found.")]
    ImageNotFound(String),
    #[error("Failed to find image {0} to delete")]
    NothingToDelete(String),
    /// There is nothing to take from a store.
    #[error("Failed to find image {0}")]
    NothingToStrip(String),
    /// There is one, and the policy does not let the caller know.
    #[error("The resource could not be found.")]
    Hidden,
    /// A tag, say: the thing itself is not there.
    #[error("The resource could not be found.")]
    NotThere,
    #[error("{member} not found in the member list of the image {image}.")]
    NoSuchMember { member: String, image: String },
    #[error("Only shared images have members.")]
    NotShared,
    /// What is wrong with an import request.
    #[error("{0}")]
    ImportRefused(String),
    #[error("Could not find task {0}")]
    NoSuchTask(String),
    #[error(
        "This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching \
         the time based on their expires_at property."
    )]
    TasksExpire,
    #[error("node must be one of the nodes in the database.")]
    UnknownNode,
    #[error("Caching via API is not supported at this site.")]
    NoCache,
    #[error("Multi backend is not supported at this site.")]
    SingleStore,

    #[error("You are not authorized to complete {0} action.")]
    Forbidden(&'static str),
    #[error("You are not permitted to create images owned by '{0}'")]
    OwnerOfAnother(String),
    /// The same where owners are asked for beside the policy.
    #[error("You are not permitted to create images owned by '{0}'.")]
    OwnerOfOthers(String),
    #[error("You do not own this image")]
    NotYours,
    #[error("Not allowed to {action} tags for image {image}.")]
    TagsNotYours { action: &'static str, image: String },
    #[error("Not allowed to upload image data for image {0}")]
    UploadNotYours(ImageId),
    #[error("Read-only access")]
    ReadOnlyCaller,
    #[error("Forbidding request, image {0} not visible")]
    MarkerNotVisible(String),
    #[error("Not allowed to {action} members for image {image}.")]
    MembersOfUnshared { action: &'static str, image: String },
    #[error("Not allowed to list members for image {0}: Only shared images have members.")]
    NoMembersToList(String),
    #[error("It's not allowed to {0} locations if locations are invisible.")]
    LocationsInvisible(&'static str),

    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Unlistable(#[from] Unlistable),
    #[error(transparent)]
    NoTaskList(#[from] NoTaskList),
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// What a client says of data cannot be so.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    #[error(transparent)]
    Objection(#[from] Objection),
    /// Data cannot be sent there.
    #[error("Store for identifier {0} not found")]
    UnknownStore(String),
    /// Data cannot be preferred from there.
    #[error("Store '{0}' is not configured.")]
    StoreNotConfigured(String),
    #[error(
        "Store selection for download is not available when multiple backends are not enabled."
    )]
    NoStoreToPrefer,
    #[error(transparent)]
    NoTask(#[from] NoTask),
    #[error("No image found with ID {0}")]
    NoSuchMarker(String),
    #[error("Could not update image: {0}")]
    TagRefused(Refusal),
    #[error("Incorrect request: Status must be \"pending\", \"accepted\" or \"rejected\".")]
    UnknownMemberStatus,
    #[error("Only images with status active can be targeted for queueing")]
    NotActive,

    #[error("Image ID {0} already exists!")]
    IdTaken(String),
    #[error("Member {member} is duplicated for image {image}")]
    DuplicateMember { member: String, image: String },
    #[error("The selected store {0} is not available on this node.")]
    NoSuchStore(String),
    #[error("This node has no copy of image {0}.")]
    NotCached(ImageId),
    #[error("Centralized caching is not enabled")]
    NotCentralized,
    #[error(
        "This node tells no other of its cache and knows of none: that takes image_cache_driver = \
         centralized_db and worker_self_reference_url."
    )]
    NoOtherNodes,
    #[error("The image was changed by another request at the same time.")]
    Conflict,

    /// More than `image_size_cap`.
    #[error("The incoming image is too large: The provided image is too large.")]
    TooLarge,
    /// More than what is left of `user_storage_quota`.
    #[error(
        "Image exceeds the storage quota: The size of the data {} will exceed the limit. {left} bytes \
         remaining.", size.map_or_else(|| "None".to_owned(), |size| size.to_string())
    )]
    StorageQuota { size: Option<i64>, left: i64 },
    /// The same for data that is somewhere already.
    #[error(
        "Denying attempt to upload image because it exceeds the quota: The size of the data {} will exceed \
         the limit. {left} bytes remaining.", size.map_or_else(|| "None".to_owned(), |size| size.to_string())
    )]
    LocationOverQuota { size: Option<i64>, left: i64 },
    /// More than Keystone lets the project have.
    #[error(
        "The request returned a 413 Request Entity Too Large. This generally means that rate limiting or a \
         quota threshold was breached.\n\nThe response body:\n{0}"
    )]
    OverLimit(OverLimit),
    #[error("Image tag limit exceeded for image {image}: {refusal}:")]
    TooManyTags { image: String, refusal: Refusal },
    #[error("Image member limit exceeded for image {image}: {refusal}:")]
    TooManyMembers { image: String, refusal: Refusal },

    /// Data cannot be taken in by an image in this state.
    #[error("Image status transition from {from} to {to} is not allowed")]
    StatusTransition { from: Status, to: Status },
    #[error("{0} must be set prior to saving data.")]
    FormatsMissing(&'static str),
    #[error("'glance-direct' method is not available at this site.")]
    NoStaging,
    /// More came than the client declared.
    #[error("Size exceeds: expected {expected} bytes, got {got} bytes")]
    SizeExceeds { expected: i64, got: u64 },
    /// Less came than the client declared.
    #[error("Size mismatch: expected {expected} bytes, got {got} bytes")]
    SizeMismatch { expected: i64, got: u64 },
    /// The client sent nothing for too long.
    #[error("The server has waited too long for the request to be sent by the client.")]
    SlowUpload,
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
    #[error("{0}")]
    Format(#[from] FormatError),
    /// Only administrators read the data of such an image.
    #[error("The requested image has been deactivated. Image data download is forbidden.")]
    Deactivated,
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The process is going down, or its part of the work fell over.
    #[error("the work was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),

    #[error("what the project may have is not known")]
    Limits(#[from] client::Unknown),
    #[error("the database failed")]
    Db(#[from] db::Error),
    #[error("the image store failed")]
    Store(#[from] store::Error),
    #[error("the image cache failed")]
    Cache(#[from] cache::Error),
}
