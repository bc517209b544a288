//! A hundred thousand images, and choosing among them.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::{CACHE_MANAGE, IMAGE, Node, OTHER, tool};
use crate::support::eventually;

const MANY: u32 = 100_000;

/// What a list of them may take of the processor, in a build that nobody has optimised: it takes less than a tenth of
/// it. Whatever looks through all of them for each of them takes minutes.
const MOST: Duration = Duration::from_secs(40);

fn id(number: u32) -> String {
    format!("{number:08x}-c5e0-4f3b-a0be-5d0e4dc8c2b9")
}

/// A cache whose images have sizes, hits and ages of their own.
fn full() -> Node {
    let node = Node::new();
    let mut index = Connection::open(node.cache().join("cache.db")).unwrap();
    let rows = index.transaction().unwrap();
    rows.execute_batch(
        "CREATE TABLE cached_images (image_id TEXT PRIMARY KEY, last_accessed REAL DEFAULT 0.0,
         last_modified REAL DEFAULT 0.0, size INTEGER DEFAULT 0, hits INTEGER DEFAULT 0, checksum TEXT)",
    )
    .unwrap();
    {
        let insert = "INSERT INTO cached_images VALUES (?1, ?2, ?2, ?3, ?4, NULL)";
        let mut insert = rows.prepare(insert).unwrap();
        for number in 0..MANY {
            let id = id(number);
            let size = number % 977;
            let file = File::create(node.cache().join(&id)).unwrap();
            file.set_len(size.into()).unwrap();
            let accessed = 1_700_000_000.0 + f64::from(number);
            insert
                .execute(params![id, accessed, size, number % 1009])
                .unwrap();
        }
    }
    rows.commit().unwrap();
    node
}

/// What `glance-cache-manage` says of the directory, and how much of the processor it has had for it: whatever else
/// this machine does meanwhile does not count.
fn timed(node: &Node, arguments: &[&str]) -> (String, Duration) {
    let mut command = tool(CACHE_MANAGE);
    command.args(arguments).arg("--cache-dir").arg(node.cache());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = String::new();
    let told = child.stdout.take().unwrap().read_to_string(&mut out);
    told.unwrap();
    // It is told of who has ended as long as nobody has waited for it.
    let ticks = eventually(|| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let (_, stat) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = stat.split(' ').collect();
        let number = |at: usize| fields[at].parse::<u64>().unwrap();
        (fields[0] == "Z").then(|| number(11) + number(12))
    });
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    (out, Duration::from_millis(ticks * 10))
}

/// The ids in a list.
fn ids(list: &str) -> Vec<String> {
    let rows = list
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains(" ID "));
    rows.map(|row| row[2..38].to_owned()).collect()
}

#[test]
fn a_hundred_thousand_images_are_listed_sorted_and_paged_in_moments() {
    let node = full();
    let (all, took) = timed(&node, &["list-cached"]);
    assert!(
        all.starts_with("Found 100000 cached images...\n"),
        "{}",
        &all[..200]
    );
    let listed = ids(&all);
    // As it always was: what was used last stands first.
    assert_eq!(listed[0], id(MANY - 1));
    assert_eq!(listed.len(), MANY as usize);

    let page = ["list-cached", "--sort", "hits", "--limit", "3"];
    let (first, sorted) = timed(&node, &page);
    assert!(
        first.starts_with("Found 3 of 100000 cached images...\n"),
        "{first}"
    );
    assert_eq!(ids(&first), [1008, 2017, 3026].map(id));
    let marker = id(3026);
    let next = [&page[..], &["--marker", &marker]].concat();
    let next = node.manage(&next).quietly();
    assert_eq!(ids(&next), [4035, 5044, 6053].map(id));
    println!("100000 images: listed in {took:?}, sorted in {sorted:?}");
    assert!(took < MOST && sorted < MOST, "{took:?}, {sorted:?}");

    let ids: Vec<String> = (0..20_000).map(id).collect();
    let mut dry = vec!["delete-cached-image", "--dry-run", "--json"];
    dry.extend(ids.iter().map(String::as_str));
    let (would, took) = timed(&node, &dry);
    println!("20000 of them looked for in {took:?}");
    assert!(would.contains(&ids[19_999]) && took < MOST, "{took:?}");
    fs::remove_dir_all(node.cache()).unwrap();
}

#[test]
fn a_list_is_chosen_from() {
    let node = Node::new()
        .holding(IMAGE, 5 << 20, 0)
        .holding(OTHER, 1 << 20, 60);
    let list = |options: &[&str]| {
        let told = node.manage(&[&["list-cached"], options].concat()).quietly();
        ids(&told)
    };
    assert_eq!(list(&[]), [OTHER, IMAGE]);
    assert_eq!(list(&["--sort", "size"]), [IMAGE, OTHER]);
    assert_eq!(list(&["--sort", "size:asc"]), [OTHER, IMAGE]);
    assert_eq!(list(&["--min-size", "2MiB"]), [IMAGE]);
    assert_eq!(list(&["--prefix", "7b"]), [OTHER]);
    assert_eq!(list(&["--older-than", "1d", "--limit", "1"]), [OTHER]);
    assert_eq!(list(&["--marker", OTHER]), [IMAGE]);
    let nothing = node
        .manage(&["list-cached", "--min-size", "1TiB"])
        .quietly();
    assert_eq!(nothing, "None of 2 cached images is like that.\n");
    let json = node
        .manage(&["list-cached", "--prefix", "7b", "--json"])
        .quietly();
    assert!(json.contains(OTHER) && !json.contains(IMAGE), "{json}");
    let unknown = node.manage(&["list-cached", "--marker", "x"]).failing(1);
    assert_eq!(
        unknown,
        "Image x is not in the list: --marker names the last image of the page before\n"
    );
    node.manage(&["list-cached", "--sort", "name"]).failing(2);
}
