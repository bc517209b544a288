//! Pins, through the API and on a directory.

use std::fs;

use super::live::Live;
use super::{IMAGE, Node, OTHER};

#[test]
fn images_are_pinned_by_id_tag_and_property_through_the_api() {
    let live = Live::with("queue_settle = 600")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    let pinned = || live.manage(&["list-pinned", "--json"]).quietly();
    assert_eq!(
        live.manage(&["list-pinned"]).quietly(),
        "No pinned images.\n"
    );
    live.tagged(IMAGE, "golden");
    live.manage(&["pin", "--tag", "golden"]).quietly();
    let shown = live.manage(&["show", IMAGE]).quietly();
    assert!(
        shown.contains("\nPinned         yes, by tag golden\n"),
        "{shown}"
    );
    assert_eq!(pinned(), format!("{{\"pinned_images\":[\"{IMAGE}\"]}}\n"));
    live.manage(&["pin", "--property", "disk_format=qcow2"])
        .quietly();
    let would = live.manage(&["unpin", "--property", "disk_format=raw", "--dry-run"]);
    assert_eq!(would.quietly().lines().count(), 2);
    let out = live.manage(&["pin", "--json", OTHER]).quietly();
    assert_eq!(out, format!("{{\"pinned\":[\"{OTHER}\"],\"failed\":[]}}\n"));
    let table = live.manage(&["list-pinned"]).quietly();
    assert!(
        table.starts_with("Found 2 pinned images...\n+---"),
        "{table}"
    );
    assert!(table.contains("not cached"), "{table}");
    live.manage(&["unpin", IMAGE, "--tag", "golden"]).quietly();
    assert_eq!(pinned(), format!("{{\"pinned_images\":[\"{OTHER}\"]}}\n"));
    let missing = live.manage(&["pin", "00000000-0000-4000-8000-000000000404"]);
    assert_eq!(missing.code, 1, "{missing:?}");
}

#[test]
fn without_an_api_images_are_pinned_by_their_ids_alone() {
    let node = Node::new().holding(IMAGE, 3000, 1).holding(OTHER, 3000, 2);
    node.manage(&["pin", IMAGE]).quietly();
    let shown = node.manage(&["show", IMAGE]).quietly();
    assert!(
        shown.contains("\nPinned         yes, by its ID\n"),
        "{shown}"
    );
    assert!(node.has(format!(".glance/pins/{IMAGE}")));
    let table = node.manage(&["list-pinned", "--human"]).quietly();
    assert!(table.contains("2.9 KiB"), "{table}");
    let refused = node.manage(&["pin", "--tag", "golden"]);
    assert_eq!(refused.code, 1, "{refused:?}");

    // Of the two it was not used for longest, and stays.
    node.configure("image_cache_max_size = 4000");
    let conf = fs::read_to_string(node.conf()).unwrap();
    fs::write(
        node.conf(),
        format!("{conf}[image_cache]\neviction = lru\n"),
    )
    .unwrap();
    node.job(super::PRUNER, &[]).quietly();
    assert!(node.has(IMAGE) && !node.has(OTHER));
    node.manage(&["unpin", IMAGE]).quietly();
    assert_eq!(
        node.manage(&["list-pinned"]).quietly(),
        "No pinned images.\n"
    );
}
