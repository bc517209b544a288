//! Where image data is kept.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::image::ImageId;
use super::status::Status;

/// What is noted beside a location.
pub type Metadata = BTreeMap<String, Value>;

/// Schemes that no client may bring in: they lead to this machine, or to secrets of its configuration.
const OUR_OWN: [&str; 3] = ["file", "filesystem", "swift+config"];

/// One place of an image's data: a store's own URL, and what is noted beside it.
#[derive(Clone, PartialEq)]
pub struct Location {
    /// A URL with a scheme the store knows. May hold credentials: never log it.
    pub url: String,
    /// `store` names the backend in a multi-store configuration.
    pub metadata: Metadata,
    /// `active` for one that can be read.
    pub status: String,
    /// What else a client said of it. The answer to that client repeats it; it is not kept.
    pub remarks: Map<String, Value>,
}

/// What becomes of the locations of an image, by what they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moves {
    /// Those that there must be, in any order, for the rest to happen.
    pub from: Vec<Location>,
    pub removed: Vec<Location>,
    /// What removed ones are from now on: `deleted`, or `pending_delete` for those whose data stays a while.
    pub removed_as: Option<Status>,
    pub added: Vec<Location>,
}

impl Location {
    /// A place that can be read.
    pub fn active(url: impl Into<String>, metadata: Metadata) -> Self {
        Self {
            url: url.into(),
            metadata,
            status: "active".to_owned(),
            remarks: Map::new(),
        }
    }

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

    /// Whether both are the same place with the same notes.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.url == other.url && self.metadata == other.metadata
    }

    /// Whether a client may name it at all.
    #[must_use]
    pub fn may_come_from_clients(&self) -> bool {
        let scheme = self.scheme().to_ascii_lowercase();
        !self.url.is_empty() && !OUR_OWN.contains(&scheme.as_str())
    }

    /// Whether it is fetched from a web server.
    #[must_use]
    pub fn is_web(&self) -> bool {
        self.url.starts_with("http:") || self.url.starts_with("https:")
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

/// Why data cannot be kept there, or not be taken from there. The sentences are the original's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    #[error("Invalid location")]
    Invalid,
    #[error("The Store URI was malformed.")]
    Malformed,
    #[error("The location {0} already exists")]
    Duplicate(String),
    #[error("Original locations is not empty: {0}")]
    NotEmpty(String),
    #[error("Invalid position for {0} a location.")]
    Position(&'static str),
    #[error(
        "The image metadata key {key} has an invalid type of {kind}. Only dict, list, and unicode are supported."
    )]
    Metadata { key: String, kind: &'static str },
    #[error("{} must be set prior to saving data.", missing(.0))]
    NoFormats(Vec<&'static str>),
    #[error("URI for add location does not pass filtering: {0}")]
    Filtered(String),

    #[error("http store must be enabled to use location API by normal user.")]
    NoWebStore,
    #[error("Cannot remove last location in the image.")]
    Last,
    #[error(
        "Cannot delete image data from the only store containing it. Consider deleting the image instead."
    )]
    OnlyStore,

    #[error("It's not allowed to {verb} locations if image status is {status}.")]
    Status { verb: &'static str, status: Status },
    #[error("It's not allowed to remove image data from store if image status is not 'active'")]
    NotActive,
    #[error("Image {image} is not stored in store {store}.")]
    NotInStore { image: ImageId, store: String },
    #[error(
        "The data for Image {0} could not be deleted because it is in use: The image cannot be deleted because it is in use through the backend store outside of Glance."
    )]
    InUse(ImageId),
    #[error("Image has active task")]
    Busy,
    #[error(
        "New operation on image '{0}' is not permitted as prior operation is still in progress"
    )]
    JustTaken(ImageId),
}

fn missing(names: &[&str]) -> String {
    let noun = if names.len() == 1 {
        "Property"
    } else {
        "Properties"
    };
    format!("{noun} {}", names.join(", "))
}

/// Notes are texts, and lists and objects of them.
pub fn check_metadata(metadata: &Metadata) -> Result<(), NoPlace> {
    metadata
        .iter()
        .try_for_each(|(key, value)| check_note(key.clone(), value))
}

fn check_note(key: String, value: &Value) -> Result<(), NoPlace> {
    let kind = match value {
        Value::String(_) => return Ok(()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            return items.try_for_each(|(i, item)| check_note(format!("{key}[{i}]"), item));
        }
        Value::Object(members) => {
            let mut members = members.iter();
            return members.try_for_each(|(key, value)| check_note(key.clone(), value));
        }
        Value::Null => "<class 'NoneType'>",
        Value::Bool(_) => "<class 'bool'>",
        Value::Number(number) if number.is_f64() => "<class 'float'>",
        Value::Number(_) => "<class 'int'>",
    };
    Err(NoPlace::Metadata { key, kind })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn notes_are_texts_however_deep() {
        let check = |value: Value| check_metadata(&Metadata::from([("a".to_owned(), value)]));
        assert_eq!(check(json!({"b": ["c", {"d": "e"}]})), Ok(()));
        let refused = check(json!(["x", 5])).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("The image metadata key a[1] has an invalid type of <class 'int'>.")
        );
    }

    #[test]
    fn clients_name_no_places_of_this_machine() {
        let may = |url: &str| Location::active(url, Metadata::new()).may_come_from_clients();
        assert!(may("http://a/b"));
        for url in [
            "",
            "file:///etc/passwd",
            "File:///x",
            "filesystem:///x",
            "swift+config://a/b",
        ] {
            assert!(!may(url), "{url}");
        }
    }

    #[test]
    fn formats_that_are_missing_are_named() {
        assert_eq!(
            NoPlace::NoFormats(vec!["disk_format"]).to_string(),
            "Property disk_format must be set prior to saving data."
        );
    }
}
