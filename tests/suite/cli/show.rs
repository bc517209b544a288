//! `glance-cache-manage show`: one image, on a directory and through the API.

use std::fs;

use serde_json::{Value, json};

use super::live::Live;
use super::{IMAGE, Node, OTHER};
use crate::support::until;

const MIB: usize = 1 << 20;

#[test]
fn an_image_that_somebody_else_put_there_is_told_to_be_unproven() {
    let node = Node::new().holding(IMAGE, 10 << 20, 0);
    let told = node.manage(&["show", IMAGE]).quietly();
    let expected = format!(
        "\
Image          {IMAGE}
State          cached
Pinned         no
Path           {}
Size           10485760
Here           10485760
Hits           0
Last Accessed  2023-11-14T22:13:20
Last Modified  2023-11-14T22:13:20
Verification   not yet: somebody else put it there, and it is proven when it is served
Spans          3 of 4.0 MiB: 3 here, 0 with checksums, 0 missing
Map            [ooo] a mark for each span: # checksummed, o here, + some, . missing
",
        node.cache().join(IMAGE).display()
    );
    assert_eq!(told, expected);
    let told = node.manage(&["show", IMAGE, "--human"]).quietly();
    assert!(told.contains("Size           10.0 MiB\n"), "{told}");
}

#[test]
fn an_image_that_is_not_here_is_absent_or_queued() {
    let node = Node::new();
    let told = node.manage(&["show", IMAGE]).quietly();
    assert_eq!(
        told,
        format!("Image          {IMAGE}\nState          absent\n")
    );
    node.manage(&["queue-image", "-f", IMAGE]).quietly();
    let told = node.manage(&["show", "--json", IMAGE]).quietly();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["state"], &told["queued"]),
        (&json!("queued"), &json!(true))
    );
    assert_eq!(told["path"], Value::Null);
}

#[test]
fn show_wants_an_id() {
    let node = Node::new();
    assert_eq!(
        node.manage(&["show"]).failing(1),
        "No image is named: write its ID behind the command\n"
    );
    let refused = node.manage(&["show", "../x"]).failing(1);
    assert_eq!(refused, "Image ID '../x' is not a valid UUID.\n");
}

#[test]
fn the_api_tells_the_same_as_the_directory() {
    let data = vec![7; 9 * MIB];
    let live = Live::with("").holding(IMAGE, &data).holding(OTHER, &data);
    live.manage(&["queue-image", "-f", "--wait", IMAGE])
        .quietly();
    live.download(IMAGE, "");
    live.download(OTHER, "Range: bytes=5000000-5000001\r\n");

    let mut told = Vec::new();
    for id in [IMAGE, OTHER] {
        let by_api = live.manage(&["show", "--json", id]).quietly();
        let by_api: Value = serde_json::from_str(&by_api).unwrap();
        until("the hits are written", || {
            let alone = live.node.manage(&["show", "--json", id]).quietly();
            serde_json::from_str::<Value>(&alone).unwrap() == by_api
        });
        told.push(by_api);
    }
    let [whole, part] = &told[..] else {
        panic!("two were shown");
    };
    assert_eq!(whole["state"], "cached");
    assert_eq!(whole["verification"], "proven");
    assert_eq!(
        (&whole["hits"], &whole["here"]),
        (&json!(1), &json!(data.len()))
    );
    let digest = whole["digest"].as_str().unwrap();
    assert!(digest.starts_with("sha512:"), "{digest}");
    assert_eq!(whole["spans"], json!([{"span": "checksummed", "count": 3}]));
    assert_eq!(part["state"], "part");
    assert_eq!(part["here"], 4 * MIB);
    assert_eq!(
        part["spans"],
        json!([
            {"span": "missing", "count": 1},
            {"span": "checksummed", "count": 1},
            {"span": "missing", "count": 1},
        ])
    );
    let path = part["path"].as_str().unwrap();
    assert!(fs::metadata(path).is_ok(), "{path}");
}
