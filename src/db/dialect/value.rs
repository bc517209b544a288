//! Values on their way into a statement.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::db::Error;
use crate::domain::ImageId;

/// A value with its type: a null, too, is one of numbers, of times or of texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(bool),
    Time(Option<DateTime<Utc>>),
    /// Stands after `IN`.
    List(List),
}

/// Texts or numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    Texts(Vec<String>),
    Numbers(Vec<i64>),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Text(None) | Self::Number(None) | Self::Time(None)
        )
    }
}

impl List {
    pub fn texts<T: AsRef<str>>(texts: &[T]) -> Self {
        Self::Texts(texts.iter().map(|text| text.as_ref().to_owned()).collect())
    }

    pub fn to_json(&self) -> String {
        match self {
            Self::Texts(texts) => json!(texts).to_string(),
            Self::Numbers(numbers) => json!(numbers).to_string(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(ToOwned::to_owned))
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<ImageId> for Value {
    fn from(id: ImageId) -> Self {
        Self::Text(Some(id.as_str().to_owned()))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(Some(time))
    }
}

impl From<Option<DateTime<Utc>>> for Value {
    fn from(time: Option<DateTime<Utc>>) -> Self {
        Self::Time(time)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

/// A value that an engine does not take.
#[expect(clippy::needless_pass_by_value, reason = "as map_err passes it")]
pub fn refused(error: sqlx::error::BoxDynError) -> Error {
    Error::Failed(format!("a value that cannot be sent: {error}"))
}
