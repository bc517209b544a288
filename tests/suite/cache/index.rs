//! What files cannot say: hits and last access.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use glance::cache::{Cache, Directory, Lookup};
use glance::clock::Clock;
use rusqlite::Connection;

use super::support::{Image, MIB, Shelf, collect, range, read_some, until};

/// Hits by image, as a plain reader of the database finds them.
fn rows(shelf: &Shelf) -> BTreeMap<String, i64> {
    let index = Connection::open(shelf.path("cache.db")).unwrap();
    let mut rows = index
        .prepare("SELECT image_id, hits FROM cached_images")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

async fn hits(cache: &Cache, image: &Image) -> u64 {
    let entries = cache.entries().await.unwrap();
    let entry = entries.iter().find(|entry| entry.id == image.id);
    entry.expect("not listed").hits
}

#[tokio::test]
async fn a_hit_is_a_whole_download_from_the_cache() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(MIB);
    let (expected, size) = (image.expected(), image.bytes.len());
    let along = image.claim(&cache).await.fill_from(image.blob());
    collect(along.read(None)).await.unwrap();
    until("committed", async || image.is_cached(&cache).await).await;
    assert_eq!(hits(&cache, &image).await, 0);

    let copy = async || match cache.lookup(image.id, &expected).await {
        Lookup::Cached(copy) => copy,
        other => panic!("{other:?}"),
    };
    collect(copy().await.read(Some(range(0, size))))
        .await
        .unwrap();
    let (_, left) = read_some(copy().await.read(None), size / 2).await;
    drop(left);
    assert_eq!(hits(&cache, &image).await, 0, "ranges and halves");
    for count in 1..4 {
        collect(copy().await.read(None)).await.unwrap();
        assert_eq!(hits(&cache, &image).await, count);
    }
}

#[tokio::test]
async fn hits_reach_the_file_by_themselves_and_at_the_latest_at_the_end() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    image.fill(&cache).await;
    image.download(&cache).await;
    until("written", async || {
        rows(&shelf).get(image.id.as_str()) == Some(&1)
    })
    .await;
    image.download(&cache).await;
    cache.close().await;
    assert_eq!(rows(&shelf)[image.id.as_str()], 2);
    assert_eq!(shelf.names("incomplete"), [""; 0]);
    let mut beside = shelf.names("");
    beside.retain(|name| name.starts_with("cache.db"));
    assert_eq!(beside, ["cache.db"]);
}

#[tokio::test]
async fn the_listing_has_the_most_recent_first() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let images = [Image::of(10), Image::of(20), Image::of(30)];
    for image in &images {
        image.fill(&cache).await;
    }
    images[0].download(&cache).await;
    let entries = cache.entries().await.unwrap();
    let listed: Vec<_> = entries.iter().map(|entry| (entry.id, entry.size)).collect();
    assert_eq!(
        listed,
        [(images[0].id, 10), (images[2].id, 30), (images[1].id, 20)]
    );
    assert!(entries.iter().all(|entry| entry.row > 0));
}

/// A directory as the original's sqlite driver leaves it.
fn originals() -> (Shelf, [Image; 2]) {
    let shelf = Shelf::new();
    for dir in ["incomplete", "invalid", "queue"] {
        std::fs::create_dir(shelf.path(dir)).unwrap();
    }
    std::fs::write(shelf.path("image_cache_db_init"), b"").unwrap();
    let index = Connection::open(shelf.path("cache.db")).unwrap();
    index.execute_batch(include_str!("original.sql")).unwrap();
    let images = [(1, "first image", 10), (2, "second", 7)].map(|(n, text, times)| {
        let id = format!("10000000-0000-4000-8000-00000000000{n}");
        let bytes = Bytes::from(text.repeat(times));
        std::fs::write(shelf.path(&id), &bytes).unwrap();
        Image {
            id: id.parse().unwrap(),
            bytes,
        }
    });
    (shelf, images)
}

