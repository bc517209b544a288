//! Copies and tables of which one was damaged.

use std::fs;

use super::super::MIB;
use super::super::process::Image;
use super::super::site::Site;
use super::{Ended, SPAN, flip, fsck, is_clean, is_mended, stopped};
use crate::support::{CACHE_MANAGE, run};

/// In the head of a table: the size, and a digit of the digest. Behind it: a checksum.
const SIZE: usize = 8;
const DIGEST: usize = 50;
const SUM: usize = 256 + 3;

/// What `fsck` says without a database.
fn alone(site: &Site, arguments: &[&str]) -> Ended {
    let mut command = site.plain(CACHE_MANAGE);
    command
        .args(["fsck", "--cache-dir"])
        .arg(site.path("cache"));
    run(command.args(arguments))
}

fn damage(site: &Site, image: &Image, at: usize) {
    flip(site.cache(".glance/spans").join(&image.id), at);
}

/// All of it comes from the copy, and it is not hashed again.
#[track_caller]
fn is_served_as_it_is(site: &Site, image: &Image) {
    let stored = site.stored(image);
    let away = stored.with_extension("away");
    fs::rename(&stored, &away).unwrap();
    let node = site.start();
    node.serves(image);
    assert_eq!(node.lines_with(&["verified the copy of image"]), 0);
    node.stop();
    fs::rename(away, stored).unwrap();
}

#[test]
fn a_right_copy_with_a_damaged_table_is_hashed_and_gets_another() {
    let (site, images) = stopped(&[5 * MIB]);
    let image = &images[0];
    let would = "the copy would be hashed: it gets a new table where it has the digest";
    let did = "the copy has the digest, and got a new table";
    for (at, told) in [
        (
            SIZE,
            "has 5242880 bytes, and its table of spans says 5242881",
        ),
        (DIGEST, "is of other data than the image has now"),
        (
            SUM,
            "has other checksums in 1 of its 2 spans than its table says",
        ),
    ] {
        damage(&site, image, at);
        let found = fsck(&site, &["--verify"]);
        assert_eq!(found.code, 1, "{found:?}");
        assert!(
            found.out.contains(told) && found.out.contains(would),
            "{found:?}"
        );
        let repaired = fsck(&site, &["--verify", "--repair"]);
        assert_eq!(repaired.code, 0, "{repaired:?}");
        assert!(repaired.out.contains(did), "{repaired:?}");
        is_clean(&site);
        assert_eq!(site.copies(), [&*image.id]);
        is_served_as_it_is(&site, image);
    }
}

#[test]
fn without_a_database_the_digest_in_the_table_tells() {
    let (site, images) = stopped(&[5 * MIB]);
    damage(&site, &images[0], SIZE);
    let repaired = alone(&site, &["--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(repaired.out.contains("got a new table"), "{repaired:?}");
    is_clean(&site);
    is_served_as_it_is(&site, &images[0]);

    // Of both, nobody can tell which is wrong.
    damage(&site, &images[0], SIZE);
    damage(&site, &images[0], DIGEST);
    let repaired = alone(&site, &["--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(repaired.out.contains("left the cache"), "{repaired:?}");
    assert_eq!(site.copies(), [""; 0]);
}

#[test]
fn a_wrong_copy_with_a_damaged_table_leaves() {
    for at in [SIZE, DIGEST] {
        let (site, images) = stopped(&[5 * MIB]);
        damage(&site, &images[0], at);
        flip(site.cache(&images[0].id), 77);
        let repaired = fsck(&site, &["--repair"]);
        assert_eq!(repaired.code, 0, "{repaired:?}");
        let did = "the copy does not have the digest, and left the cache";
        assert!(repaired.out.contains(did), "{repaired:?}");
        assert_eq!(site.copies(), [""; 0]);
        is_clean(&site);
    }
}

#[test]
fn bad_bytes_of_a_copy_that_was_moved_are_found_and_the_rest_is_kept() {
    let (site, images) = stopped(&[5 * MIB, MIB]);
    for image in &images {
        let copy = site.cache(&image.id);
        fs::copy(&copy, site.path("other")).unwrap();
        fs::rename(site.path("other"), copy).unwrap();
    }
    flip(site.cache(&images[0].id), 5 * MIB - 1);
    let found = fsck(&site, &["--verify"]);
    assert_eq!(found.code, 1, "{found:?}");
    let right = format!("note: {}: lies in another file than", images[1].id);
    assert!(found.out.contains(&right), "{found:?}");
    let repaired = fsck(&site, &["--verify", "--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    let told = "has bad bytes in 1 of its 2 spans; became a part";
    assert!(repaired.out.contains(told), "{repaired:?}");
    let told = "all of it is right, and the table is this file's now";
    assert!(repaired.out.contains(told), "{repaired:?}");
    is_clean(&site);
    is_served_as_it_is(&site, &images[1]);

    // No more is fetched than the span that was bad.
    let mut store = images[0].data.clone();
    store[..4 * MIB].fill(0);
    fs::write(site.stored(&images[0]), store).unwrap();
    let node = site.start();
    node.serves(&images[0]);
    node.caches(&images[0]);
    node.stop();
    is_clean(&site);
}

#[test]
fn a_bad_span_is_all_that_is_fetched_again() {
    let (site, images) = stopped(&[3 * SPAN]);
    let image = &images[0];
    flip(site.cache(&image.id), SPAN + 9);
    assert_eq!(fsck(&site, &[]).code, 0, "without --verify no byte is read");
    is_mended(&site, "has bad bytes in 1 of its 3 spans");
    assert_eq!(site.copies(), [""; 0]);

    let mut store = image.data.clone();
    store[..SPAN].fill(0);
    store[2 * SPAN..].fill(0);
    fs::write(site.stored(image), store).unwrap();
    let node = site.start();
    node.serves(image);
    node.caches(image);
    node.stop();
    is_clean(&site);
}
