//! Parts of images, cut fills and bad bytes, as clients of whole processes see them.

use std::fs;

use super::MIB;
use super::process::{Image, Node};
use super::site::Site;

const SPAN: usize = 4 * MIB;

/// RFC 9110, 14: what is asked for, the status, and what comes of an image of so many bytes.
fn cases(size: usize) -> Vec<(String, u16, std::ops::Range<usize>)> {
    let last = size - 1;
    vec![
        ("bytes=0-0".to_owned(), 206, 0..1),
        ("bytes=0-".to_owned(), 206, 0..size),
        ("bytes=5-9".to_owned(), 206, 5..10),
        (format!("bytes={last}-"), 206, last..size),
        (format!("bytes={last}-{size}"), 206, last..size),
        ("bytes=-1".to_owned(), 206, last..size),
        (format!("bytes=-{}", size + 5), 206, 0..size),
        (
            format!("bytes={}-{}", SPAN - 2, SPAN + 1),
            206,
            SPAN - 2..SPAN + 2,
        ),
        (
            format!("bytes={SPAN}-{}", 2 * SPAN - 1),
            206,
            SPAN..2 * SPAN,
        ),
        (format!("bytes={size}-"), 416, 0..0),
        (format!("bytes={}-{}", size + 1, size + 2), 416, 0..0),
        ("bytes=9-5".to_owned(), 416, 0..0),
    ]
}

fn answers_every_range(node: &Node, image: &Image) {
    for (asked, status, part) in cases(image.data.len()) {
        let answer = node.range(image, &asked);
        assert_eq!(answer.status, status, "{asked}: {}", answer.text());
        if status == 206 {
            assert!(answer.body == image.data[part], "{asked}: wrong bytes");
        }
    }
}

#[test]
fn ranges_are_the_same_of_missing_partial_growing_and_cached_images() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(3 * SPAN + 77);
    for (asked, status, part) in cases(image.data.len()) {
        // Of each nothing is here.
        node.ask("DELETE", &format!("/v2/cache/{}", image.id));
        let _ = fs::remove_file(site.cache(".glance/partial").join(&image.id));
        let answer = node.range(&image, &asked);
        assert_eq!(answer.status, status, "missing, {asked}: {}", answer.text());
        assert!(
            status != 206 || answer.body == image.data[part],
            "missing, {asked}"
        );
    }
    answers_every_range(&node, &image);
    assert!(node.listing().is_empty());

    // A client that reads no further than this holds nobody up.
    let growing = node.open(&image).unwrap();
    answers_every_range(&node, &image);
    drop(growing);
    node.caches(&image);
    fs::remove_file(site.stored(&image)).unwrap();
    answers_every_range(&node, &image);
    assert_eq!(node.listing()[&image.id], 0, "ranges are no hits");
    node.stop();
}

#[test]
fn what_a_killed_process_has_fetched_is_not_fetched_again() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(4 * SPAN);
    let part = node.range(&image, &format!("bytes=0-{}", 3 * SPAN - 1));
    assert!(part.body == image.data[..3 * SPAN]);
    node.kill();

    let node = site.start();
    // Whoever asked the store for these would get something else.
    let mut data = image.data.clone();
    data[..3 * SPAN].fill(0);
    fs::write(site.stored(&image), &data).unwrap();
    node.serves(&image);
    node.caches(&image);
    node.stop();
}

#[test]
fn a_part_is_brought_in_whole_where_that_is_wanted() {
    for (wanted, requests) in [("always", 1), ("second", 2)] {
        let site = Site::with("", &format!("fill_on_range = {wanted}"));
        let node = site.start();
        let image = node.image(2 * SPAN);
        for _ in 0..requests {
            assert!(node.listing().is_empty());
            assert_eq!(node.range(&image, "bytes=0-9").body, image.data[..10]);
        }
        node.caches(&image);
        node.serves(&image);
        node.stop();
    }
}

#[test]
fn a_flipped_byte_of_a_copy_reaches_nobody() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(2 * SPAN + 5);
    node.serves(&image);
    node.caches(&image);
    for at in [0, SPAN - 1, SPAN, 2 * SPAN + 4] {
        node.serves(&image);
        let path = site.cache(&image.id);
        let mut data = fs::read(&path).unwrap();
        data[at] ^= 1;
        fs::write(&path, data).unwrap();
        node.serves(&image);
        node.says("repaired span");
    }
    // Where it cannot be repaired, the connection breaks.
    let mut data = fs::read(site.cache(&image.id)).unwrap();
    data[SPAN + 5] ^= 1;
    fs::write(site.cache(&image.id), data).unwrap();
    fs::remove_file(site.stored(&image)).unwrap();
    assert!(node.download(&image).is_err(), "{}", node.log());
    node.stop();
}

#[test]
fn wrong_data_that_passes_the_cache_is_never_whole() {
    let site = Site::with("image_cache_max_size = 1000", "");
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    let mut data = image.data.clone();
    data[7] ^= 1;
    fs::write(site.stored(&image), data).unwrap();
    assert!(node.download(&image).is_err(), "{}", node.log());
    node.stop();
}