#[tokio::test]
async fn a_directory_of_the_original_is_served_at_once_and_can_go_back() {
    let (shelf, images) = originals();
    let cache = shelf.open().await;
    assert!(images[0].download(&cache).await == images[0].bytes);
    assert_eq!(hits(&cache, &images[0]).await, 2);
    let entries = cache.entries().await.unwrap();
    let second = entries
        .iter()
        .find(|entry| entry.id == images[1].id)
        .unwrap();
    assert_eq!((second.hits, second.size), (3, 42));
    assert_eq!(second.last_accessed.timestamp_millis(), 1_795_258_084_677);
    assert_eq!(second.last_modified.timestamp_millis(), 1_795_258_084_598);
    let new = Image::of(1000);
    new.fill(&cache).await;
    cache.close().await;

    let schema = |path: &Path| -> String {
        let index = Connection::open(path).unwrap();
        let sql: String = index
            .query_row("SELECT group_concat(sql) FROM sqlite_schema", [], |row| {
                row.get(0)
            })
            .unwrap();
        sql.split_whitespace().collect()
    };
    let anew = Shelf::new();
    let fresh = anew.open().await;
    Image::of(1).fill(&fresh).await;
    fresh.close().await;
    assert_eq!(
        schema(&shelf.path("cache.db")),
        schema(&anew.path("cache.db"))
    );
    let mut known: Vec<_> = rows(&shelf).into_iter().collect();
    known.sort_by_key(|(_, hits)| *hits);
    assert_eq!(
        known,
        [
            (new.id.to_string(), 0),
            (images[0].id.to_string(), 2),
            (images[1].id.to_string(), 3)
        ]
    );
    // What the original would take for an image: every file at the top.
    let mut expected: Vec<_> = known.into_iter().map(|(name, _)| name).collect();
    expected.extend(["cache.db", "image_cache_db_init"].map(String::from));
    expected.sort();
    let top: Vec<_> = shelf
        .names("")
        .into_iter()
        .filter(|name| shelf.path(name).is_file())
        .collect();
    assert_eq!(top, expected);
}

#[test]
fn looking_changes_nothing() {
    let (shelf, images) = originals();
    let state = || -> Vec<_> {
        let found = walkdir::WalkDir::new(shelf.dir.path()).sort_by_file_name();
        let entries = found.into_iter().map(Result::unwrap);
        let content = |entry: &walkdir::DirEntry| std::fs::read(entry.path()).ok();
        entries
            .map(|entry| (entry.path().to_owned(), content(&entry)))
            .collect()
    };
    let before = state();
    let tool = Directory::open(&shelf.config, Clock::system()).unwrap();
    let listed: Vec<_> = tool
        .entries()
        .unwrap()
        .iter()
        .map(|e| (e.id, e.hits))
        .collect();
    assert_eq!(listed, [(images[1].id, 3), (images[0].id, 1)]);
    assert_eq!(tool.queued().unwrap(), []);
    assert_eq!(tool.plan_prune().unwrap(), []);
    assert_eq!(tool.plan_clean().unwrap(), []);
    drop(tool);
    assert!(state() == before);
}

fn destroy(index: &Path, how: &str) {
    match how {
        "no database" => std::fs::write(index, [7; 9000]).unwrap(),
        "empty" => std::fs::write(index, b"").unwrap(),
        "zeroed" => std::fs::write(index, [0; 12288]).unwrap(),
        "another schema" => {
            std::fs::remove_file(index).unwrap();
            let index = Connection::open(index).unwrap();
            let schema = "CREATE TABLE cached_images (name TEXT, number INTEGER)";
            index.execute_batch(schema).unwrap();
        }
        "a torn page" => {
            let file = File::options().write(true).open(index).unwrap();
            let end = file.metadata().unwrap().len() - 4096;
            file.write_all_at(&[0xff; 4096], end).unwrap();
        }
        _ => panic!("{how}"),
    }
}

#[tokio::test]
async fn an_index_that_is_none_is_made_anew_from_the_files() {
    for what in [
        "no database",
        "empty",
        "zeroed",
        "another schema",
        "a torn page",
    ] {
        let shelf = Shelf::new();
        let image = Image::of(1000);
        let cache = shelf.open().await;
        image.fill(&cache).await;
        cache.entries().await.unwrap();
        cache.close().await;

        destroy(&shelf.path("cache.db"), what);
        let cache = shelf.open().await;
        assert!(image.download(&cache).await == image.bytes, "{what}");
        assert_eq!(hits(&cache, &image).await, 1, "{what}");
        cache.close().await;
        assert_eq!(rows(&shelf)[image.id.as_str()], 1, "{what}");
    }
}

#[tokio::test]
async fn an_index_that_is_destroyed_while_the_service_runs_is_made_anew() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    image.fill(&cache).await;
    image.download(&cache).await;
    assert_eq!(hits(&cache, &image).await, 1);
    std::fs::remove_file(shelf.path("cache.db")).unwrap();
    image.download(&cache).await;
    assert_eq!(hits(&cache, &image).await, 1);
    assert_eq!(rows(&shelf)[image.id.as_str()], 1);
    std::fs::write(shelf.path("cache.db"), vec![7; 100_000]).unwrap();
    image.download(&cache).await;
    assert_eq!(hits(&cache, &image).await, 1);
    assert_eq!(rows(&shelf)[image.id.as_str()], 1);
}

