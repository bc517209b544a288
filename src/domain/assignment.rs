//! Giving an attribute or a property of an image a value.

use serde_json::Value;

use super::image::{Image, Visibility};
use super::literal::literal;
use super::refusal::Refusal;
use super::status::Status;

/// The largest number that the columns of the database hold.
const LARGEST: u32 = 2_147_483_647;

/// A value and what of an image is to have it. The schema has been asked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    Name(Option<String>),
    Visibility(Visibility),
    Protected(bool),
    Hidden(bool),
    Owner(Option<String>),
    DiskFormat(Option<String>),
    ContainerFormat(Option<String>),
    MinDisk(u32),
    MinRam(u32),
    Tags(Vec<String>),
    Property { name: String, value: Option<String> },
}

impl Assignment {
    pub fn read(name: &str, value: &Value) -> Result<Self, Refusal> {
        let text = || value.as_str().map(str::to_owned);
        Ok(match name {
            "name" => Self::Name(text()),
            // The schema lets no other value through; were there one, private harms nobody.
            "visibility" => Self::Visibility(
                (value.as_str().and_then(|name| name.parse().ok())).unwrap_or(Visibility::Private),
            ),
            "protected" => Self::Protected(value == &Value::Bool(true)),
            "os_hidden" => Self::Hidden(value == &Value::Bool(true)),
            "owner" => Self::Owner(text()),
            "disk_format" => Self::DiskFormat(text()),
            "container_format" => Self::ContainerFormat(text()),
            "min_disk" => Self::MinDisk(amount("min_disk", value)?),
            "min_ram" => Self::MinRam(amount("min_ram", value)?),
            "tags" => Self::Tags(tags(value)),
            property => Self::Property {
                name: property.to_owned(),
                value: match value {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    // A site may describe numbers and flags; they are kept as texts.
                    other => Some(literal(other)),
                },
            },
        })
    }

    /// The attribute's name on the wire, or the property's.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(_) => "name",
            Self::Visibility(_) => "visibility",
            Self::Protected(_) => "protected",
            Self::Hidden(_) => "os_hidden",
            Self::Owner(_) => "owner",
            Self::DiskFormat(_) => "disk_format",
            Self::ContainerFormat(_) => "container_format",
            Self::MinDisk(_) => "min_disk",
            Self::MinRam(_) => "min_ram",
            Self::Tags(_) => "tags",
            Self::Property { name, .. } => name,
        }
    }

    /// Whether the image has something of this name: all have the attributes, some the property.
    #[must_use]
    pub fn is_present_in(&self, image: &Image) -> bool {
        match self {
            Self::Property { name, .. } => image.properties.contains_key(name),
            _ => true,
        }
    }

    pub fn apply(self, image: &mut Image) -> Result<(), Refusal> {
        match self {
            Self::Name(name) => image.name = name,
            Self::Visibility(visibility) => image.visibility = visibility,
            Self::Protected(protected) => image.protected = protected,
            Self::Hidden(hidden) => image.hidden = hidden,
            Self::Owner(owner) => image.owner = owner,
            Self::DiskFormat(format) => {
                format_is_open(image, "disk_format")?;
                image.disk_format = format;
            }
            Self::ContainerFormat(format) => {
                format_is_open(image, "container_format")?;
                image.container_format = format;
            }
            Self::MinDisk(gib) => image.min_disk = gib,
            Self::MinRam(mib) => image.min_ram = mib,
            Self::Tags(tags) => image.tags = each_once(tags),
            Self::Property { name, value } => {
                image.properties.insert(name, value);
            }
        }
        Ok(())
    }
}

/// Whether every image has an attribute of this name that callers may write.
#[must_use]
pub fn is_attribute(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "visibility"
            | "protected"
            | "os_hidden"
            | "owner"
            | "disk_format"
            | "container_format"
            | "min_disk"
            | "min_ram"
            | "tags"
    )
}

/// The formats say what the data is, so they are fixed once there is some.
fn format_is_open(image: &Image, attribute: &'static str) -> Result<(), Refusal> {
    match image.status {
        Status::Queued | Status::Importing => Ok(()),
        Status::Saving
        | Status::Uploading
        | Status::Active
        | Status::Deactivated
        | Status::Killed
        | Status::PendingDelete
        | Status::Deleted => Err(Refusal::QueuedOnly(attribute)),
    }
}

fn amount(name: &'static str, value: &Value) -> Result<u32, Refusal> {
    let number = value.as_f64().unwrap_or_default();
    if number < 0.0 {
        return Err(Refusal::Negative {
            name,
            value: literal(value),
        });
    }
    // A whole number may be written with an exponent: 1e3.
    let whole = value
        .as_u64()
        .or_else(|| format!("{:.0}", number.abs()).parse().ok());
    whole
        .and_then(|whole| u32::try_from(whole).ok())
        .filter(|whole| *whole <= LARGEST)
        .ok_or(Refusal::OutOfRange(name))
}

/// The tags as they are named, which may be several times.
fn tags(value: &Value) -> Vec<String> {
    let tags = value.as_array().into_iter().flatten();
    tags.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Each of them once, in the order in which they are first named.
fn each_once(tags: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for tag in tags {
        if !once.contains(&tag) {
            once.push(tag);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_whole_positive_and_fit_a_column() {
        let min_disk = |value| Assignment::read("min_disk", &value);
        assert_eq!(min_disk(json!(3)), Ok(Assignment::MinDisk(3)));
        assert_eq!(min_disk(json!(1e3)), Ok(Assignment::MinDisk(1000)));
        assert_eq!(min_disk(json!(-0.0)), Ok(Assignment::MinDisk(0)));
        assert_eq!(
            min_disk(json!(2_147_483_647)),
            Ok(Assignment::MinDisk(LARGEST))
        );
        for large in [
            json!(2_147_483_648_u64),
            json!(99_999_999_999_u64),
            json!(1e30),
        ] {
            assert_eq!(min_disk(large), Err(Refusal::OutOfRange("min_disk")));
        }
        let refusal = min_disk(json!(-1)).expect_err("negative");
        assert_eq!(
            refusal.to_string(),
            "Invalid value '-1' for parameter 'min_disk': Cannot be a negative value"
        );
    }

    #[test]
    fn a_tag_named_twice_is_one_tag() {
        let named = tags(&json!(["b", "a", "b"]));
        assert_eq!(named.len(), 3);
        assert_eq!(each_once(named), ["b", "a"]);
    }
}
