//! Stores that fail in the middle of an image, and clients that do not notice.

use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
use std::thread;

use glance::domain::checksum::HashAlgorithm;
use serde_json::json;
use tokio::runtime::Runtime;

use super::MIB;
use super::http;
use super::process::{Image, Node};
use super::site::Site;
use crate::support::{Origin, until};

pub(super) const SIZE: usize = 9 * MIB + 5;

const PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// A node that reads from web servers, and from `origin` on this machine, too.
fn site(origin: &Origin, cached: bool) -> Site {
    let room = if cached {
        ""
    } else {
        "image_cache_max_size = 0"
    };
    let site = Site::with(&format!("show_multiple_locations = true\n{room}"), "");
    site.adds(&reading(origin));
    site
}

/// What lets a node read from `origin`.
pub(super) fn reading(origin: &Origin) -> String {
    format!(
        "[glance_store]\nstores = file, http\n[server]\nstore_timeout = 60\n\
         [import_filtering_opts]\nallowed_ports = [{}]\nallowed_hosts = [127.0.0.1]",
        origin.port()
    )
}

/// An image whose data is at these places of the web server, in this order.
pub(super) fn located(node: &Node, origin: &Origin, places: &[String]) -> Image {
    let image = Image {
        data: Origin::bytes(SIZE),
        ..node.create()
    };
    let mut hasher = HashAlgorithm::Sha512.hasher();
    hasher.update(&image.data);
    let hash = hasher.finish();
    for (at, place) in places.iter().enumerate() {
        let mut value = json!({"url": origin.url(place), "metadata": {}});
        if at == 0 {
            value["validation_data"] = json!({"os_hash_algo": "sha512", "os_hash_value": hash});
        }
        let add = json!([{"op": "add", "path": "/locations/-", "value": value}]).to_string();
        let path = format!("/v2/images/{}", image.id);
        let added = http::ask(node.address, "PATCH", &path, PATCH, add.as_bytes()).unwrap();
        assert_eq!(added.status, 200, "{}", added.text());
    }
    image
}

/// Downloads an image from these places, through the cache and past it, and sees that the rest of it was asked
/// for of `second`.
fn is_read_on(places: &[&str], second: &str, options: &str) {
    let runtime = Runtime::new().unwrap();
    let is_read_on = |cached| {
        let origin = runtime.block_on(Origin::new());
        let site = site(&origin, cached);
        site.adds(options);
        let node = site.start();
        let places = places.iter().map(|place| format!("/{place}/{SIZE}"));
        let image = located(&node, &origin, &places.collect::<Vec<_>>());
        node.serves(&image);
        node.says("reading on at byte");
        let rest = origin.ranges();
        let rest = rest.last().expect("the rest was asked for");
        let asked = rest.strip_prefix(&format!("GET /{second}/{SIZE} bytes="));
        let from = asked.and_then(|range| range.strip_suffix(&format!("-{}", SIZE - 1)));
        let from: usize = from.unwrap_or_else(|| panic!("{rest}")).parse().unwrap();
        // What the connection had buffered when it broke may have been lost with it.
        assert!((1..=SIZE / 2).contains(&from), "{rest}");
        if cached {
            node.caches(&image);
            let before = origin.asked().len();
            node.serves(&image);
            assert_eq!(origin.asked().len(), before);
        }
        node.stop();
    };
    // Side by side, for both may have to wait.
    thread::scope(|scope| {
        scope.spawn(|| is_read_on(true));
        is_read_on(false);
    });
}

#[test]
fn a_store_that_breaks_in_the_middle_is_read_on_at_that_byte_at_the_next_location() {
    is_read_on(&["short", "bytes"], "bytes", "");
}

#[test]
fn a_store_that_falls_silent_in_the_middle_is_read_on_at_that_byte_at_the_next_location() {
    // So long that no other answer takes it, however busy the machine is.
    is_read_on(&["stall", "bytes"], "bytes", "[server]\nstore_timeout = 5");
}

#[test]
fn a_store_that_breaks_once_is_read_on_there_where_there_is_no_other() {
    is_read_on(&["flaky"], "flaky", "");
}

#[test]
fn a_store_that_only_falls_silent_breaks_the_connection_and_holds_nothing() {
    let runtime = Runtime::new().unwrap();
    for cached in [true, false] {
        let origin = runtime.block_on(Origin::new());
        let site = site(&origin, cached);
        site.adds("[server]\nstore_timeout = 0.5");
        let node = site.start();
        let image = located(&node, &origin, &[format!("/stall/{SIZE}")]);
        let opened = node.open(&image).unwrap();
        // On a busy machine it may not even have begun.
        if opened.status != 503 {
            let error = opened.rest().expect_err("a half is no image");
            assert!(
                matches!(error.kind(), UnexpectedEof | ConnectionReset),
                "nobody broke the connection: {error}"
            );
        }
        if cached {
            until("nobody brings it in", || {
                site.files("cache/incomplete").is_empty()
                    && site.files("cache/.glance/fills").is_empty()
            });
        }
        node.stop();
    }
}

#[test]
fn a_store_that_is_away_for_seconds_in_the_middle_is_waited_for() {
    let runtime = Runtime::new().unwrap();
    for cached in [true, false] {
        let origin = runtime.block_on(Origin::new());
        let site = site(&origin, cached);
        let node = site.start();
        let image = located(&node, &origin, &[format!("/away/{SIZE}")]);
        node.serves(&image);
        node.stop();
    }
}

#[test]
fn where_the_data_of_one_location_is_wrong_the_next_download_begins_at_another() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::new());
    let site = site(&origin, true);
    let node = site.start();
    let places = ["rotten", "bytes"].map(|kind| format!("/{kind}/{SIZE}"));
    let image = located(&node, &origin, &places);
    assert!(node.download(&image).is_err(), "{}", node.log());
    node.serves(&image);
    node.caches(&image);
    node.stop();
}

#[test]
fn what_is_read_on_past_the_cache_is_proven_as_well() {
    let runtime = Runtime::new().unwrap();
    for (kind, right) in [("rests", true), ("rots", false)] {
        let origin = runtime.block_on(Origin::new());
        let site = site(&origin, true);
        let [filler, follower] = [site.start(), site.start()];
        let image = located(&filler, &origin, &[format!("/{kind}/{SIZE}")]);
        // Nobody can go on with the fill when it breaks.
        std::fs::create_dir_all(site.cache(".glance/partial").join(&image.id)).unwrap();
        let filling = filler.open(&image).unwrap();
        let mut opened = follower.open(&image).unwrap();
        assert!(opened.read(1000).unwrap() == image.data[..1000]);
        filler.kill();
        drop(filling);
        match opened.rest() {
            Ok(rest) => assert!(right && rest == image.data[1000..], "{kind}"),
            Err(error) => assert!(!right, "{kind}: {error} {}", follower.log()),
        }
        follower.says("the copy of image");
        follower.stop();
    }
}

#[test]
fn nobody_gets_a_whole_image_whose_beginning_a_broken_fill_had_wrong() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::new());
    let site = site(&origin, true);
    // The store is asked again after 0.1, 0.3, 0.7, 1.5, 3.1 and 6.3 seconds, and after the sixth refusal no more.
    site.adds("[server]\nstore_timeout = 5");
    let node = site.start();
    let image = located(&node, &origin, &[format!("/lies/{SIZE}")]);
    if let Ok(answer) = node.download(&image) {
        let wrong = std::iter::zip(&answer, &image.data).position(|(a, b)| a != b);
        panic!("complete, wrong at {wrong:?}: {}", node.log());
    }
    node.says("the copy of image");
    node.stop();
}
