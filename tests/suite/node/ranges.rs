//! RFC 9110, 14: parts of images as a table of cases, the same whatever the node has of the image.

use std::fs;
use std::ops::Range;

use super::MIB;
use super::http::{self, Answer};
use super::process::{Image, Node};
use super::site::Site;
use crate::support::until;

const SPAN: usize = 4 * MIB;

/// Which data a range is to be of.
#[derive(Debug, Clone, Copy)]
enum If {
    Any,
    /// That of the image.
    Same,
    /// By other tags: of other data, by a weak one, by a date.
    Other(&'static str),
}

/// What is asked for, the status, and which bytes come.
#[derive(Debug, Clone)]
struct Case {
    range: Option<String>,
    condition: If,
    status: u16,
    bytes: Range<usize>,
}

const DATE: &str = "Wed, 21 Oct 2015 07:28:00 GMT";

/// The table for an image of so many bytes.
fn cases(size: usize) -> Vec<Case> {
    let last = size - 1;
    let case = |range: &str, status, bytes| Case {
        range: Some(range.to_owned()),
        condition: If::Any,
        status,
        bytes,
    };
    let none = 0..0;
    let mut cases = vec![
        Case {
            range: None,
            condition: If::Any,
            status: 200,
            bytes: 0..size,
        },
        // From one position to another, over the border of spans and along it.
        case("bytes=0-0", 206, 0..1),
        case("bytes=5-9", 206, 5..10),
        case(
            &format!("bytes={}-{}", SPAN - 2, SPAN + 1),
            206,
            SPAN - 2..SPAN + 2,
        ),
        case(
            &format!("bytes={SPAN}-{}", 2 * SPAN - 1),
            206,
            SPAN..2 * SPAN,
        ),
        case(&format!("bytes=0-{last}"), 206, 0..size),
        // Open.
        case("bytes=0-", 206, 0..size),
        case(&format!("bytes={last}-"), 206, last..size),
        // What goes beyond the end is cut off there.
        case(&format!("bytes={last}-{size}"), 206, last..size),
        case("bytes=3-99999999999999999999999", 206, 3..size),
        // The last ones.
        case("bytes=-1", 206, last..size),
        case("bytes=-77", 206, size - 77..size),
        case(&format!("bytes=-{}", size + 5), 206, 0..size),
        // As the original reads them: the last none are all, case and blanks do not matter, and what
        // follows a range is not looked at.
        case("bytes=-0", 206, 0..size),
        case("BYTES=0-5", 206, 0..6),
        case("bytes = 0 - 5", 206, 0..6),
        case("bytes=5-x", 206, 5..size),
        // Beyond the end.
        case(&format!("bytes={size}-"), 416, none.clone()),
        case(
            &format!("bytes={}-{}", size + 1, size + 2),
            416,
            none.clone(),
        ),
        case("bytes=99999999999999999999999-", 416, none.clone()),
        // None at all.
        case("bytes=9-5", 416, none.clone()),
        case("bytes=", 416, none.clone()),
        case("bytes=-", 416, none.clone()),
        case("bytes=a-b", 416, none.clone()),
        case("bytes", 416, none.clone()),
        case("0-5", 416, none.clone()),
        case("items=0-5", 416, none.clone()),
        // Several are refused.
        case("bytes=0-1,5-6", 400, none.clone()),
        case("bytes=0-1, -1", 400, none.clone()),
    ];
    let with = |condition, case: Case| Case { condition, ..case };
    cases.push(with(If::Same, case("bytes=5-9", 206, 5..10)));
    cases.push(with(If::Same, case(&format!("bytes={size}-"), 416, none)));
    for other in ["\"other\"", "W/\"other\"", DATE] {
        cases.push(with(If::Other(other), case("bytes=5-9", 200, 0..size)));
        // A range that does not count cannot be wrong.
        cases.push(with(
            If::Other(other),
            case(&format!("bytes={size}-"), 200, 0..size),
        ));
    }
    cases
}

fn ask(node: &Node, image: &Image, tag: &str, case: &Case) -> Answer {
    let mut headers = Vec::new();
    if let Some(range) = &case.range {
        headers.push(("Range", range.clone()));
    }
    match case.condition {
        If::Any => {}
        If::Same => headers.push(("If-Range", tag.to_owned())),
        If::Other(tag) => headers.push(("If-Range", tag.to_owned())),
    }
    http::get(node.address, &image.file(), &headers).unwrap()
}

/// What is the same of all answers to a case.
fn told(answer: &Answer) -> Vec<(&str, &str)> {
    let alike = |name: &&str| !["date", "x-openstack-request-id"].contains(name);
    let headers = answer.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| alike(name)).collect()
}

