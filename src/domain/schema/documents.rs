//! The schemas themselves. All but those of images are the same everywhere.

use serde_json::{Map, Value, json};

use super::{Schema, SiteProperties};

/// The schema documents that do not depend on the configuration, by what follows `/v2/schemas/`.
pub const FIXED: [(&str, &str); 14] = [
    ("member", include_str!("documents/member.json")),
    ("members", include_str!("documents/members.json")),
    ("task", TASK),
    ("tasks", include_str!("documents/tasks.json")),
    (
        "metadefs/namespace",
        include_str!("documents/metadefs_namespace.json"),
    ),
    (
        "metadefs/namespaces",
        include_str!("documents/metadefs_namespaces.json"),
    ),
    (
        "metadefs/resource_type",
        include_str!("documents/metadefs_resource_type.json"),
    ),
    (
        "metadefs/resource_types",
        include_str!("documents/metadefs_resource_types.json"),
    ),
    (
        "metadefs/property",
        include_str!("documents/metadefs_property.json"),
    ),
    (
        "metadefs/properties",
        include_str!("documents/metadefs_properties.json"),
    ),
    (
        "metadefs/object",
        include_str!("documents/metadefs_object.json"),
    ),
    (
        "metadefs/objects",
        include_str!("documents/metadefs_objects.json"),
    ),
    ("metadefs/tag", include_str!("documents/metadefs_tag.json")),
    (
        "metadefs/tags",
        include_str!("documents/metadefs_tags.json"),
    ),
];

const LOCATION: &str = include_str!("documents/location.json");
const TASK: &str = include_str!("documents/task.json");
const IMAGE: &str = include_str!("documents/image.json");

/// The schema of an image where these formats are allowed.
#[must_use]
pub fn image(disk_formats: &[String], container_formats: &[String]) -> Schema {
    image_at_site(disk_formats, container_formats, &SiteProperties::default())
}

/// The same where the site describes custom properties.
#[must_use]
pub fn image_at_site(
    disk_formats: &[String],
    container_formats: &[String],
    site: &SiteProperties,
) -> Schema {
    // The file is part of the program: a test reads it.
    let mut document: Value = serde_json::from_str(IMAGE).unwrap_or_default();
    for (attribute, formats) in [
        ("disk_format", disk_formats),
        ("container_format", container_formats),
    ] {
        if let Some(schema) = document.pointer_mut(&format!("/properties/{attribute}"))
            && let Some(schema) = schema.as_object_mut()
        {
            allow(schema, formats);
        }
    }
    site.extend(&mut document);
    Schema::new("image", document)
}

/// The schema of a task.
#[must_use]
pub fn task() -> Schema {
    // The file is part of the program: a test reads it.
    let document = serde_json::from_str(TASK).unwrap_or_default();
    Schema::new("task", document)
}

fn allow(schema: &mut Map<String, Value>, formats: &[String]) {
    let formats = formats.iter().cloned().map(Value::String);
    let allowed = std::iter::once(Value::Null).chain(formats).collect();
    schema.insert("enum".to_owned(), Value::Array(allowed));
}

/// The schema of a location that is to be added by a call of its own. Nobody can ask for it.
#[must_use]
pub fn location() -> Schema {
    Schema::new(
        "location",
        serde_json::from_str(LOCATION).unwrap_or_default(),
    )
}

/// The schema of a list of what `image` describes.
#[must_use]
pub fn images(image: &Schema) -> Value {
    json!({
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image.document()},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_in_the_program_is_json() {
        for (name, document) in FIXED
            .iter()
            .chain(&[("image", IMAGE), ("location", LOCATION)])
        {
            let document: Value = serde_json::from_str(document).expect(name);
            assert!(document["name"].is_string(), "{name}");
        }
    }

    #[test]
    fn formats_of_the_configuration_are_in_the_schema() {
        let schema = image(&["raw".to_owned()], &["bare".to_owned()]);
        let properties = &schema.document()["properties"];
        assert_eq!(properties["disk_format"]["enum"], json!([null, "raw"]));
        assert_eq!(
            properties["container_format"]["enum"],
            json!([null, "bare"])
        );
    }
}
