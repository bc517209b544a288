//! Nodes with a cache each, which tell each other what they have.

use std::fs;

use serde_json::Value;

use super::process::{Image, Node};
use super::site::Site;
use super::{MIB, eventually};

/// A node that calls itself `name`, on the database and store of the first.
fn node_of(first: Option<&Site>, name: &str) -> Site {
    let site = Site::with(
        &format!("image_cache_driver = centralized_db\nworker_self_reference_url = {name}"),
        "",
    );
    if let Some(first) = first {
        site.shares_with(first);
    }
    site
}

/// Who `node` says has a copy of the image.
fn holders(node: &Node, image: &Image) -> Vec<String> {
    let answer = node.get(&format!("/v2/cache/nodes/{}", image.id)).json();
    let names = answer.as_array().unwrap().iter().map(Value::as_str);
    let mut names: Vec<_> = names.map(|name| name.unwrap().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn comes_to(node: &Node, image: &Image, expected: &[&str]) {
    eventually(|| (holders(node, image) == expected).then_some(()));
}

#[test]
fn every_node_knows_who_has_a_copy() {
    let site = node_of(None, "http://one");
    let sibling = node_of(Some(&site), "http://two");
    let (one, two) = (site.start(), sibling.start());
    let image = one.image(MIB);
    assert!(holders(&two, &image).is_empty());

    one.serves(&image);
    one.caches(&image);
    assert_eq!(holders(&one, &image), ["http://one"]);
    comes_to(&two, &image, &["http://one"]);
    two.serves(&image);
    comes_to(&one, &image, &["http://one", "http://two"]);

    let dropped = one.ask("DELETE", &format!("/v2/cache/{}", image.id));
    assert_eq!(dropped.status, 204, "{}", dropped.text());
    assert_eq!(holders(&one, &image), ["http://two"]);
    comes_to(&two, &image, &["http://two"]);
    two.stop();
    assert_eq!(holders(&one, &image), ["http://two"]);
    one.stop();
}

#[test]
fn what_the_original_counted_in_the_database_is_taken_over() {
    let site = node_of(None, "http://one");
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    node.serves(&image);
    node.stop();
    // The original keeps nothing beside.
    fs::remove_file(site.cache("cache.db")).unwrap();
    fs::remove_dir_all(site.cache(".glance")).unwrap();
    let counted = |column| {
        let row = format!("SELECT CONCAT('', {column}) AS found FROM cached_images");
        site.database().ask(&row, "found")
    };
    assert_eq!(counted("hits"), ["1"]);
    (site.database())
        .run("UPDATE cached_images SET hits = 41, last_accessed = '2030-01-02 03:04:05'");

    let node = site.start();
    eventually(|| (node.listing()[&image.id] == 41).then_some(()));
    node.serves(&image);
    node.stop();
    assert_eq!(counted("hits"), ["42"]);
    assert!(
        counted("last_accessed")[0].starts_with("2030-01-02"),
        "{:?}",
        counted("last_accessed")
    );
}

#[test]
fn a_node_that_goes_from_sqlite_to_the_database_keeps_what_it_counted() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    node.serves(&image);
    node.stop();
    site.adds(
        "[DEFAULT]\nimage_cache_driver = centralized_db\nworker_self_reference_url = http://one",
    );
    let node = site.start();
    assert_eq!(node.listing()[&image.id], 1);
    let sql = "SELECT CONCAT('', hits) AS found FROM cached_images";
    eventually(|| (site.database().ask(sql, "found") == ["1"]).then_some(()));
    assert_eq!(holders(&node, &image), ["http://one"]);
    node.stop();
}

#[test]
fn what_changed_while_nobody_told_of_it_is_told_at_the_next_start() {
    let site = node_of(None, "http://one");
    let sibling = node_of(Some(&site), "http://two");
    let (one, two) = (site.start(), sibling.start());
    let (kept, removed) = (one.image(MIB), one.image(MIB));
    for image in [&kept, &removed] {
        one.serves(image);
        comes_to(&two, image, &["http://one"]);
    }
    one.stop();
    std::fs::remove_file(site.cache(&removed.id)).unwrap();
    let one = site.start();
    comes_to(&two, &removed, &[]);
    comes_to(&two, &kept, &["http://one"]);
    one.stop();
    two.stop();
}
