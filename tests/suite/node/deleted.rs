//! Images that another node deletes.

use std::fs;

use super::MIB;
use super::fsck::is_clean;
use super::site::Site;
use crate::support::until;

#[test]
fn what_another_node_has_deleted_leaves_with_its_pin_and_what_nobody_knows_stays() {
    let site = Site::with("", "[metrics]\npath = /metrics\n");
    let other = Site::new();
    other.shares_with(&site);
    let (node, far) = (site.start(), other.start());
    let images = [(); 3].map(|()| node.image(MIB));
    for image in &images {
        node.serves(image);
        node.caches(image);
    }
    let pin = format!("/v2/cache/pins/{}", images[0].id);
    assert_eq!(node.ask("PUT", &pin).status, 204);
    node.stop();
    let gone = format!("/v2/images/{}", images[0].id);
    assert_eq!(far.ask("DELETE", &gone).status, 204);
    far.stop();
    // To the database the last one has never been.
    let unknown = &images[2];
    let tables = [
        ("image_locations", "image_id"),
        ("image_properties", "image_id"),
        ("images", "id"),
    ];
    for (table, column) in tables {
        let id = &unknown.id;
        (site.database()).run(&format!("DELETE FROM {table} WHERE {column} = '{id}'"));
    }

    let node = site.start();
    let pins = site.cache(".glance/pins");
    until("the pin is gone", || {
        fs::read_dir(&pins).unwrap().count() == 0
    });
    let dropped = format!("dropped the copy of image {}", images[0].id);
    node.says(&dropped);
    assert_eq!(node.lines_with(&[&dropped]), 1, "{}", node.log());
    let mut left = [&images[1], unknown].map(|image| image.id.clone());
    left.sort();
    assert_eq!(site.copies(), left);
    let counted = r#"glance_cache_evictions_total{reason="deleted"} 1"#;
    let metrics = node.get("/metrics").text();
    assert!(metrics.contains(counted), "{metrics}");
    node.stop();
    is_clean(&site);
}
