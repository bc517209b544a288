//! What a process has counted, read where Prometheus reads it.

use std::fs;

use super::http;
use super::process::{Image, Node};
use super::site::Site;
use super::{KIB, MIB};
use crate::support::{Exposition, eventually, unused_port};

const SPAN: usize = 4 * MIB;

fn page(node: &Node) -> Exposition {
    let answer = node.get("/metrics");
    assert_eq!(answer.status, 200);
    Exposition::read(&answer.text())
}

#[track_caller]
fn counts(node: &Node, expected: &[(&str, u64)]) {
    let page = page(node);
    for (series, value) in expected {
        assert_eq!(page.value(series), *value, "{series}: {:#?}", page.samples);
    }
}

/// Waits until nothing of it is on its way any more.
fn settled(node: &Node) {
    eventually(|| (page(node).value("glance_open_downloads") == 0).then_some(()));
}

fn bytes(images: &[&Image]) -> u64 {
    images.iter().map(|image| image.data.len()).sum::<usize>() as u64
}

#[test]
fn downloads_and_fills_are_counted_where_they_happen() {
    let site = Site::with("", "[metrics]\npath = /metrics");
    let node = site.start();
    let image = node.image(2 * SPAN + 5);
    node.serves(&image);
    node.caches(&image);
    for _ in 0..2 {
        node.serves(&image);
    }
    assert_eq!(node.range(&image, "bytes=0-9").status, 206);
    settled(&node);
    let whole = bytes(&[&image]);
    counts(
        &node,
        &[
            (r#"glance_downloads_total{result="miss",asked="whole"}"#, 1),
            (r#"glance_downloads_total{result="hit",asked="whole"}"#, 2),
            (r#"glance_downloads_total{result="hit",asked="range"}"#, 1),
            (r#"glance_served_bytes_total{source="along"}"#, whole),
            (
                r#"glance_served_bytes_total{source="cache"}"#,
                2 * whole + 10,
            ),
            ("glance_saved_bytes_total", 2 * whole + 10),
            (r#"glance_store_read_bytes_total{store="file"}"#, whole),
            (r#"glance_cache_fills_total{outcome="cached"}"#, 1),
            ("glance_cache_filled_bytes_total", whole),
            ("glance_cache_fill_seconds_count", 1),
            ("glance_cache_copies", 1),
            ("glance_cache_used_bytes", whole),
            ("glance_cache_limit_bytes", 10_737_418_240),
            ("glance_cache_growing", 0),
        ],
    );
    node.stop();
}

#[test]
fn what_leaves_or_goes_bad_is_counted_with_its_reason() {
    let site = Site::with(
        "image_cache_max_size = 300000",
        "[metrics]\npath = /metrics",
    );
    let node = site.start();
    let images = [(); 4].map(|()| node.image(100 * KIB));
    for image in &images[..3] {
        node.serves(image);
        node.says(&format!("cached image {}", image.id));
    }
    node.ask("DELETE", &format!("/v2/cache/{}", images[2].id));
    let mut data = images[1].data.clone();
    data[7] ^= 1;
    fs::write(site.cache(&images[1].id), data).unwrap();
    node.serves(&images[1]);
    fs::write(site.stored(&images[3]), b"other").unwrap();
    assert!(node.download(&images[3]).is_err());
    settled(&node);
    counts(
        &node,
        &[
            (r#"glance_cache_evictions_total{reason="room"}"#, 1),
            (
                r#"glance_cache_evicted_bytes_total{reason="room"}"#,
                bytes(&[&images[0]]),
            ),
            (r#"glance_cache_evictions_total{reason="asked"}"#, 1),
            (r#"glance_cache_evictions_total{reason="pruned"}"#, 0),
            ("glance_cache_verify_failures_total", 1),
            ("glance_cache_spans_repaired_total", 1),
            (r#"glance_cache_fills_total{outcome="wrong"}"#, 1),
        ],
    );
    // Each has a line in the log, too.
    for parts in [
        ["evicted image", &images[0].id, "reason=room"],
        ["dropped the copy", &images[2].id, "reason=asked"],
        ["repaired span", &images[1].id, "what=copy"],
        ["was put into invalid/", &images[3].id, "outcome=wrong"],
        ["cached image", &images[0].id, "outcome=cached"],
    ] {
        assert_eq!(node.lines_with(&parts), 1, "{parts:?}: {}", node.log());
    }
    let fill = [
        "cached image",
        "bytes=102400",
        "seconds=",
        "rate=",
        "store=file",
    ];
    assert_eq!(node.lines_with(&fill), 3, "{}", node.log());
    node.stop();
}

#[test]
fn an_address_of_its_own_tells_nobody_else() {
    let port = unused_port();
    let site = Site::with("", &format!("[metrics]\nlisten = 127.0.0.1:{port}"));
    let node = site.start();
    let own = ([127, 0, 0, 1], port).into();
    let answer = http::ask(own, "GET", "/metrics", "", b"").unwrap();
    assert_eq!(answer.status, 200);
    Exposition::read(&answer.text());
    assert_eq!(
        http::ask(own, "GET", "/v2/images", "", b"").unwrap().status,
        404
    );
    assert_eq!(node.get("/metrics").status, 300);
    node.stop();
}