#[tokio::test]
async fn an_index_that_is_lost_while_the_service_runs_gets_its_rows_back_by_itself() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let images = [Image::of(1000), Image::of(2000)];
    for image in &images {
        image.fill(&cache).await;
        image.download(&cache).await;
    }
    let index = shelf.path("cache.db");
    let counts = |hits: [i64; 2]| -> BTreeMap<String, i64> {
        let ids = images.iter().map(|image| image.id.to_string());
        ids.zip(hits).collect()
    };
    until("written", async || rows(&shelf) == counts([1, 1])).await;
    for lost in ["emptied", "removed"] {
        for used in [false, true] {
            match lost {
                "emptied" => drop(File::create(&index).unwrap()),
                _ => std::fs::remove_file(&index).unwrap(),
            }
            if used {
                images[0].download(&cache).await;
            }
            let expected = counts([i64::from(used), 0]);
            until(lost, async || {
                let opened = index.exists().then(|| Connection::open(&index).unwrap());
                let known = "SELECT 1 FROM sqlite_schema WHERE name = 'cached_images'";
                opened.is_some_and(|opened| opened.prepare(known).unwrap().exists([]).unwrap())
                    && rows(&shelf) == expected
            })
            .await;
        }
    }
    cache.close().await;
    assert_eq!(rows(&shelf), counts([1, 0]));
}

#[tokio::test]
async fn the_index_of_a_newer_programs_directory_is_left_as_it_is() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    image.fill(&cache).await;
    image.download(&cache).await;
    until("written", async || {
        rows(&shelf).get(image.id.as_str()) == Some(&1)
    })
    .await;
    std::fs::write(shelf.path(".glance/format"), "2\n").unwrap();
    let state = || {
        let found = shelf.names("").into_iter();
        let found = found.map(|name| std::fs::metadata(shelf.path(name)).unwrap());
        found
            .map(|found| found.modified().unwrap())
            .collect::<Vec<_>>()
    };
    let before = (shelf.names(""), state());
    image.download(&cache).await;
    assert_eq!(hits(&cache, &image).await, 1, "what is not written yet");
    cache.close().await;
    let anew = shelf.open().await;
    image.download(&anew).await;
    assert_eq!(hits(&anew, &image).await, 1);
    anew.close().await;
    assert_eq!((shelf.names(""), state()), before);
    assert_eq!(rows(&shelf)[image.id.as_str()], 1);
}

#[tokio::test]
async fn rows_follow_files() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let (gone, stays, strange) = (Image::of(10), Image::of(20), Image::of(30));
    gone.fill(&cache).await;
    stays.fill(&cache).await;
    assert_eq!(cache.entries().await.unwrap().len(), 2);
    std::fs::remove_file(shelf.path(gone.id.as_str())).unwrap();
    std::fs::write(shelf.path(strange.id.as_str()), &strange.bytes).unwrap();

    let mut listed: Vec<_> = cache.entries().await.unwrap();
    listed.sort_by_key(|entry| entry.size);
    let listed: Vec<_> = listed.iter().map(|entry| (entry.id, entry.hits)).collect();
    assert_eq!(listed, [(stays.id, 0), (strange.id, 0)]);
    let rows = rows(&shelf);
    assert_eq!(rows.len(), 2);
    assert!(rows.contains_key(strange.id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_another_process_holds_delays_nobody_and_loses_no_hit() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    image.fill(&cache).await;
    assert_eq!(hits(&cache, &image).await, 0);

    let other = Connection::open(shelf.path("cache.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut times = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        image.download(&cache).await;
        Image::of(1000).fill(&cache).await;
        times.push(started.elapsed());
    }
    times.sort();
    // Who waits for the index waits for a second.
    assert!(times[5] < Duration::from_secs(1), "{times:?}");
    assert_eq!(cache.entries().await.unwrap().len(), 11);
    assert_eq!(hits(&cache, &image).await, 10);
    other.execute_batch("ROLLBACK").unwrap();
    cache.close().await;
    assert_eq!(rows(&shelf)[image.id.as_str()], 10);
    assert_eq!(rows(&shelf).len(), 11);
}

#[tokio::test]
async fn tools_see_what_the_service_wrote_and_the_service_what_tools_did() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let images = [Image::of(10), Image::of(20)];
    for image in &images {
        image.fill(&cache).await;
        image.download(&cache).await;
    }
    let entries = cache.entries().await.unwrap();
    let tool = Directory::open(&shelf.config, Clock::system()).unwrap();
    assert_eq!(tool.entries().unwrap(), entries);
    assert!(tool.evict(images[0].id).unwrap());
    assert_eq!(cache.entries().await.unwrap().len(), 1);
    assert_eq!(rows(&shelf).len(), 1);
    assert_eq!(tool.clear().unwrap(), 1);
    assert_eq!(cache.entries().await.unwrap(), []);
}
