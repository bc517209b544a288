use chrono::DateTime;
use serde_json::json;

use super::super::draft::Draft;
use super::super::schema::documents;
use super::super::status::Status;
use super::*;

fn schema() -> Schema {
    documents::image(&["raw".to_owned()], &["bare".to_owned()])
}

fn image() -> Image {
    let document = json!({"name": "n", "a": "1", "c~d": "2", "a/b": "3"});
    let draft = Draft::read(&document, &schema()).expect("a document without fault");
    (draft.into_image(Some("mine"), DateTime::from_timestamp_nanos(0))).expect("an image")
}

fn patched(dialect: Dialect, document: &Value) -> Result<Image, Refusal> {
    let mut image = image();
    for change in read(document, dialect, &schema())? {
        change.apply(&mut image)?;
    }
    Ok(image)
}

fn refusal(document: &Value) -> String {
    (patched(Dialect::Draft10, document).expect_err("it should be refused")).to_string()
}

fn replacing(pointer: &str) -> Value {
    json!([{"op": "replace", "path": pointer, "value": "x"}])
}

#[test]
fn operations_are_applied_one_after_the_other() {
    let image = patched(
        Dialect::Draft10,
        &json!([
            {"op": "add", "path": "/x", "value": "1"},
            {"op": "add", "path": "/x", "value": "2"},
            {"op": "remove", "path": "/a"},
            {"op": "replace", "path": "/name", "value": null},
        ]),
    )
    .expect("nothing is wrong with it");
    assert_eq!(image.properties["x"].as_deref(), Some("2"));
    assert!(!image.properties.contains_key("a"));
    assert_eq!(image.name, None);
}

#[test]
fn the_older_dialect_adds_only_what_is_not_there() {
    let add = |pointer: &str| patched(Dialect::Draft4, &json!([{"add": pointer, "value": "x"}]));
    assert!(add("/new").is_ok());
    for present in ["a", "name"] {
        assert_eq!(
            add(&format!("/{present}")),
            Err(Refusal::PropertyExists(present.to_owned()))
        );
    }
}

#[test]
fn the_older_dialect_wants_one_operation_of_each_object() {
    let read = |document| patched(Dialect::Draft4, &document);
    assert_eq!(
        read(json!([{"op": "replace", "path": "/name", "value": "x"}])),
        Err(Malformed::NotOneOperation.into())
    );
    assert_eq!(
        read(json!([{"replace": "/name", "add": "/x", "value": "x"}])),
        Err(Malformed::ManyOperations.into())
    );
}

#[test]
fn documents_that_are_no_patch_are_told_apart() {
    assert_eq!(refusal(&json!({})), Malformed::NotAList.to_string());
    assert_eq!(refusal(&json!([5])), Malformed::NotAnObject.to_string());
    assert_eq!(refusal(&json!([{}])), Malformed::NoOperation.to_string());
    assert_eq!(
        refusal(&json!([{"op": "test", "path": "/name"}])),
        "Invalid operation: `test`. It must be one of the following: add, remove, replace."
    );
    assert_eq!(
        refusal(&json!([{"op": "add", "value": "x"}])),
        Malformed::NoPath.to_string()
    );
    assert_eq!(
        refusal(&json!([{"op": "add", "path": "/x"}])),
        "Operation \"add\" requires a member named \"value\"."
    );
}

#[test]
fn escapes_and_space_around_names_are_undone() {
    for (pointer, name) in [("/a~1b", "a/b"), ("/c~0d", "c~d"), ("/ a ", "a")] {
        let image = patched(Dialect::Draft10, &replacing(pointer)).expect("a good pointer");
        assert_eq!(image.properties[name].as_deref(), Some("x"));
    }
    let image = patched(Dialect::Draft10, &replacing("//name")).expect("a good pointer");
    assert_eq!(image.name.as_deref(), Some("x"));
}

#[test]
fn each_fault_of_a_pointer_has_its_sentence() {
    let cases = [
        ("name", "Pointer `name` does not start with \"/\"."),
        ("", "Pointer `` does not start with \"/\"."),
        ("//", "Pointer `//` end with \"/\"."),
        ("/name/", "Pointer `/name/` end with \"/\"."),
        ("/name/ /x", "Pointer `/name/ /x` contains adjacent \"/\"."),
        (
            "/c~d",
            "Pointer `/c~d` contains \"~\" not part of a recognized escape sequence.",
        ),
        (
            "/name~",
            "Pointer `/name~` contains \"~\" not part of a recognized escape sequence.",
        ),
        ("/a/b", "Invalid JSON pointer for this resource: '/a/b'"),
    ];
    for (pointer, sentence) in cases {
        assert_eq!(refusal(&replacing(pointer)), sentence, "{pointer}");
    }
}

#[test]
fn attributes_stay_and_properties_must_be_there() {
    assert_eq!(
        refusal(&json!([{"op": "remove", "path": "/tags"}])),
        "Property tags may not be removed."
    );
    assert_eq!(
        refusal(&replacing("/missing")),
        "Property missing does not exist."
    );
    assert_eq!(
        refusal(&replacing("/status")),
        "Attribute 'status' is read-only."
    );
}

#[test]
fn formats_are_fixed_once_there_is_data() {
    let mut image = image();
    image.status = Status::Active;
    let document = json!([{"op": "replace", "path": "/disk_format", "value": "raw"}]);
    let changes = read(&document, Dialect::Draft10, &schema()).expect("a patch");
    for change in changes {
        assert_eq!(
            change.apply(&mut image),
            Err(Refusal::QueuedOnly("disk_format"))
        );
    }
}

#[test]
fn places_are_taken_one_by_one() {
    let place = json!({"url": "http://a/b", "metadata": {}});
    let document = json!([
        {"op": "add", "path": "/locations/-", "value": place},
        {"op": "remove", "path": "/locations/0"},
        {"op": "replace", "path": "/locations", "value": []},
    ]);
    assert_eq!(
        read(&document, Dialect::Draft10, &schema()),
        Ok(vec![
            Change::Locations(LocationChange::Add("-".to_owned(), place)),
            Change::Locations(LocationChange::Remove("0".to_owned())),
            Change::Locations(LocationChange::Replace(Vec::new())),
        ])
    );
}
