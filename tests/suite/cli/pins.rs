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
    assert_eq!(
        pinned(),
        format!(
            "{{\"pinned_images\":[\"{IMAGE}\"],\"pinned_by\":{{\"{IMAGE}\":\"tag golden\"}}}}\n"
        )
    );
    let none = live.manage(&["pin", "--property", "disk_format=qcow2"]);
    assert_eq!(none.failing(1), "No image found with disk_format=qcow2\n");
    let out = live.manage(&["pin", "--json", OTHER]).quietly();
    assert_eq!(out, format!("{{\"pinned\":[\"{OTHER}\"],\"failed\":[]}}\n"));
    let would = live.manage(&["unpin", "--property", "disk_format=raw", "--dry-run"]);
    assert_eq!(would.quietly().lines().count(), 2);
    let table = live.manage(&["list-pinned"]).quietly();
    assert!(
        table.starts_with("Found 2 pinned images...\n+---"),
        "{table}"
    );
    assert!(table.contains("not cached"), "{table}");
    live.manage(&["unpin", IMAGE, "--tag", "golden"]).quietly();
    assert_eq!(
        pinned(),
        format!("{{\"pinned_images\":[\"{OTHER}\"],\"pinned_by\":{{}}}}\n")
    );
    let missing = "00000000-0000-4000-8000-000000000404";
    assert_eq!(
        live.manage(&["pin", missing]).failing(1),
        format!("{missing}: No image found with ID {missing}\n")
    );
}

#[test]
fn who_was_pinned_by_a_tag_is_unpinned_by_it_when_the_tag_is_gone() {
    let live = Live::with("queue_settle = 600")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    for id in [IMAGE, OTHER] {
        live.tagged(id, "golden");
        live.tagged(id, "old");
    }
    let both = ["--tag", "golden", "--property", "disk_format=raw"];
    live.manage(&[&["pin"][..], &both].concat()).quietly();
    // Asked for by name counts for more, now and later.
    live.manage(&["pin", OTHER]).quietly();
    live.manage(&["pin", "--tag", "golden"]).quietly();
    let shown = live.manage(&["show", OTHER]).quietly();
    assert!(
        shown.contains("\nPinned         yes, by its ID\n"),
        "{shown}"
    );
    let table = live.manage(&["list-pinned"]).quietly();
    assert!(table.contains("| tag golden, disk_format=raw |"), "{table}");
    for id in [IMAGE, OTHER] {
        live.untagged(id, "golden");
    }
    let unpin = ["unpin", "-v", "--tag", "golden"];
    let out = live.manage(&unpin).quietly();
    assert!(
        out.starts_with(&format!("Unpinned image {IMAGE}\nCompleted in ")),
        "{out}"
    );
    let nothing = live.manage(&unpin);
    assert_eq!(nothing.code, 0, "{nothing:?}");
    assert_eq!(nothing.err, "No pinned image found with tag golden.\n");
    assert!(!nothing.out.contains("Unpinned"), "{nothing:?}");

    let not = live.manage(&["unpin", "-v", IMAGE]);
    assert_eq!(not.code, 0, "{not:?}");
    assert_eq!(not.err, format!("Image {IMAGE} is not pinned.\n"));
    assert!(!not.out.contains("Unpinned"), "{not:?}");
    let left = live.manage(&["list-pinned", "--json"]).quietly();
    assert!(left.contains(OTHER) && !left.contains(IMAGE), "{left}");
}

#[test]
fn images_are_queued_by_what_they_are_pinned_by() {
    let live = Live::with("queue_settle = 600")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    live.tagged(IMAGE, "edge");
    let queued = || live.manage(&["list-queued", "--json"]).quietly();
    let by_tag = ["queue-image", "--force", "--tag", "edge"];
    let would = live.manage(&[&by_tag[..], &["--dry-run"]].concat());
    assert_eq!(
        would.quietly(),
        format!("Would queue image {IMAGE} for caching\n")
    );
    live.manage(&by_tag).quietly();
    assert_eq!(queued(), format!("{{\"queued_images\":[\"{IMAGE}\"]}}\n"));
    let both = ["queue-image", "-f", "--property", "disk_format=raw"];
    let out = live.manage(&[&both[..], &["--json", IMAGE]].concat());
    let out: serde_json::Value = serde_json::from_str(&out.quietly()).unwrap();
    assert_eq!(out["queued"].as_array().unwrap().len(), 2);
    assert!(queued().contains(OTHER));
    let none = live.manage(&["queue-image", "-f", "--tag", "nowhere"]);
    assert_eq!(none.failing(1), "No image found with tag nowhere\n");
    let unnamed = live.manage(&["queue-image", "-f"]);
    assert_eq!(
        unnamed.failing(1),
        "No image is named: write its ID behind the command\n"
    );
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
