//! Parts of images, cut fills and bad bytes, as clients of whole processes see them.

use std::fs;

use super::MIB;
use super::fsck::flip;
use super::process::Node;
use super::site::Site;

const SPAN: usize = 4 * MIB;

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
fn a_bit_that_flips_behind_a_fill_is_repaired_before_a_slow_reader_gets_it() {
    let site = Site::new();
    let nodes = [site.start(), site.start()];
    let image = nodes[0].image(12 * SPAN);
    // More than sockets buffer: they stand in the middle of it while the others are done.
    let mut slow: Vec<_> = nodes
        .iter()
        .map(|node| node.open(&image).unwrap())
        .collect();
    for opened in &mut slow {
        assert!(opened.read(MIB).unwrap() == image.data[..MIB]);
    }
    nodes[0].caches(&image);
    flip(site.cache(&image.id), 10 * SPAN + 77);
    for opened in slow {
        assert!(opened.rest().unwrap() == image.data[MIB..]);
    }
    nodes[0].says("of the growing copy of image");
    for node in &nodes {
        node.serves(&image);
    }
    assert_eq!(
        nodes
            .each_ref()
            .map(|node| node.lines_with(&["repaired span 10"]))
            .iter()
            .sum::<usize>(),
        1
    );
    nodes.into_iter().for_each(Node::stop);
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
