//! A store that has other bytes than the image: they reach nobody as the image, and are never cached.

use std::fs;

use super::MIB;
use super::process::{Image, Node};
use super::site::Site;

/// No client gets `data` as the image, and afterwards it lies aside, with the reason in the log.
#[track_caller]
fn refuses(site: &Site, node: &Node, image: &Image, data: &[u8], reason: &str) {
    fs::write(site.stored(image), data).unwrap();
    for _ in 0..2 {
        if let Ok(body) = node.download(image) {
            panic!("{} bytes came to a good end: {}", body.len(), node.log());
        }
        node.says(reason);
        assert_eq!(site.copies(), [""; 0]);
    }
    assert_eq!(site.files("cache/invalid"), [image.id.as_str()]);
    assert!(node.listing().is_empty());
}

#[test]
fn a_flipped_bit_breaks_the_connection_and_is_never_cached() {
    let site = Site::new();
    let node = site.start();
    for (size, at) in [(MIB, 0), (MIB, MIB - 1), (MIB, MIB / 2), (100, 50)] {
        let image = node.image(size);
        let mut data = image.data.clone();
        data[at] ^= 0x10;
        refuses(
            &site,
            &node,
            &image,
            &data,
            "is not the image's, and was put into invalid/: expected sha512",
        );

        fs::write(site.stored(&image), &image.data).unwrap();
        node.serves(&image);
        node.caches(&image);
        fs::remove_file(site.stored(&image)).unwrap();
        node.serves(&image);
        node.ask("DELETE", &format!("/v2/cache/{}", image.id));
        assert_eq!(node.ask("POST", "/v2/cache/clean").status, 200);
        assert_eq!(site.files("cache/invalid"), [""; 0]);
    }
    node.stop();
}

#[test]
fn data_of_another_length_is_as_bad() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(MIB);
    let short = format!("expected {MIB} bytes, got {}", MIB - 1);
    refuses(&site, &node, &image, &image.data[1..], &short);
    let long = [&image.data[..], b"!"].concat();
    let reason = format!("expected {MIB} bytes, got {}", MIB + 1);
    refuses(&site, &node, &image, &long, &reason);
    refuses(&site, &node, &image, b"", "got 0");
    node.stop();
}

/// Who hears that a fill was bad asks again at once, and the store has the right bytes by then.
#[test]
fn who_asks_again_does_not_meet_the_fill_that_was_bad() {
    let site = Site::new();
    let nodes = [site.start(), site.start()];
    for _ in 0..10 {
        let image = nodes[0].image(MIB);
        let right = site.path("right");
        fs::write(&right, &image.data).unwrap();
        fs::write(site.stored(&image), vec![0; MIB]).unwrap();
        // Who answers has opened the other file.
        let first = nodes[0].open(&image).unwrap();
        // It may hear so soon that the fill is bad that there is not even a beginning of an answer.
        let second = nodes[1].open(&image);
        fs::rename(&right, site.stored(&image)).unwrap();
        assert!(first.rest().is_err());
        assert!(second.is_err() || second.is_ok_and(|second| second.rest().is_err()));
        nodes[1].serves(&image);
        nodes[0].serves(&image);
    }
}
