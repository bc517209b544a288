//! Which images a caller asks for, read from the parameters of a list.

mod filters;
mod quotes;
mod sorting;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use super::caller::Caller;
use super::image::Visibility;
use super::member::MemberStatus;
use super::query::{Direction, Filter, ImageQuery, SortKey, Viewer, VisibilityFilter};

/// Why parameters make no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlistable {
    #[error("limit param must be an integer")]
    LimitNotANumber,
    #[error("limit param must be positive")]
    NegativeLimit,
    #[error("Invalid visibility value: {0}")]
    UnknownVisibility(String),
    #[error("The \"changes-since\" filter is no longer available on v2.")]
    ChangesSince,
    #[error("Invalid status: {0}")]
    UnknownMemberStatus(String),
    #[error("Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'.")]
    NotABoolean { name: &'static str, value: String },
    #[error(
        "Invalid sort key: {0}. It must be one of the following: name, status, container_format, disk_format, size, id, created_at, updated_at."
    )]
    UnknownSortKey(String),
    #[error("Invalid sort direction: {0}")]
    UnknownSortDirection(String),
    #[error("Old and new sorting syntax cannot be combined")]
    MixedSorting,
    #[error("Number of sort dirs does not match the number of sort keys")]
    UnevenSorting,
    #[error("Unable to filter on a range with a non-numeric value.")]
    RangeNotANumber,
    #[error("Bad \"{0}\" query filter format. Use ISO 8601 DateTime notation.")]
    BadTime(String),
    #[error("Unable to filter on a unknown operator.")]
    UnknownComparison,
    #[error("Unable to filter by unknown operator '{0}'.")]
    UnknownOperator(String),
    #[error("Invalid filter value {0}. There is no comma before opening quotation mark.")]
    NoCommaBefore(String),
    #[error("Invalid filter value {0}. There is no comma after closing quotation mark.")]
    NoCommaAfter(String),
    #[error("Invalid filter value {0}. The quote is not closed.")]
    OpenQuote(String),
}

/// What a caller asks a list for.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// None where no image can ever match.
    filters: Option<Vec<Filter>>,
    hidden: bool,
    visibility: VisibilityFilter,
    member_status: Option<MemberStatus>,
    sort: Vec<(SortKey, Direction)>,
    /// The image that the page follows, as the caller wrote its id.
    pub marker: Option<String>,
    limit: Option<u64>,
}

impl Listing {
    /// Reads the parameters in their order. Each is taken once: a second `limit` is the filter for a
    /// property of that name, as every other name is.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, Unlistable> {
        let mut rest = Parameters(parameters.to_vec());
        let limit = rest.take("limit");
        let marker = rest.take("marker");
        let member_status = rest.take("member_status");
        let mut tags = rest.take_all("tag");
        // The original takes a text of this name for a list of tags, and its letters for the tags.
        if let Some(letters) = rest.last("tags").filter(|_| tags.is_empty()) {
            tags = letters.chars().map(String::from).collect();
        }
        let visibility = match rest.last("visibility").as_deref() {
            None => Some(VisibilityFilter::Usual),
            // No image has an empty visibility, and the original looks for one.
            Some("") => None,
            Some("all") => Some(VisibilityFilter::All),
            Some(name) => Some(VisibilityFilter::Only(
                Visibility::from_str(name)
                    .map_err(|_| Unlistable::UnknownVisibility(name.to_owned()))?,
            )),
        };
        if rest
            .last("changes-since")
            .is_some_and(|since| !since.is_empty())
        {
            return Err(Unlistable::ChangesSince);
        }
        let member_status = read_member_status(member_status.as_deref())?;
        let limit = limit.as_deref().map(read_limit).transpose()?;
        let sort = sorting::read(&mut rest)?;
        let hidden = read_hidden(rest.last("os_hidden"))?;
        let filters = filters::read(&rest.into_last(), &tags)?;
        Ok(Self {
            filters: visibility.and(filters),
            hidden,
            visibility: visibility.unwrap_or_default(),
            member_status,
            sort,
            marker,
            limit,
        })
    }

    /// Whether no image can ever be in this list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_none() || self.limit == Some(0)
    }

    /// The images in one page: the caller's wish, `default` where it has none, `most` at most.
    #[must_use]
    pub fn page_size(&self, default: u32, most: u32) -> u32 {
        let wished = self.limit.unwrap_or(u64::from(default));
        u32::try_from(wished).unwrap_or(most).min(most)
    }

    /// The question to the database, but for the page.
    #[must_use]
    pub fn query(&self, caller: &Caller) -> ImageQuery {
        ImageQuery {
            viewer: viewer(caller),
            filters: self.filters.clone().unwrap_or_default(),
            hidden: self.hidden,
            visibility: self.visibility,
            member_status: self.member_status,
            sort: self.sort.clone(),
            marker: None,
            limit: 0,
        }
    }
}

fn viewer(caller: &Caller) -> Viewer {
    match (&caller.project_id, caller.is_admin) {
        (None, true) => Viewer::Administrator,
        (Some(project), true) => Viewer::AdministratorOf(project.clone()),
        (Some(project), false) => Viewer::Project(project.clone()),
        (None, false) => Viewer::Anonymous,
    }
}

fn read_member_status(wish: Option<&str>) -> Result<Option<MemberStatus>, Unlistable> {
    match wish {
        None => Ok(Some(MemberStatus::Accepted)),
        Some("all") => Ok(None),
        Some(name) => {
            (name.parse().map(Some)).map_err(|_| Unlistable::UnknownMemberStatus(name.to_owned()))
        }
    }
}

fn read_limit(text: &str) -> Result<u64, Unlistable> {
    match integer(text) {
        None => Err(Unlistable::LimitNotANumber),
        Some(limit) => u64::try_from(limit).map_err(|_| Unlistable::NegativeLimit),
    }
}

fn read_hidden(wish: Option<String>) -> Result<bool, Unlistable> {
    match wish.map(|wish| wish.to_lowercase()) {
        None => Ok(false),
        Some(value) => match value.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Unlistable::NotABoolean {
                name: "os_hidden",
                value,
            }),
        },
    }
}

/// A whole number with a sign, cut to what an `i64` holds.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let limit = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(text.parse().unwrap_or(limit))
}

/// Parameters that have not been read yet.
#[derive(Debug)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The first of this name, which is then gone.
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn take_all(&mut self, name: &str) -> Vec<String> {
        std::iter::from_fn(|| self.take(name))
            .map(|value| value.trim().to_owned())
            .collect()
    }

    /// The last of this name, which is the one that counts for a filter.
    fn last(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().rev().find(|(known, _)| known == name)?;
        Some(value.clone())
    }

    /// Every name once, with its last value.
    fn into_last(self) -> Vec<(String, String)> {
        let mut each: Vec<(String, String)> = Vec::new();
        for (name, value) in self.0 {
            match each.iter_mut().find(|(known, _)| *known == name) {
                Some((_, last)) => *last = value,
                None => each.push((name, value)),
            }
        }
        each
    }
}
