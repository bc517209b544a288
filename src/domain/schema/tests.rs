use serde_json::json;

use super::*;

fn wrong(document: &Value) -> String {
    let formats = ["raw".to_owned(), "qcow2".to_owned()];
    let schema = documents::image(&formats, &["bare".to_owned()]);
    let mismatch = schema.validate(document).expect_err("it should not match");
    let sentence = mismatch.to_string();
    let (what, _) = sentence.split_once("\n\n").expect("the schema follows");
    let (_, what) = what.split_once(": ").expect("the sentence has an opening");
    what.to_owned()
}

#[test]
fn a_document_that_is_as_described_passes() {
    let schema = documents::image(&["raw".to_owned()], &[]);
    let document = json!({
        "id": "00000000-0000-4000-8000-000000000001", "name": null, "disk_format": "raw",
        "min_disk": 1000.0, "tags": ["a"], "hw_disk_bus": "virtio",
    });
    assert_eq!(schema.validate(&document), Ok(()));
}

#[test]
fn each_kind_of_fault_has_its_sentence() {
    assert_eq!(
        wrong(&json!({"name": 5})),
        "5 is not of type 'null', 'string'"
    );
    assert_eq!(
        wrong(&json!({"disk_format": "zip"})),
        "'zip' is not one of [None, 'raw', 'qcow2']"
    );
    assert_eq!(
        wrong(&json!({"id": "x"})),
        "'x' does not match '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'"
    );
    let long = "x".repeat(256);
    assert_eq!(
        wrong(&json!({"tags": [&long]})),
        format!("'{long}' is too long")
    );
    assert_eq!(
        wrong(&json!({"locations": [{"url": "a"}]})),
        "'metadata' is a required property"
    );
}

#[test]
fn a_property_that_is_no_text_is_refused() {
    assert_eq!(
        wrong(&json!({"custom": {"a": 1}})),
        "{'a': 1} is not of type 'string'"
    );
}

#[test]
fn the_type_is_named_before_the_choice() {
    assert_eq!(
        wrong(&json!({"disk_format": ["raw"]})),
        "['raw'] is not of type 'null', 'string'"
    );
}

#[test]
fn of_many_faults_the_outermost_is_named_and_then_the_last_by_name() {
    let document = json!({"name": 5, "tags": [1], "protected": "no"});
    assert_eq!(wrong(&document), "'no' is not of type 'boolean'");
}

#[test]
fn what_was_demanded_follows_the_sentence() {
    let schema = Schema::new("image", json!({"properties": {"a": {"type": "string"}}}));
    let mismatch = schema.validate(&json!({"a": 1})).expect_err("1 is no text");
    assert_eq!(
        mismatch.to_string(),
        "Provided object does not match schema 'image': 1 is not of type 'string'\n\n\
         Failed validating 'type' in schema['properties']['a']:\n    {'type': 'string'}\n\n\
         On instance['a']:\n    1"
    );
}
