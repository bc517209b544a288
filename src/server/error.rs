//! Operations' errors as HTTP: the one place that knows which status each has.

use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};

use super::fault::Fault;
use crate::domain::Refusal;
use crate::domain::location::NoPlace;
use crate::ops::Error;
use crate::ops::range::RangeError;
use crate::{auth, cache, db, store};

/// What a handler gives where it does not succeed.
pub type Result<T> = std::result::Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = match &error {
            Error::Refused(refusal) => refused(refusal),
            Error::Store(
                refusal @ (store::Error::RemoteUnavailable | store::Error::NoParts(_)),
            ) => Fault::new(status(&error), refusal.to_string()),
            Error::OwnerOfAnother(_) | Error::ReadOnlyCaller | Error::Format(_) => {
                below(status(&error), &error)
            }
            Error::Range(RangeError::Multiple) => Fault::new(status(&error), error.to_string()),
            Error::NoPlace(NoPlace::Last) | Error::Range(_) => below(status(&error), &error),
            Error::TasksExpire => Fault::new(status(&error), error.to_string())
                .with(ALLOW, HeaderValue::from_static("GET")),
            // What is inside is nobody's business: the status says enough.
            Error::Hidden | Error::NotThere | Error::Db(_) | Error::Store(_) => {
                Fault::of(status(&error))
            }
            // As where it does not say who is asking; why is in the log.
            Error::Limits(_) => auth::Error::KeystoneAway.into(),
            Error::Cache(error) => {
                Fault::new(StatusCode::SERVICE_UNAVAILABLE, cache_sentence(error))
            }
            _ => Fault::new(status(&error), error.to_string()),
        };
        // That there is no copy is an answer, and nodes hear it often.
        if !fault.status.is_server_error() || matches!(error, Error::NotCached(_)) {
            return fault;
        }
        // The one place a failure is logged; the client learns only that there was one.
        tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        if is_told(&error) {
            fault
        } else {
            Fault::of(fault.status)
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Fault::from(self).into_response()
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSuchImage(_)
        | Error::ImageNotFound(_)
        | Error::NothingToDelete(_)
        | Error::NothingToStrip(_)
        | Error::Hidden
        | Error::NotThere
        | Error::NoSuchMember { .. }
        | Error::NotShared
        | Error::NoCache
        | Error::NoSuchTask(_)
        | Error::NoStaging
        | Error::SingleStore => StatusCode::NOT_FOUND,

        Error::Forbidden(_)
        | Error::OwnerOfAnother(_)
        | Error::OwnerOfOthers(_)
        | Error::NotYours
        | Error::TagsNotYours { .. }
        | Error::UploadNotYours(_)
        | Error::ReadOnlyCaller
        | Error::MarkerNotVisible(_)
        | Error::MembersOfUnshared { .. }
        | Error::NoMembersToList(_)
        | Error::LocationsInvisible(_)
        | Error::Deactivated => StatusCode::FORBIDDEN,

        Error::Unlistable(_)
        | Error::ImportRefused(_)
        | Error::NoTaskList(_)
        | Error::NoTask(_)
        | Error::NoSuchMarker(_)
        | Error::TagRefused(_)
        | Error::UnknownMemberStatus
        | Error::NotActive
        | Error::UnknownNode
        | Error::Objection(_)
        | Error::UnknownStore(_)
        | Error::StoreNotConfigured(_)
        | Error::NoStoreToPrefer
        | Error::FormatsMissing(_)
        | Error::SizeExceeds { .. }
        | Error::SizeMismatch { .. }
        | Error::BrokenUpload(_) => StatusCode::BAD_REQUEST,

        Error::TasksExpire => StatusCode::METHOD_NOT_ALLOWED,
        Error::SlowUpload => StatusCode::REQUEST_TIMEOUT,

        Error::IdTaken(_)
        | Error::DuplicateMember { .. }
        | Error::NoSuchStore(_)
        | Error::NotCentralized
        | Error::NoOtherNodes
        | Error::Conflict
        | Error::Doubt(_)
        | Error::StatusTransition { .. } => StatusCode::CONFLICT,

        Error::DeletedMeanwhile(_) | Error::StoreReadOnly(_) => StatusCode::GONE,

        Error::NotCached(_) => StatusCode::GATEWAY_TIMEOUT,

        Error::TooLarge
        | Error::StorageQuota { .. }
        | Error::LocationOverQuota { .. }
        | Error::OverLimit(_)
        | Error::TooManyTags { .. }
        | Error::TooManyMembers { .. }
        | Error::StoreFull(_) => StatusCode::PAYLOAD_TOO_LARGE,

        Error::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::StoreDenied(_) | Error::Cache(_) | Error::Limits(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::Refused(refusal) => refusal_status(refusal),
        Error::NoPlace(refusal) => place_status(refusal),
        Error::Range(range) => range_status(*range),
        Error::Db(error) => db_status(error),
        Error::Store(error) => store_status(error),
        Error::Interrupted(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A refusal that the original puts below the explanation of its status.
fn below(status: StatusCode, error: &dyn std::error::Error) -> Fault {
    Fault::of(status).because(error.to_string())
}

fn refused(refusal: &Refusal) -> Fault {
    let status = refusal_status(refusal);
    match refusal {
        Refusal::ReservedName(_)
        | Refusal::NotRemovable(_)
        | Refusal::OwnerNotYours
        | Refusal::NoLocations
        | Refusal::NoSuchProperty(_)
        | Refusal::PropertyExists(_) => below(status, refusal),
        _ => Fault::new(status, refusal.to_string()),
    }
}

fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Mismatch(_)
        | Refusal::Patch(_)
        | Refusal::NotAnObject(_)
        | Refusal::LongPropertyName
        | Refusal::Negative { .. }
        | Refusal::OutOfRange(_)
        | Refusal::FourByteName
        | Refusal::FourByteValue(_)
        | Refusal::FourByteTag => StatusCode::BAD_REQUEST,
        Refusal::ReadOnly(_)
        | Refusal::Reserved(_)
        | Refusal::ReservedName(_)
        | Refusal::ProtectedProperty(_)
        | Refusal::NotRemovable(_)
        | Refusal::OwnerNotYours
        | Refusal::NoLocations
        | Refusal::QueuedOnly(_)
        | Refusal::Protected(_)
        | Refusal::WrongStatus { .. } => StatusCode::FORBIDDEN,
        Refusal::NoSuchProperty(_) | Refusal::PropertyExists(_) => StatusCode::CONFLICT,
        Refusal::TooMany { .. } => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

fn place_status(refusal: &NoPlace) -> StatusCode {
    match refusal {
        NoPlace::Invalid
        | NoPlace::Malformed
        | NoPlace::Duplicate(_)
        | NoPlace::NotEmpty(_)
        | NoPlace::Position(_)
        | NoPlace::Metadata { .. }
        | NoPlace::NoFormats(_)
        | NoPlace::Filtered(_) => StatusCode::BAD_REQUEST,
        NoPlace::NoWebStore | NoPlace::Last | NoPlace::OnlyStore => StatusCode::FORBIDDEN,
        NoPlace::NotInStore { .. } => StatusCode::NOT_FOUND,
        NoPlace::Status { .. }
        | NoPlace::NotActive
        | NoPlace::InUse(_)
        | NoPlace::Busy
        | NoPlace::JustTaken(_) => StatusCode::CONFLICT,
    }
}

fn range_status(range: RangeError) -> StatusCode {
    match range {
        RangeError::Multiple => StatusCode::BAD_REQUEST,
        RangeError::Invalid
        | RangeError::Start { .. }
        | RangeError::InvalidContent
        | RangeError::ContentStart { .. }
        | RangeError::ContentStop { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
    }
}

fn db_status(error: &db::Error) -> StatusCode {
    match error {
        db::Error::Unavailable(_) | db::Error::Schema(_) | db::Error::Contended(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        db::Error::Unfit(_) => StatusCode::BAD_REQUEST,
        db::Error::Gone(_) => StatusCode::NOT_FOUND,
        db::Error::Duplicate(_) | db::Error::Conflict { .. } => StatusCode::CONFLICT,
        db::Error::Inconsistent { .. } | db::Error::Taken(_) | db::Error::Failed(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn store_status(error: &store::Error) -> StatusCode {
    match error {
        store::Error::Unavailable(_) | store::Error::RemoteUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        store::Error::Full => StatusCode::PAYLOAD_TOO_LARGE,
        store::Error::Source(_) | store::Error::NoParts(_) => StatusCode::BAD_REQUEST,
        store::Error::InUse | store::Error::Duplicate => StatusCode::CONFLICT,
        store::Error::NotFound
        | store::Error::ReadOnly
        | store::Error::Denied(_)
        | store::Error::UnknownScheme(_)
        | store::Error::BadAddress(_)
        | store::Error::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whether clients hear the sentence of a failure: it is about their request, not our insides.
fn is_told(error: &Error) -> bool {
    matches!(
        error,
        Error::StoreDenied(_) | Error::Cache(_) | Error::Store(store::Error::RemoteUnavailable)
    )
}

/// What is wrong, for whoever looks after the node; where its directory is stands in the log alone.
fn cache_sentence(error: &cache::Error) -> String {
    let cache::Error::Directory { source, .. } = error;
    format!(
        "The cache directory of this node cannot be used ({}): the log of glance-api names it.",
        source.kind()
    )
}