/// Asks for a case, and compares with the table and with the answer that came in another state.
fn holds(
    node: &Node,
    image: &Image,
    tag: &str,
    case: &Case,
    state: &str,
    first: Option<&Answer>,
) -> Answer {
    let answer = ask(node, image, tag, case);
    let size = image.data.len();
    assert_eq!(
        answer.status, case.status,
        "{state}, {case:?}: {:?}",
        answer.headers
    );
    let header = |name: &str| answer.headers.get(name).map(String::as_str);
    let (start, end) = (case.bytes.start, case.bytes.end);
    let range = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
    match answer.status {
        200 | 206 => {
            assert!(
                answer.body == image.data[start..end],
                "{state}, {case:?}: wrong bytes"
            );
            assert_eq!(
                header("content-length"),
                Some((end - start).to_string().as_str())
            );
            let part = (answer.status == 206).then_some(range.as_str());
            assert_eq!(header("content-range"), part, "{state}, {case:?}");
            assert_eq!(header("etag"), Some(tag), "{state}, {case:?}");
            assert_eq!(header("accept-ranges"), Some("bytes"), "{state}, {case:?}");
        }
        _ => assert!(!answer.body.is_empty(), "{state}, {case:?}: no reason"),
    }
    if let Some(first) = first {
        assert_eq!(told(&answer), told(first), "{state}, {case:?}");
        assert!(answer.body == first.body, "{state}, {case:?}");
    }
    answer
}

/// Lets go of all that a node has of the image.
fn forget(site: &Site, node: &Node, image: &Image) {
    node.ask("DELETE", &format!("/v2/cache/{}", image.id));
    let _ = fs::remove_file(site.cache(".glance/partial").join(&image.id));
}

fn tag_of(node: &Node, image: &Image) -> String {
    let answer = http::get(node.address, &image.file(), &[]).unwrap();
    answer.headers["etag"].clone()
}

#[test]
fn ranges_are_the_same_of_missing_partial_growing_and_cached_images() {
    let site = Site::with("", "queue_settle = 0\nprefetch_workers = 8");
    // Nothing is brought in by itself, and what somebody puts into the queue for the rule comes slowly.
    site.adds("[image_cache_prefetch:slow]\nschedule = 0 0 29 2 *\nbandwidth = 64KiB/s");
    let node = site.start();
    let image = node.image(2 * SPAN + 77);
    let tag = tag_of(&node, &image);
    node.caches(&image);
    for case in cases(image.data.len()) {
        forget(&site, &node, &image);
        let missing = holds(&node, &image, &tag, &case, "missing", None);

        // Who reads a part has it open a moment longer, under its name or without.
        until("a part of it is here", || {
            forget(&site, &node, &image);
            assert_eq!(node.range(&image, "bytes=0-0").status, 206);
            site.cache(".glance/partial").join(&image.id).exists()
        });
        holds(&node, &image, &tag, &case, "partial", Some(&missing));

        forget(&site, &node, &image);
        let wish = site.cache("queue").join(&image.id);
        let growing = site.cache("incomplete").join(&image.id);
        until("it grows", || {
            // The wish before, which is just fulfilled, may take this one away with it.
            if !wish.exists() {
                fs::write(&wish, "slow").unwrap();
            }
            growing.exists()
        });
        holds(&node, &image, &tag, &case, "growing", Some(&missing));
        // Whoever wants all of it hurries it on.
        node.serves(&image);

        node.caches(&image);
        holds(&node, &image, &tag, &case, "cached", Some(&missing));
    }
    node.stop();
}

#[test]
fn cached_ranges_need_no_store_and_are_no_hits() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(2 * SPAN + 77);
    let tag = tag_of(&node, &image);
    node.caches(&image);
    fs::remove_file(site.stored(&image)).unwrap();
    for case in cases(image.data.len()) {
        if case.status == 206 {
            holds(&node, &image, &tag, &case, "cached", None);
        }
    }
    assert_eq!(node.listing()[&image.id], 0);
    node.stop();
}

#[test]
fn of_an_image_of_nothing_there_is_no_range() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(0);
    for state in ["missing", "cached"] {
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=9-5"] {
            let answer = node.range(&image, range);
            assert_eq!(answer.status, 416, "{state}, {range}");
        }
        let whole = http::get(node.address, &image.file(), &[]).unwrap();
        assert_eq!((whole.status, whole.body.len()), (200, 0), "{state}");
        assert_eq!(whole.headers["content-length"], "0");
    }
    node.stop();
}
