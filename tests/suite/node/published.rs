//! Nodes with a cache each, which tell each other what they have.

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
