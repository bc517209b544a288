//! What a process has counted, read where Prometheus reads it.

use std::fs;
use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::json;

use super::http;
use super::process::{Image, Node};
use super::site::Site;
use super::{KIB, MIB};
use crate::support::{Exposition, eventually, until, unused_port};

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
    node.has_cached(&image);
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
    node.signal(Signal::USR2);
    node.says("report: 1 bad spans, 1 of them repaired; wrong data of 1 images from stores; ");
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
    for path in ["/metrics", "/cache"] {
        assert_eq!(node.get(path).status, 300);
    }
    node.stop();
}

/// A node with a page at this address, where an image comes slowly and another one is used.
fn busy(options: &str) -> (Site, Node, SocketAddr, [Image; 2]) {
    let own = SocketAddr::from(([127, 0, 0, 1], unused_port()));
    let rule = "[image_cache_prefetch:slow]\non = upload\ntag = slow\nbandwidth = 64KiB/s\n";
    let site = Site::with("", &format!("[metrics]\nlisten = {own}\n{options}\n{rule}"));
    let node = site.start();
    let hot = node.image(100 * KIB);
    node.serves(&hot);
    node.caches(&hot);
    node.serves(&hot);
    let slow = node.image_as(8 * MIB, &json!({"tags": ["slow"]}));
    let numbers = || http::ask(own, "GET", "/metrics", "", b"").unwrap().text();
    until("it grows, and nobody reads any more", || {
        let numbers = numbers();
        let told = ["glance_cache_growing 1", "glance_open_downloads 0"];
        told.iter()
            .all(|told| numbers.contains(&format!("\n{told}\n")))
    });
    (site, node, own, [hot, slow])
}

#[test]
fn people_see_on_a_page_what_the_cache_does() {
    let (_site, node, own, [hot, slow]) = busy("");
    let page = http::ask(own, "GET", "/cache", "", b"").unwrap();
    assert_eq!(page.status, 200);
    let head = |name: &str| page.headers[name].clone();
    assert_eq!(head("content-type"), "text/html; charset=utf-8");
    assert!(head("content-security-policy").contains("default-src 'none'"));
    let text = page.text();
    for told in [
        "<meta http-equiv=\"refresh\" content=\"5\">",
        "1 whole, 1 growing, 1 queued, 0 pinned",
        "50.0% of 2 downloads, 100.0 KiB saved, 0 open: 1 hits, 0 along, 1 misses, 0 past",
        &format!("<td>{}</td><td>1</td><td>100.0 KiB</td>", hot.id),
        " of 10.0 GiB, ",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let row = text.lines().find(|line| line.contains(&slow.id)).unwrap();
    assert!(row.contains("<td>8.0 MiB</td>"), "{row}");
    assert!(row.contains("B/s</td>"), "{row}");
    assert!(
        !text.contains("<script") && !text.contains("http:"),
        "{text}"
    );
    node.stop();
}

#[test]
fn who_may_not_list_the_cache_sees_no_page() {
    let (site, node, own, _) = busy("authenticate = true");
    for path in ["/metrics", "/metrics?images=1", "/cache"] {
        let status = http::ask(own, "GET", path, "", b"").unwrap().status;
        assert_eq!(status, 200, "{path}");
    }
    node.stop();
    let policy = site.path("policy.yaml");
    let rules = fs::read_to_string(&policy).unwrap();
    let refused = rules.replace("cache_list: \"\"", "cache_list: \"!\"");
    fs::write(&policy, refused).unwrap();
    let node = site.start();
    for path in ["/metrics", "/metrics?images=1", "/cache"] {
        let status = http::ask(own, "GET", path, "", b"").unwrap().status;
        assert_eq!(status, 403, "{path}");
    }
    node.stop();
}

#[test]
fn a_signal_writes_into_the_log_what_the_cache_does() {
    let (_site, node, _, [_, slow]) = busy("");
    node.signal(Signal::USR2);
    node.says(
        "report: 0 bad spans, 0 of them repaired; wrong data of 0 images from stores; \
         the cache directory can be used",
    );
    let fill = format!("report: image {} is brought in: ", slow.id);
    let of = format!(" of {} bytes, ", slow.data.len());
    let fill = [&fill[..], &of, " a second, ", " read along"];
    assert_eq!(node.lines_with(&fill), 1, "{}", node.log());
    node.says("report: 1 copies, 1 growing, 0 pinned, 1 queued; ");
    node.says("report: 50.0% of 2 downloads from the cache, 102400 bytes saved, 0 open");
    node.stop();
}

#[test]
fn images_have_series_of_their_own_only_where_somebody_asks() {
    let site = Site::with("", "[metrics]\npath = /metrics");
    let node = site.start();
    let images = [100 * KIB, 200 * KIB].map(|size| node.image(size));
    for (image, times) in images.iter().zip([2, 3]) {
        node.serves(image);
        node.caches(image);
        for _ in 0..times {
            node.serves(image);
        }
    }
    let told = |query: &str| {
        let answer = node.get(&format!("/metrics{query}"));
        assert_eq!(answer.status, 200, "{query}");
        let page = Exposition::read(&answer.text());
        let series = page.samples.into_iter();
        let series = series.filter(|(name, _)| name.contains("image=\""));
        series.collect::<Vec<_>>()
    };
    let of = |image: &Image, hits: usize| {
        let id = &image.id;
        let saved = hits * image.data.len();
        [
            (
                format!("glance_cache_image_hits{{image=\"{id}\"}}"),
                hits.to_string(),
            ),
            (
                format!("glance_cache_image_saved_bytes{{image=\"{id}\"}}"),
                saved.to_string(),
            ),
        ]
    };
    assert_eq!(told(""), []);
    assert_eq!(told("?images=0"), []);
    assert_eq!(told("?images=1"), of(&images[1], 3));
    let mut both = [of(&images[0], 2), of(&images[1], 3)].concat();
    both.sort();
    assert_eq!(told("?images=100000"), both);
    assert_eq!(node.get("/metrics?images=all").status, 400);
    node.stop();
}
