//! Work that goes on after its request, as a list shows it.

use chrono::{DateTime, Utc};

/// What a list says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStub {
    pub id: String,
    /// `import`, `api_image_import` or `location_import`.
    pub kind: String,
    pub status: String,
    /// The project it belongs to.
    pub owner: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// When one that has ended is forgotten.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which tasks a list is to have, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskListing {
    /// The columns that must have these values.
    pub equal: Vec<(&'static str, String)>,
    pub sort_key: &'static str,
    pub descending: bool,
    /// The task that the page follows.
    pub marker: Option<String>,
    pub limit: Option<u32>,
}

/// Why there is no such list. The sentences are the original's: clients show them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTaskList {
    #[error("Invalid sort direction: {0}")]
    Direction(String),
    #[error("Invalid status value: {0}")]
    Status(String),
    #[error("Invalid type value: {0}")]
    Kind(String),
    #[error("Invalid marker format")]
    Marker,
    #[error("limit param must be an integer")]
    NoLimit,
    #[error("limit param must be positive")]
    NegativeLimit,
    #[error("Sort key supplied was not valid.")]
    SortKey,
    #[error("Task with the given id {0} was not found")]
    NoSuchMarker(String),
}

/// What tasks are found and sorted by.
const COLUMNS: [&str; 10] = [
    "created_at",
    "expires_at",
    "id",
    "image_id",
    "owner",
    "request_id",
    "status",
    "type",
    "updated_at",
    "user_id",
];
const STATUSES: [&str; 4] = ["pending", "processing", "success", "failure"];

impl TaskListing {
    /// Reads the parameters of a request. Unknown ones are nothing.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, NoTaskList> {
        let last = |name: &str| {
            let mut from_end = parameters.iter().rev();
            let found = from_end.find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let descending = match last("sort_dir") {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(other) => return Err(NoTaskList::Direction(other.to_owned())),
        };
        let given = |name| last(name).filter(|value| !value.is_empty());
        match given("status") {
            Some(status) if !STATUSES.contains(&status) => {
                return Err(NoTaskList::Status(status.to_owned()));
            }
            _ => {}
        }
        // The original knows the others, and does not let anybody ask for them.
        match given("type") {
            Some(kind) if kind != "import" => return Err(NoTaskList::Kind(kind.to_owned())),
            _ => {}
        }
        let marker = match given("marker") {
            Some(marker) if uuid::Uuid::parse_str(marker).is_err() => {
                return Err(NoTaskList::Marker);
            }
            marker => marker.map(str::to_owned),
        };
        let limit = last("limit").map(limit).transpose()?;
        let column = |name: &str| COLUMNS.into_iter().find(|column| *column == name);
        let sort_key = match last("sort_key") {
            None => "created_at",
            Some(name) => column(name).ok_or(NoTaskList::SortKey)?,
        };
        let equal = { COLUMNS }
            .into_iter()
            .filter_map(|column| Some((column, last(column)?.to_owned())));
        Ok(Self {
            equal: equal.collect(),
            sort_key,
            descending,
            marker,
            limit,
        })
    }
}

/// More than any page has is as much as it may have.
fn limit(text: &str) -> Result<u32, NoTaskList> {
    let number: i128 = text.trim().parse().map_err(|_| NoTaskList::NoLimit)?;
    if number < 0 {
        return Err(NoTaskList::NegativeLimit);
    }
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<TaskListing, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let query: Vec<_> = query.iter().map(own).collect();
        TaskListing::read(&query).map_err(|refused| refused.to_string())
    }

    #[test]
    fn without_parameters_the_newest_come_first() {
        let listing = read(&[("nonsense", "x")]).unwrap();
        assert_eq!((listing.sort_key, listing.descending), ("created_at", true));
        assert_eq!((listing.limit, listing.equal.len()), (None, 0));
    }

    #[test]
    fn what_cannot_be_is_refused_in_the_words_of_the_original() {
        for (name, value, sentence) in [
            ("sort_dir", "up", "Invalid sort direction: up"),
            ("status", "done", "Invalid status value: done"),
            (
                "type",
                "api_image_import",
                "Invalid type value: api_image_import",
            ),
            ("marker", "x", "Invalid marker format"),
            ("limit", "x", "limit param must be an integer"),
            ("limit", "-1", "limit param must be positive"),
            ("sort_key", "x", "Sort key supplied was not valid."),
        ] {
            assert_eq!(read(&[(name, value)]), Err(sentence.to_owned()));
        }
    }
}
