//! `glance-cache-manage top`, as one frame.

use serde_json::{Value, json};

use super::live::Live;
use super::{IMAGE, Node, OTHER};
use crate::support::until;

#[test]
fn a_frame_of_a_directory_tells_space_and_copies() {
    let node = Node::new()
        .holding(IMAGE, 3 << 20, 0)
        .holding(OTHER, 1 << 20, 60);
    node.manage(&["queue-image", "-f", "7b7bd5b9-0000-4f3b-a0be-5d0e4dc8c2b9"])
        .quietly();
    let told = node.manage(&["top", "--once"]).quietly();
    let lines: Vec<&str> = told.lines().collect();
    let title = format!("glance cache {} at ", node.cache().display());
    assert!(lines[0].starts_with(&title), "{told}");
    assert!(
        lines[2].starts_with("Space ") && lines[2].contains("4.0 MiB no limit is known"),
        "{told}"
    );
    assert_eq!(lines[3], "Copies   2 whole, 0 growing, 1 queued");
    assert_eq!(
        lines[4],
        "Hits     0.0% by the copies that are here: 0 hits, 2 fills"
    );
    assert_eq!(lines[7], "No image is brought in.");
    assert_eq!(lines[10], "No copy was used yet.");
}

#[test]
fn a_frame_of_an_api_tells_what_downloads_found() {
    let live = Live::with("")
        .holding(IMAGE, b"disk")
        .holding(OTHER, b"other");
    live.manage(&["queue-image", "-f", "--wait", IMAGE])
        .quietly();
    for _ in 0..3 {
        live.download(IMAGE, "");
    }
    live.download(OTHER, "");
    // Its copy is in its place a moment after its last byte has left.
    until("the second copy", || live.node.has(OTHER));
    let told = live.manage(&["top", "--once"]).quietly();
    assert!(
        told.contains(
            "\nHits     75.0% of 4 downloads, 12 B saved, 0 open\n         \
             3 hits, 0 along, 1 misses, 0 past\n"
        ),
        "{told}"
    );
    assert!(told.contains(" of 10.0 GiB, "), "{told}");
    assert!(told.contains(" free on disk\n"), "{told}");
    let used = told.lines().find(|line| line.starts_with(IMAGE)).unwrap();
    let cells: Vec<&str> = used.split_whitespace().collect();
    assert_eq!((cells[1], &cells[3..5]), ("3", &["4", "B"][..]), "{told}");

    let told = live.manage(&["top", "--json"]).quietly();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["downloads"]["hits"], json!(3));
    assert_eq!(told["hot"][0]["image_id"], json!(IMAGE));
    assert_eq!(told["copies"], json!(2));
}

#[test]
fn without_a_terminal_there_is_only_one_frame() {
    let refused = Node::new().manage(&["top"]).failing(1);
    assert!(refused.contains("--once prints one frame"), "{refused}");
}
