//! A new image, as a caller describes it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::assignment::Assignment;
use super::checksum::Checksums;
use super::image::{Image, ImageId, Visibility};
use super::literal::literal;
use super::property;
use super::refusal::Refusal;
use super::schema::Schema;
use super::status::Status;

/// What a new image is to be. Rules about the caller come between this and the image.
#[derive(Debug, Clone)]
pub struct Draft {
    id: Option<ImageId>,
    visibility: Option<Visibility>,
    values: Map<String, Value>,
}

impl Draft {
    /// Reads a caller's document.
    pub fn read(document: &Value, schema: &Schema) -> Result<Self, Refusal> {
        let Some(values) = document.as_object().cloned() else {
            return Err(Refusal::NotAnObject(literal(document)));
        };
        property::not_shown_only(&values)?;
        schema.validate(document)?;
        for name in values.keys() {
            property::usable_name(name)?;
        }
        let text = |name: &str| values.get(name).and_then(Value::as_str);
        Ok(Self {
            id: text("id").and_then(|id| id.parse().ok()),
            visibility: text("visibility").and_then(|name| name.parse().ok()),
            values,
        })
    }

    /// The project it is to belong to; the caller's where the document does not say.
    #[must_use]
    pub fn owner<'a>(&'a self, caller: Option<&'a str>) -> Option<&'a str> {
        match self.values.get("owner") {
            Some(owner) => owner.as_str(),
            None => caller,
        }
    }

    /// Who is to see it, where the document says so.
    #[must_use]
    pub fn visibility(&self) -> Option<Visibility> {
        self.visibility
    }

    /// How many tags the document names, the same one as often as it does.
    #[must_use]
    pub fn tags_named(&self) -> usize {
        let tags = self.values.get("tags").and_then(Value::as_array);
        tags.map_or(0, Vec::len)
    }

    /// The image, queued for its data.
    pub fn into_image(self, caller: Option<&str>, now: DateTime<Utc>) -> Result<Image, Refusal> {
        if let Some(name) = property::read_only_in(&self.values) {
            return Err(Refusal::ReadOnly(name.to_owned()));
        }
        if self.values.contains_key("locations") {
            return Err(Refusal::Reserved("locations".to_owned()));
        }
        let mut image = Image {
            id: self.id.unwrap_or_else(ImageId::random),
            name: None,
            status: Status::Queued,
            visibility: Visibility::Shared,
            owner: self.owner(caller).map(str::to_owned),
            disk_format: None,
            container_format: None,
            size: None,
            virtual_size: None,
            checksums: Checksums::default(),
            min_disk: 0,
            min_ram: 0,
            protected: false,
            hidden: false,
            created_at: now,
            updated_at: now,
            properties: BTreeMap::new(),
            tags: Vec::new(),
            locations: Vec::new(),
        };
        for (name, value) in &self.values {
            if name != "id" {
                Assignment::read(name, value)?.apply(&mut image)?;
            }
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::documents;
    use super::*;

    fn made(document: &Value) -> Result<Image, Refusal> {
        let schema = documents::image(&["raw".to_owned()], &["bare".to_owned()]);
        let now = DateTime::from_timestamp_nanos(0);
        Draft::read(document, &schema)?.into_image(Some("mine"), now)
    }

    #[test]
    fn an_empty_document_is_a_shared_image_of_the_caller() {
        let image = made(&json!({})).expect("nothing is wrong with it");
        assert_eq!(image.owner.as_deref(), Some("mine"));
        assert_eq!(image.visibility, Visibility::Shared);
        assert_eq!(image.status, Status::Queued);
    }

    #[test]
    fn an_owner_may_be_nobody() {
        let image = made(&json!({"owner": null})).expect("nothing is wrong with it");
        assert_eq!(image.owner, None);
    }

    #[test]
    fn what_is_no_attribute_is_a_property() {
        let document = json!({"name": "n", "os_distro": "debian", "copy_from": "x"});
        let image = made(&document).expect("nothing is wrong with it");
        assert_eq!(image.name.as_deref(), Some("n"));
        assert_eq!(
            image.properties.keys().collect::<Vec<_>>(),
            ["copy_from", "os_distro"]
        );
    }

    #[test]
    fn attributes_of_the_service_are_refused() {
        let sentence = |document: Value| made(&document).expect_err("refused").to_string();
        assert_eq!(
            sentence(json!({"status": "active"})),
            "Attribute 'status' is read-only."
        );
        assert_eq!(
            sentence(json!({"locations": []})),
            "Attribute 'locations' is reserved."
        );
        assert_eq!(
            sentence(json!({"deleted_at": "x"})),
            "Attribute 'deleted_at' is reserved."
        );
        assert_eq!(
            sentence(json!({"stores": "file"})),
            "Attribute 'stores' is read-only."
        );
    }

    #[test]
    fn a_list_is_no_image() {
        assert!(matches!(made(&json!([])), Err(Refusal::NotAnObject(_))));
    }
}
