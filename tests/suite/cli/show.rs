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
Saved          0 by an estimate: hits x size
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
fn what_may_leave_says_when_and_what_stays_says_why() {
    let node = Node::new().holding(IMAGE, 10, 0).holding(OTHER, 20, 60);
    let show = |id| node.manage(&["show", id]).quietly();
    let pins = node.cache().join(".glance/pins");
    fs::create_dir_all(&pins).unwrap();
    let ways = node.cache().join(".glance/ways");
    fs::write(ways, "eviction lru\nttl 3600\n").unwrap();
    let told = show(OTHER);
    for line in [
        "Time To Live   3600 seconds after its last use, over at 2023-11-14T23:14:20\n",
        "Eviction       lru, turn 2 of 2\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    fs::write(pins.join(OTHER), "").unwrap();
    let wanted = format!("{IMAGE} gold\n{IMAGE} new ones\n");
    fs::write(node.cache().join(".glance/wanted"), wanted).unwrap();
    let told = show(OTHER);
    for line in [
        "Time To Live   3600 seconds, and it stays: it is pinned or wanted\n",
        "Eviction       never: it is pinned\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let told = show(IMAGE);
    for line in [
        "Wanted         by gold, new ones\n",
        "Eviction       lru, turn 1 of 1, after all that no rule wants\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
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
    let rule = "ttl = 3600\n[image_cache_prefetch:gold]\non = upload\ntag = gold\n";
    let live = Live::with(rule).holding(IMAGE, &data).holding(OTHER, &data);
    live.manage(&["queue-image", "-f", "--wait", IMAGE])
        .quietly();
    live.tagged(IMAGE, "gold");
    until("the rule has looked", || {
        let shown = live.manage(&["show", IMAGE]).quietly();
        shown.contains("\nWanted         by gold\n")
    });
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
    let saved = (&whole["saved_bytes"], &whole["turn"]["uses"]);
    assert_eq!(saved, (&json!(data.len()), &json!(1)));
    assert_eq!(whole["verified"]["by"], "fill");
    assert!(whole["verified"]["at"].as_f64() > Some(1.7e9), "{whole}");
    assert_eq!(whole["wanted_by"], json!(["gold"]));
    // A rule wants it.
    assert_eq!(
        (&whole["time_to_live"], &whole["expires_at"]),
        (&json!(3600.0), &Value::Null)
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
