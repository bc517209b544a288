//! What a rule is asked about: the values behind `%(name)s`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{Caller, Image, Visibility};

/// Facts by name, as the text that rules compare.
pub trait Facts: Sync {
    /// The fact called `name`, spelled as Python spells it: `None`, `True`. None where there is no such
    /// fact, and then a check that wants it is not met.
    fn text(&self, name: &str) -> Option<Cow<'_, str>>;

    /// All of them, for another server that judges.
    fn all(&self) -> Value;
}

/// Facts put together for one question: `project_id`, `owner`, `visibility`, `member_id`, ...
pub type Target = BTreeMap<&'static str, Value>;

impl Facts for Target {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.get(name)? {
            Value::Null => Some("None".into()),
            Value::Bool(flag) => Some(python(*flag).into()),
            Value::Number(number) => Some(number.to_string().into()),
            Value::String(text) => Some(text.into()),
            // No rule can spell a list.
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn all(&self) -> Value {
        let facts = self.iter();
        let facts = facts.map(|(name, fact)| ((*name).to_owned(), fact.clone()));
        Value::Object(facts.collect())
    }
}

/// The facts of an image, its custom properties included.
#[derive(Debug, Clone, Copy)]
pub struct ImageFacts<'a> {
    image: &'a Image,
    /// The caller's project where it sees the image as a member.
    member: Option<&'a str>,
}

impl<'a> ImageFacts<'a> {
    /// The facts of `image` as `caller` finds it: who sees a shared image of others must be its member.
    pub fn new(image: &'a Image, caller: &'a Caller) -> Self {
        let foreign = caller.project_id != image.owner;
        let member = (image.visibility == Visibility::Shared && foreign)
            .then_some(caller.project_id.as_deref())
            .flatten();
        Self { image, member }
    }
}

impl Facts for ImageFacts<'_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let image = self.image;
        let secure = image.checksums.secure.as_ref();
        Some(match name {
            "id" | "image_id" => image.id.as_str().into(),
            "owner" | "project_id" => optional(image.owner.as_deref()),
            "member" | "member_id" => optional(self.member),
            "name" => optional(image.name.as_deref()),
            "status" => image.status.as_str().into(),
            "visibility" => image.visibility.as_str().into(),
            "disk_format" => optional(image.disk_format.as_deref()),
            "container_format" => optional(image.container_format.as_deref()),
            "checksum" => optional(image.checksums.md5.as_deref()),
            "os_hash_value" => optional(secure.map(|hash| hash.value.as_str())),
            "size" => number(image.size),
            "virtual_size" => number(image.virtual_size),
            "min_disk" => number(Some(image.min_disk.into())),
            "min_ram" => number(Some(image.min_ram.into())),
            "protected" => python(image.protected).into(),
            "os_hidden" => python(image.hidden).into(),
            property => optional(image.properties.get(property)?.as_deref()),
        })
    }

    fn all(&self) -> Value {
        let image = self.image;
        let secure = image.checksums.secure.as_ref();
        let mut all = json!({
            "image_id": image.id.as_str(),
            "owner": image.owner,
            "project_id": image.owner,
            "member": self.member,
            "name": image.name,
            "status": image.status.as_str(),
            "visibility": image.visibility.as_str(),
            "disk_format": image.disk_format,
            "container_format": image.container_format,
            "checksum": image.checksums.md5,
            "os_hash_algo": secure.map(|hash| hash.algorithm.as_str()),
            "os_hash_value": secure.map(|hash| &hash.value),
            "size": image.size,
            "virtual_size": image.virtual_size,
            "min_disk": image.min_disk,
            "min_ram": image.min_ram,
            "protected": image.protected,
            "os_hidden": image.hidden,
            "created_at": moment(image.created_at),
            "updated_at": moment(image.updated_at),
            "tags": image.tags,
            "extra_properties": image.properties,
        });
        if let Value::Object(facts) = &mut all {
            // A property hides no fact of the service's own.
            for (name, value) in &image.properties {
                facts.entry(name).or_insert_with(|| json!(value));
            }
        }
        all
    }
}

/// As oslo.serialization spells a moment.
fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// What `context_is_admin` is asked about: the caller itself.
pub(super) struct CallerFacts<'a>(pub(super) &'a Caller);

impl Facts for CallerFacts<'_> {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let caller = self.0;
        Some(match name {
            "user" => optional(caller.user_id.as_deref()),
            "project_id" | "project" => optional(caller.project_id.as_deref()),
            "domain" => optional(caller.domain_id.as_deref()),
            "user_domain" => optional(caller.user_domain_id.as_deref()),
            "project_domain" => optional(caller.project_domain_id.as_deref()),
            "system_scope" => optional(caller.system_scope.as_deref()),
            "is_admin" => python(caller.is_admin).into(),
            "is_admin_project" => python(caller.is_admin_project).into(),
            "read_only" => python(caller.read_only).into(),
            "request_id" => (&caller.request_id).into(),
            _ => return None,
        })
    }

    fn all(&self) -> Value {
        let caller = self.0;
        json!({
            "user": caller.user_id,
            "project_id": caller.project_id,
            "project": caller.project_id,
            "domain": caller.domain_id,
            "user_domain": caller.user_domain_id,
            "project_domain": caller.project_domain_id,
            "system_scope": caller.system_scope,
            "roles": caller.roles,
            "is_admin": caller.is_admin,
            "is_admin_project": caller.is_admin_project,
            "read_only": caller.read_only,
            "request_id": caller.request_id,
        })
    }
}

/// Python's `str` of a flag.
pub(super) fn python(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// Python's `str` of a text that may be missing.
pub(super) fn optional(text: Option<&str>) -> Cow<'_, str> {
    text.unwrap_or("None").into()
}

fn number(number: Option<u64>) -> Cow<'static, str> {
    number.map_or("None".into(), |number| number.to_string().into())
}
