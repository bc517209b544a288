//! The names and texts that images may carry.

use serde_json::{Map, Value};

use super::image::Image;
use super::refusal::Refusal;

/// Shown in an image's document, never taken from one.
const SHOWN_ONLY: [&str; 5] = ["direct_url", "self", "file", "schema", "stores"];

/// Attributes that only the service writes, in the order in which a new image's are checked.
const READ_ONLY: [&str; 8] = [
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
];

const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];

/// Properties whose name begins so are the service's own.
pub const OWN_NAMESPACE: &str = "os_glance";

/// The node that has the staged data of an image, as its siblings call it.
pub const STAGE_HOST: &str = "os_glance_stage_host";

/// The task that is at work with an image, and keeps others from it.
pub const TASK_LOCK: &str = "os_glance_import_task";

/// The stores that data is being copied to.
pub const IMPORTING_TO: &str = "os_glance_importing_to_stores";

/// How many bytes of room are held for data on its way. Never a property that anybody sees.
pub const HELD_ROOM: &str = "os_glance_held_room";

/// The characters that a property's name may have in a new image.
const LONGEST_NAME: usize = 255;

/// Refuses what a new image's document may not even mention.
pub fn not_shown_only(document: &Map<String, Value>) -> Result<(), Refusal> {
    match { SHOWN_ONLY }
        .into_iter()
        .find(|name| document.contains_key(*name))
    {
        Some(name) => Err(Refusal::ReadOnly(name.to_owned())),
        None => Ok(()),
    }
}

/// Refuses the name of a property that no caller may give a new image.
pub fn usable_name(name: &str) -> Result<(), Refusal> {
    if name.chars().count() > LONGEST_NAME {
        return Err(Refusal::LongPropertyName);
    }
    if is_reserved(name) {
        return Err(Refusal::ReservedName(name.to_owned()));
    }
    Ok(())
}

/// Refuses the name of an attribute that no caller may change.
pub fn changeable_name(name: &str) -> Result<(), Refusal> {
    // A place in the store is not among them: it has rules of its own.
    let read_only = name == "id"
        || READ_ONLY.contains(&name)
        || (SHOWN_ONLY.contains(&name) && name != "stores");
    if read_only {
        return Err(Refusal::ReadOnly(name.to_owned()));
    }
    if is_reserved(name) {
        return Err(Refusal::Reserved(name.to_owned()));
    }
    Ok(())
}

/// The first attribute of the service's own that a new image's document has, where it has one. Hashes are no such
/// attributes in a new image: they are taken for properties, and hidden by the real ones.
pub fn read_only_in(document: &Map<String, Value>) -> Option<&'static str> {
    { READ_ONLY }
        .into_iter()
        .filter(|name| !name.starts_with("os_hash"))
        .find(|name| document.contains_key(*name))
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(OWN_NAMESPACE)
}

/// Refuses texts that the databases of old deployments cannot keep: characters beyond the basic plane.
pub fn storable(image: &Image) -> Result<(), Refusal> {
    let attributes = [
        ("Name", &image.name),
        ("Owner", &image.owner),
        ("Disk_Format", &image.disk_format),
        ("Container_Format", &image.container_format),
    ];
    for (title, text) in attributes {
        if text.as_deref().is_some_and(has_four_bytes) {
            return Err(Refusal::FourByteValue(title.to_owned()));
        }
    }
    for (name, value) in &image.properties {
        if has_four_bytes(name) {
            return Err(Refusal::FourByteName);
        }
        if value.as_deref().is_some_and(has_four_bytes) {
            return Err(Refusal::FourByteValue(title_case(name)));
        }
    }
    if image.tags.iter().any(|tag| has_four_bytes(tag)) {
        return Err(Refusal::FourByteTag);
    }
    Ok(())
}

/// The same of the project that an image is to be shared with.
pub fn storable_member(member: &str) -> Result<(), Refusal> {
    if has_four_bytes(member) {
        return Err(Refusal::FourByteValue("Member".to_owned()));
    }
    Ok(())
}

pub(super) fn has_four_bytes(text: &str) -> bool {
    text.chars().any(|c| c.len_utf8() == 4)
}

/// A capital at the start of each run of letters, the rest small.
fn title_case(name: &str) -> String {
    let mut inside = false;
    let mut titled = String::with_capacity(name.len());
    for c in name.chars() {
        if inside {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    titled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_service_writes_cannot_be_changed() {
        for name in ["id", "status", "self", "os_hash_value"] {
            assert_eq!(
                changeable_name(name),
                Err(Refusal::ReadOnly(name.to_owned()))
            );
        }
    }

    #[test]
    fn the_namespace_of_the_service_is_reserved() {
        for name in ["os_glance", "os_glance_import_task", "deleted", "location"] {
            assert_eq!(
                usable_name(name),
                Err(Refusal::ReservedName(name.to_owned()))
            );
        }
        assert_eq!(usable_name("os_distro"), Ok(()));
    }

    #[test]
    fn a_long_name_is_refused_by_characters_not_bytes() {
        assert_eq!(usable_name(&"é".repeat(255)), Ok(()));
        assert_eq!(
            usable_name(&"e".repeat(256)),
            Err(Refusal::LongPropertyName)
        );
    }

    #[test]
    fn titles_have_a_capital_in_every_word() {
        assert_eq!(title_case("os_VERSION"), "Os_Version");
        assert_eq!(title_case("hw 2nd"), "Hw 2Nd");
    }
}
