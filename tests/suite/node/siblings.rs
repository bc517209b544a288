//! Two processes on one database, one store and one cache directory.

use std::fs;

use super::process::Node;
use super::site::Site;
use super::stampede::stampede;
use super::{MIB, eventually};
use crate::support::until;

#[test]
fn a_stampede_on_two_processes_is_one_fill() {
    let site = Site::new();
    let nodes = [site.start(), site.start()];
    let image = nodes[0].image(4 * MIB);
    stampede(&[&nodes[0], &nodes[1]], &image, 40);
    for node in &nodes {
        node.caches(&image);
        assert_eq!(node.lines_with(&["source=store"]), 0, "{}", node.log());
        assert_eq!(node.lines_with(&["broke"]), 0, "{}", node.log());
    }
    let filled = || {
        let lines = nodes
            .each_ref()
            .map(|node| node.lines_with(&["cached image"]));
        lines.iter().sum::<usize>()
    };
    // The line comes after the copy.
    until("one tells of it", || filled() > 0);
    assert_eq!(filled(), 1);
    nodes.into_iter().for_each(Node::stop);
    assert_eq!(site.copies(), [image.id]);
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
}

#[test]
fn each_lists_counts_and_drops_what_the_other_has_brought_in() {
    let site = Site::new();
    let (one, other) = (site.start(), site.start());
    let image = one.image(MIB);
    one.serves(&image);
    one.caches(&image);
    assert_eq!(other.listing()[&image.id], 0);
    fs::rename(site.stored(&image), site.path("away")).unwrap();

    one.serves(&image);
    other.serves(&image);
    other.serves(&image);
    for node in [&one, &other] {
        // What the other process has not written yet comes within a moment.
        eventually(|| (node.listing()[&image.id] == 3).then_some(()));
    }

    let dropped = other.ask("DELETE", &format!("/v2/cache/{}", image.id));
    assert_eq!(dropped.status, 204, "{}", dropped.text());
    assert!(one.listing().is_empty());
    // Neither store nor cache has it now.
    let lost = one.open(&image).unwrap();
    assert_eq!(lost.status, 204);
    drop(lost);

    fs::rename(site.path("away"), site.stored(&image)).unwrap();
    one.serves(&image);
    other.caches(&image);
    assert_eq!(other.listing()[&image.id], 0, "a new copy has no hits");
    one.stop();
    other.stop();
}

#[test]
fn who_reads_along_with_a_process_that_is_killed_gets_all_of_it() {
    let site = Site::new();
    let (filler, other) = (site.start(), site.start());
    let image = filler.image(16 * MIB);
    let mut first = filler.open(&image).unwrap();
    first.read(MIB).unwrap();
    let mut along = other.open(&image).unwrap();
    let mut body = along.read(MIB / 2).unwrap();
    filler.kill();
    body.extend(along.rest().unwrap());
    assert!(body == image.data, "{}", other.log());
    assert!(first.rest().is_err());

    other.serves(&image);
    other.caches(&image);
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
    other.stop();
}

#[test]
fn an_image_that_is_deleted_through_one_process_leaves_the_cache_of_both() {
    let site = Site::new();
    let (one, other) = (site.start(), site.start());
    let image = one.image(MIB);
    other.serves(&image);
    other.caches(&image);
    let deleted = one.ask("DELETE", &format!("/v2/images/{}", image.id));
    assert_eq!(deleted.status, 204);
    assert_eq!(site.copies(), [""; 0]);
    assert!(other.listing().is_empty());
    assert_eq!(other.open(&image).unwrap().status, 404);
}
