//! Copies that nobody used for their time to live.

use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::process::{Image, Node};
use super::site::Site;
use super::{MIB, http};
use crate::support::until;

/// Says so of an image that is cached, and lets the node know by asking for it once more.
fn lives_for_a_second(node: &Node, image: &Image) {
    let kind = "application/openstack-images-v2.1-json-patch";
    let add = json!([{"op": "add", "path": "/glance_cache_ttl", "value": "1"}]).to_string();
    let path = format!("/v2/images/{}", image.id);
    let added = http::ask(node.address, "PATCH", &path, kind, add.as_bytes()).unwrap();
    assert_eq!(added.status, 200, "{}", added.text());
    drop(node.open(image).unwrap());
}

#[test]
fn what_was_not_used_for_its_time_leaves_by_itself_and_disturbs_nobody() {
    let site = Site::with(
        "",
        "[metrics]\npath = /metrics\n[image_cache_prefetch:gold]\non = upload\ntag = gold\n",
    );
    let node = site.start();
    let for_a_second = json!({"glance_cache_ttl": "1"});
    let stays = node.image(MIB);
    let [pinned, leaves] = [(); 2].map(|()| node.image_as(MIB, &for_a_second));
    // What a rule wants would only be fetched again.
    let wanted = json!({"glance_cache_ttl": "1", "tags": ["gold"]});
    let wanted = node.image_as(MIB, &wanted);
    node.caches(&wanted);
    let read = node.image(48 * MIB);
    let pin = format!("/v2/cache/pins/{}", pinned.id);
    assert_eq!(node.ask("PUT", &pin).status, 204);
    for image in [&stays, &pinned, &leaves, &read] {
        node.serves(image);
        node.says(&format!("cached image {}", image.id));
    }
    let mut reader = node.open(&read).unwrap();
    let begin = reader.read(MIB).unwrap();
    // Only now, or it might have left before it is read.
    lives_for_a_second(&node, &read);
    for image in [&leaves, &read] {
        node.says(&format!("expired image {}", image.id));
        assert!(!site.cache(&image.id).exists());
    }
    assert!(begin == read.data[..MIB] && reader.rest().unwrap() == read.data[MIB..]);
    let counted = r#"glance_cache_evictions_total{reason="expired"} 2"#;
    until("both are counted", || {
        node.get("/metrics").text().contains(counted)
    });
    let mut left = [&stays, &pinned, &wanted].map(|image| image.id.clone());
    left.sort();
    assert_eq!(site.copies(), left);

    // A service that is started anew knows of it, too.
    let mut node = node;
    loop {
        node.serves(&leaves);
        node.stop();
        let is_there = site.cache(&leaves.id).exists();
        node = site.start();
        // On a busy machine it may have left before the end.
        if is_there {
            break;
        }
    }
    node.says(&format!("expired image {}", leaves.id));
    // What the rule wants may have left and come again: it is known when the rule has looked.
    let others = |ids: Vec<String>| ids.into_iter().filter(|id| *id != wanted.id);
    assert!(others(site.copies()).eq(others(left.to_vec())));
    node.stop();
}

#[test]
fn an_index_that_is_lost_costs_no_time_to_live() {
    let site = Site::new();
    let node = site.start();
    let with = |life: &str| node.image_as(MIB, &json!({"glance_cache_ttl": life}));
    let (leaves, wrong, stays) = (with("600"), with("-5"), node.image(MIB));
    for image in [&leaves, &wrong, &wrong, &stays] {
        node.serves(image);
        node.says(&format!("cached image {}", image.id));
    }
    let refused = [wrong.id.as_str(), "does not count", "\"-5\""];
    assert_eq!(node.lines_with(&refused), 1, "{}", node.log());
    node.stop();

    fs::remove_file(site.cache("cache.db")).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let old = FileTimes::new().set_accessed(old).set_modified(old);
    for image in [&leaves, &wrong, &stays] {
        let file = File::options().write(true).open(site.cache(&image.id));
        file.unwrap().set_times(old).unwrap();
    }
    let node = site.start();
    // With a copy that is to live for a second only one looks every second, and it stays for its pin.
    let pinned = node.image_as(MIB, &json!({"glance_cache_ttl": "1"}));
    let pin = format!("/v2/cache/pins/{}", pinned.id);
    assert_eq!(node.ask("PUT", &pin).status, 204);
    node.serves(&pinned);
    node.caches(&pinned);
    node.says(&format!("expired image {}", leaves.id));
    let mut left = [&wrong, &stays, &pinned].map(|image| image.id.clone());
    left.sort();
    assert_eq!(site.copies(), left);
    node.stop();
}
