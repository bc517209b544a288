//! Every kind of difference is seen, and what may differ is not.

use serde_json::json;

use super::*;

fn expectation(value: Value) -> Expectation {
    serde_json::from_value(value).unwrap()
}

/// The differences between `want` and the same with `change` at `pointer`.
fn altered(want: &Value, pointer: &str, change: Value) -> Vec<String> {
    let mut got = want.clone();
    *got.pointer_mut(pointer).expect("a place to alter") = change;
    let want = expectation(want.clone());
    assert_eq!(compare(&want, &want, &[]), [""; 0]);
    compare(&want, &expectation(got), &[])
}

fn image() -> Value {
    json!({
        "status": 200,
        "headers": {"Content-Type": "application/json", "Allow": "GET, PUT"},
        "json": {"id": "${image}", "size": null, "protected": false, "tags": ["a", "b"],
                 "next": "/v2/images?limit=2&name=a%20b"}
    })
}

#[test]
fn another_status_is_seen() {
    let seen = altered(&image(), "/status", json!(201));
    assert_eq!(seen, ["status: should be 200, is 201"]);
}

#[test]
fn another_header_is_seen() {
    let seen = altered(&image(), "/headers/Content-Type", json!("text/plain"));
    assert_eq!(
        seen,
        ["header Content-Type: should be application/json, is text/plain"]
    );
}

#[test]
fn a_header_that_comes_or_goes_is_seen() {
    let (more, less) = (image(), json!({"status": 200, "body": "empty"}));
    let more = json!({"status": 200, "headers": more["headers"], "body": "empty"});
    let (more, less) = (expectation(more), expectation(less));
    assert_eq!(
        compare(&more, &less, &[]),
        [
            "header Content-Type: missing, should be application/json",
            "header Allow: missing, should be GET, PUT"
        ]
    );
    assert_eq!(
        compare(&less, &more, &[]),
        [
            "header Content-Type: should not be there: application/json",
            "header Allow: should not be there: GET, PUT"
        ]
    );
}

#[test]
fn the_order_of_a_header_that_lists_is_any() {
    assert_eq!(
        altered(&image(), "/headers/Allow", json!("PUT,GET")),
        [""; 0]
    );
    assert_eq!(altered(&image(), "/headers/Allow", json!("PUT")).len(), 1);
}

#[test]
fn another_value_in_json_is_seen() {
    let seen = [
        altered(&image(), "/json/id", json!("<uuid>")),
        altered(&image(), "/json/size", json!(0)),
        altered(&image(), "/json/protected", json!("false")),
        altered(&image(), "/json/tags/1", json!("c")),
        altered(&image(), "/json/tags", json!(["b", "a"])),
        altered(&image(), "/json/tags", json!(["a"])),
        altered(
            &image(),
            "/json/next",
            json!("/v2/images?limit=3&name=a%20b"),
        ),
    ];
    assert_eq!(
        seen.concat(),
        [
            "json.id: should be \"${image}\", is \"<uuid>\"",
            "json.size: should be null, is 0",
            "json.protected: should be false, is \"false\"",
            "json.tags[1]: should be \"b\", is \"c\"",
            "json.tags[0]: should be \"a\", is \"b\"",
            "json.tags[1]: should be \"b\", is \"a\"",
            "json.tags: should have 2 items, has 1",
            "json.next: should be \"/v2/images?limit=2&name=a%20b\", is \"/v2/images?limit=3&name=a%20b\"",
        ]
    );
}

#[test]
fn a_value_in_json_that_comes_or_goes_is_seen() {
    let (more, less) = (json!({"a": {"b": 1}}), json!({"a": {}}));
    let [more, less] = [more, less].map(|json| expectation(json!({"status": 200, "json": json})));
    assert_eq!(
        compare(&more, &less, &[]),
        ["json.a.b: missing, should be 1"]
    );
    assert_eq!(
        compare(&less, &more, &[]),
        ["json.a.b: should not be there: 1"]
    );
}

#[test]
fn the_order_and_escaping_in_a_link_are_any() {
    let seen = altered(&image(), "/json/next", json!("/v2/images?name=a+b&limit=2"));
    assert_eq!(seen, [""; 0]);
}

#[test]
fn another_sentence_or_kind_of_error_is_seen() {
    let error = json!({"status": 404, "error": {"kind": "html", "sentence": "No image"}});
    assert_eq!(
        altered(&error, "/error/sentence", json!("No images")).len(),
        1
    );
    assert_eq!(altered(&error, "/error/kind", json!("json")).len(), 1);
}

#[test]
fn other_data_are_seen() {
    let data = json!({"status": 200, "bytes": {"size": 1, "sha256": "ab"}});
    assert_eq!(altered(&data, "/bytes/size", json!(2)).len(), 1);
    assert_eq!(altered(&data, "/bytes/sha256", json!("ac")).len(), 1);
}

#[test]
fn another_line_of_text_is_seen() {
    let text = json!({"status": 200, "text": "a\nb\n"});
    let seen = altered(&text, "/text", json!("a\nc\n"));
    assert_eq!(
        seen,
        ["text, line 2: should be Some(\"b\"), is Some(\"c\")"]
    );
    assert_eq!(altered(&text, "/text", json!("a\nb")).len(), 1);
}

#[test]
fn another_kind_of_content_is_seen() {
    let want = expectation(json!({"status": 200, "body": "empty"}));
    let got = expectation(json!({"status": 200, "json": {}}));
    let seen = ["content: should be Body(Empty), is Json(Object {})"];
    assert_eq!(compare(&want, &got, &[]), seen);
}

#[test]
fn only_what_is_ignored_may_differ() {
    let mut other = image();
    other["json"]["size"] = json!(5);
    let (want, got) = (expectation(image()), expectation(other));
    assert_eq!(
        compare(&want, &got, &[Ignored::Member("size".into())]),
        [""; 0]
    );
    assert_eq!(
        compare(&want, &got, &[Ignored::Member("id".into())]).len(),
        1
    );
    assert_eq!(compare(&want, &got, &[Ignored::Sentence]).len(), 1);
}
