//! Changes to an image, as a list of operations.
//!
//! Two dialects are in use, after two drafts of JSON Patch: the older names the operation by its key
//! (`{"replace": "/name", ...}`), the newer by a member (`{"op": "replace", "path": "/name", ...}`). Of
//! both, images know `add`, `remove` and `replace`, and pointers to an attribute or property as a whole.

mod pointer;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::assignment::{Assignment, is_attribute};
use super::image::Image;
use super::literal::literal;
use super::property;
use super::refusal::Refusal;
use super::schema::Schema;

/// Which draft a document follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Draft4,
    Draft10,
}

/// Why a document is no list of changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("Request body must be a JSON array of operation objects.")]
    NotAList,
    #[error("Operations must be JSON objects.")]
    NotAnObject,
    #[error(
        "Unable to find `op` in JSON Schema change. It must be one of the following: add, remove, replace."
    )]
    NoOperation,
    #[error("Invalid operation: `{0}`. It must be one of the following: add, remove, replace.")]
    UnknownOperation(String),
    #[error(
        "Operation objects must contain only one member named \"add\", \"remove\", or \"replace\"."
    )]
    ManyOperations,
    #[error(
        "Operation objects must contain exactly one member named \"add\", \"remove\", or \"replace\"."
    )]
    NotOneOperation,
    #[error("Unable to find 'path' in JSON Schema change")]
    NoPath,
    #[error("Operation \"{0}\" requires a member named \"value\".")]
    NoValue(&'static str),
    #[error("Pointer `{0}` does not start with \"/\".")]
    PointerStart(String),
    #[error("Pointer `{0}` contains adjacent \"/\".")]
    PointerAdjacent(String),
    #[error("Pointer `{0}` end with \"/\".")]
    PointerEnd(String),
    #[error("Pointer `{0}` contains \"~\" not part of a recognized escape sequence.")]
    PointerEscape(String),
    #[error("Invalid JSON pointer for this resource: '/{0}'")]
    PointerDepth(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Remove,
    Replace,
}

/// One change, checked as far as that goes without the image.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Gives a new value; where there is none yet, that is an error.
    Replace(Assignment),
    /// Gives a value, over what is there.
    Add(Assignment),
    /// Gives a value where there is none.
    AddNew(Assignment),
    /// Takes the property away. Attributes cannot be taken away.
    Remove(String),
    /// Changes where the data is kept.
    Locations(LocationChange),
}

/// A change to the places of the data.
#[derive(Debug, Clone, PartialEq)]
pub enum LocationChange {
    Replace(Vec<Value>),
    /// At a position, or `-` for the end.
    Add(String, Value),
    Remove(String),
}

/// Reads a document of changes.
pub fn read(document: &Value, dialect: Dialect, schema: &Schema) -> Result<Vec<Change>, Refusal> {
    let operations = document.as_array().ok_or(Malformed::NotAList)?;
    let read_one = |operation: &Value| {
        let members = operation.as_object().ok_or(Malformed::NotAnObject)?;
        Change::read(members, dialect, schema)
    };
    operations.iter().map(read_one).collect()
}

impl Change {
    fn read(
        members: &Map<String, Value>,
        dialect: Dialect,
        schema: &Schema,
    ) -> Result<Self, Refusal> {
        let (operation, pointer) = match dialect {
            Dialect::Draft4 => Operation::by_key(members)?,
            Dialect::Draft10 => Operation::by_member(members)?,
        };
        let path = match pointer {
            Value::String(pointer) => pointer::parse(pointer)?,
            other => return Err(Malformed::PointerStart(literal(other)).into()),
        };
        let name = operation.check_depth(&path)?;
        let value = match operation {
            Operation::Remove => None,
            Operation::Add | Operation::Replace => {
                let missing = Malformed::NoValue(operation.name());
                Some(members.get("value").ok_or(missing)?)
            }
        };
        property::changeable_name(name)?;
        if let Some(value) = value {
            let value = match path.len() {
                1 => value.clone(),
                _ => json!([value]),
            };
            schema.validate(&json!({ name: value }))?;
        }
        if name == "locations" {
            return Ok(Self::Locations(LocationChange::new(
                operation, &path, value,
            )));
        }
        Ok(match (operation, value) {
            (Operation::Replace, Some(value)) => Self::Replace(Assignment::read(name, value)?),
            (Operation::Add, Some(value)) => match dialect {
                Dialect::Draft4 => Self::AddNew(Assignment::read(name, value)?),
                Dialect::Draft10 => Self::Add(Assignment::read(name, value)?),
            },
            (Operation::Remove, _) | (_, None) => Self::Remove(name.to_owned()),
        })
    }

    /// Changes the image. What a caller may do has been asked before, and places are not changed here.
    pub fn apply(self, image: &mut Image) -> Result<(), Refusal> {
        match self {
            Self::Replace(assignment) => {
                if !assignment.is_present_in(image) {
                    return Err(Refusal::NoSuchProperty(assignment.name().to_owned()));
                }
                assignment.apply(image)
            }
            Self::Add(assignment) => assignment.apply(image),
            Self::AddNew(assignment) => {
                if assignment.is_present_in(image) {
                    return Err(Refusal::PropertyExists(assignment.name().to_owned()));
                }
                assignment.apply(image)
            }
            Self::Remove(name) if is_attribute(&name) => Err(Refusal::NotRemovable(name)),
            Self::Remove(name) => match image.properties.remove(&name) {
                Some(_) => Ok(()),
                None => Err(Refusal::NoSuchProperty(name)),
            },
            Self::Locations(_) => Ok(()),
        }
    }
}

impl LocationChange {
    fn new(operation: Operation, path: &[String], value: Option<&Value>) -> Self {
        let position = path.get(1).cloned().unwrap_or_default();
        match operation {
            Operation::Remove => Self::Remove(position),
            Operation::Add => Self::Add(position, value.cloned().unwrap_or_default()),
            Operation::Replace => {
                Self::Replace(value.and_then(Value::as_array).cloned().unwrap_or_default())
            }
        }
    }
}

impl Operation {
    const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Replace];

    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }

    fn by_member(members: &Map<String, Value>) -> Result<(Self, &Value), Malformed> {
        let name = match members.get("op") {
            None | Some(Value::Null) => return Err(Malformed::NoOperation),
            Some(Value::String(name)) => name.clone(),
            Some(other) => literal(other),
        };
        let operation = (Self::ALL.into_iter())
            .find(|operation| operation.name() == name)
            .ok_or(Malformed::UnknownOperation(name))?;
        Ok((operation, members.get("path").ok_or(Malformed::NoPath)?))
    }

    fn by_key(members: &Map<String, Value>) -> Result<(Self, &Value), Malformed> {
        let mut found = (Self::ALL.into_iter())
            .filter_map(|operation| Some((operation, members.get(operation.name())?)));
        let one = found.next().ok_or(Malformed::NotOneOperation)?;
        match found.next() {
            None => Ok(one),
            Some(_) => Err(Malformed::ManyOperations),
        }
    }

    /// Pointers go to an attribute or property as a whole; only places are taken one by one.
    fn check_depth(self, path: &[String]) -> Result<&str, Malformed> {
        let [name, ..] = path else {
            return Err(Malformed::PointerDepth(String::new()));
        };
        let depth = match self {
            Self::Add | Self::Remove if name == "locations" => 2,
            Self::Add | Self::Remove | Self::Replace => 1,
        };
        if path.len() == depth {
            Ok(name)
        } else {
            Err(Malformed::PointerDepth(path.join("/")))
        }
    }
}
