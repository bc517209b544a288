//! What a site says of custom properties: its `schema-image.json`.

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::Schema;

/// Keywords that describe, and demand nothing.
const DESCRIBING: [&str; 6] = [
    "description",
    "title",
    "default",
    "readOnly",
    "operators",
    "is_base",
];
/// Keywords that are held to.
const DEMANDING: [&str; 6] = ["type", "enum", "pattern", "minLength", "maxLength", "items"];

/// Custom properties that are described, and those that every image must have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SiteProperties {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl SiteProperties {
    /// Reads either form of the file: properties by name, or `properties` and `required` beside each other.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(mut document) = document else {
            return Err("it must be an object of properties by name".to_owned());
        };
        let (properties, required) = match document.remove("properties") {
            None => (document, Vec::new()),
            Some(Value::Object(properties)) => match document.remove("required") {
                None | Some(Value::Null) => (properties, Vec::new()),
                Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
                    (properties, names)
                }
                Some(_) => return Err("required must be a list of names".to_owned()),
            },
            Some(_) => return Err("properties must be an object of properties by name".to_owned()),
        };
        let mut site = Self {
            properties,
            required,
        };
        for (name, schema) in &mut site.properties {
            let schema = schema.as_object_mut();
            let schema = schema.ok_or_else(|| format!("{name}: it must be an object"))?;
            readable(schema).map_err(|problem| format!("{name}: {problem}"))?;
            schema.insert("is_base".to_owned(), false.into());
        }
        Ok(site)
    }

    /// Whether the site describes a property of that name.
    #[must_use]
    pub fn describes(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// Keywords with the property they stand at, which nothing is held to.
    #[must_use]
    pub fn unknown_keywords(&self) -> Vec<(String, String)> {
        let mut unknown = Vec::new();
        for (name, schema) in &self.properties {
            for keyword in schema.as_object().into_iter().flat_map(Map::keys) {
                let known = DEMANDING.iter().chain(&DESCRIBING);
                if !known.into_iter().any(|known| known == keyword) {
                    unknown.push((name.clone(), keyword.clone()));
                }
            }
        }
        unknown
    }

    /// The names that the schema has for its own properties, and the site for others.
    #[must_use]
    pub fn conflicts(&self, schema: &Schema) -> Vec<String> {
        let base = schema.document()["properties"].as_object();
        let taken = |name: &&String| base.is_some_and(|base| base.contains_key(*name));
        self.properties.keys().filter(taken).cloned().collect()
    }

    /// Puts the site's properties into the schema of images.
    pub(super) fn extend(&self, document: &mut Value) {
        if let Some(known) = document["properties"].as_object_mut() {
            let custom = self.properties.iter();
            known.extend(custom.map(|(name, schema)| (name.clone(), schema.clone())));
        }
        if !self.required.is_empty() {
            // Before the links, for error sentences quote the schema in its order.
            let links = document
                .as_object_mut()
                .and_then(|whole| whole.remove("links"));
            document["required"] = Value::Array(self.required.clone());
            if let Some(links) = links {
                document["links"] = links;
            }
        }
    }
}

/// Whether a pattern can be read: one that cannot would demand nothing.
fn readable(schema: &Map<String, Value>) -> Result<(), String> {
    match schema.get("pattern") {
        None => Ok(()),
        Some(Value::String(pattern)) => match Regex::new(pattern) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("its pattern cannot be read: {error}")),
        },
        Some(_) => Err("its pattern must be a text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let flat = SiteProperties::parse(r#"{"a": {"type": "string"}}"#).unwrap();
        let whole = r#"{"properties": {"a": {"type": "string"}}, "required": []}"#;
        assert_eq!(SiteProperties::parse(whole), Ok(flat.clone()));
        assert!(flat.describes("a") && !flat.describes("properties"));
        assert_eq!(
            flat.properties["a"],
            json!({"type": "string", "is_base": false})
        );
    }

    #[test]
    fn patterns_look_around_and_demands_come_before_links() {
        let text =
            r#"{"properties": {"a": {"type": "string", "pattern": "^(?!x)"}}, "required": ["a"]}"#;
        let site = SiteProperties::parse(text).unwrap();
        let mut document = json!({"name": "image", "properties": {}, "links": []});
        site.extend(&mut document);
        let names: Vec<_> = document.as_object().unwrap().keys().collect();
        assert_eq!(names, ["name", "properties", "required", "links"]);
        let schema = Schema::new("image", document);
        assert!(schema.validate(&json!({"a": "y"})).is_ok());
        assert!(schema.validate(&json!({"a": "x"})).is_err());
    }

    #[test]
    fn what_cannot_be_held_to_is_told() {
        let site = SiteProperties::parse(r#"{"a": {"type": "string", "format": "uri"}}"#);
        let unknown = site.unwrap().unknown_keywords();
        assert_eq!(unknown, [("a".to_owned(), "format".to_owned())]);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (text, problem) in [
            ("[]", "it must be an object"),
            ("{", "EOF"),
            (r#"{"a": "string"}"#, "a: it must be an object"),
            (
                r#"{"a": {"pattern": "("}}"#,
                "a: its pattern cannot be read",
            ),
            (r#"{"properties": []}"#, "properties must be"),
            (r#"{"properties": {}, "required": "a"}"#, "required must be"),
        ] {
            let refused = SiteProperties::parse(text).unwrap_err();
            assert!(refused.starts_with(problem), "{refused}");
        }
    }

    #[test]
    fn the_shipped_file_describes_the_usual_properties() {
        let shipped = include_str!("../../../etc/schema-image.json");
        let site = SiteProperties::parse(shipped).unwrap();
        for name in [
            "kernel_id",
            "ramdisk_id",
            "instance_uuid",
            "architecture",
            "os_distro",
            "os_version",
        ] {
            assert!(site.describes(name), "{name}");
        }
        assert_eq!(site.unknown_keywords(), []);
    }
}
