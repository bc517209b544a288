//! Directories that the original's drivers leave, and how they get them back.

use std::fs::FileTimes;
use std::time::{Duration, SystemTime};

use glance::cache::{Cache, Directory, Known};
use glance::clock::Clock;

use super::support::{Image, Shelf};

/// A shelf whose files count their hits; none where files have no attributes.
fn with_attributes() -> Option<Shelf> {
    let mut shelf = Shelf::new();
    shelf.config.index_file = ".glance/cache.db".into();
    let probe = shelf.path("probe");
    std::fs::write(&probe, b"").unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    let set = rustix::fs::setxattr(&probe, "user.hits", b"1", flags);
    std::fs::remove_file(&probe).unwrap();
    if set.is_err() {
        eprintln!("skipped: no extended attributes here");
    }
    set.is_ok().then_some(shelf)
}

/// Puts a copy there as the driver `xattr` does, last used so many seconds after a fixed moment.
fn left_by_the_original(shelf: &Shelf, image: &Image, hits: &str, used: u64) {
    let path = shelf.path(image.id.as_str());
    std::fs::write(&path, &image.bytes).unwrap();
    count(shelf, image, hits);
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let times = FileTimes::new().set_modified(made);
    let times = times.set_accessed(made + Duration::from_secs(used));
    std::fs::File::open(&path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

fn count(shelf: &Shelf, image: &Image, hits: &str) {
    let (path, flags) = (
        shelf.path(image.id.as_str()),
        rustix::fs::XattrFlags::empty(),
    );
    rustix::fs::setxattr(&path, "user.hits", hits.as_bytes(), flags).unwrap();
}

/// What the original reads: hits, and seconds of the last access.
fn as_the_original_sees(shelf: &Shelf, image: &Image) -> (String, i64) {
    use std::os::unix::fs::MetadataExt as _;
    let path = shelf.path(image.id.as_str());
    let mut value = [0; 20];
    let length = rustix::fs::getxattr(&path, "user.hits", &mut value[..]).unwrap();
    let hits = String::from_utf8(value[..length].to_vec()).unwrap();
    (hits, path.metadata().unwrap().atime())
}

async fn seen(cache: &Cache, image: &Image) -> (u64, i64) {
    let entries = cache.entries().await.unwrap();
    let entry = entries.iter().find(|entry| entry.id == image.id).unwrap();
    (entry.hits, entry.last_accessed.timestamp())
}

#[tokio::test]
async fn hits_that_the_original_counted_on_files_are_taken_over_and_given_back() {
    let Some(shelf) = with_attributes() else {
        return;
    };
    let [used, unused, new] = [1000, 2000, 3000].map(Image::of);
    left_by_the_original(&shelf, &used, "41", 77);
    left_by_the_original(&shelf, &unused, "3", 55);
    let cache = shelf.open().await;
    assert_eq!(seen(&cache, &used).await, (41, 1_700_000_077));
    used.download(&cache).await;
    new.fill(&cache).await;
    // Before the end, too: the original cannot serve a copy without.
    assert_eq!(as_the_original_sees(&shelf, &new).0, "0");
    new.download(&cache).await;
    let last = seen(&cache, &used).await;
    assert_eq!(last.0, 42);
    cache.close().await;

    assert_eq!(
        as_the_original_sees(&shelf, &used),
        ("42".to_owned(), last.1)
    );
    let kept = ("3".to_owned(), 1_700_000_055);
    assert_eq!(as_the_original_sees(&shelf, &unused), kept);
    assert_eq!(as_the_original_sees(&shelf, &new).0, "1");
    // It takes every file at the top for an image.
    let mut top = shelf.names("");
    top.retain(|name| shelf.path(name).is_file());
    let mut copies = [&used, &unused, &new].map(|image| image.id.to_string());
    copies.sort();
    assert_eq!(top, copies);

    // It goes on counting, and so do we.
    count(&shelf, &unused, "9");
    let cache = shelf.open().await;
    assert_eq!(seen(&cache, &unused).await.0, 9);
    assert_eq!(seen(&cache, &used).await.0, 42);
    cache.close().await;
}

#[tokio::test]
async fn an_index_goes_with_the_driver() {
    let mut shelf = Shelf::new();
    let image = Image::of(1000);
    let cache = shelf.open().await;
    image.fill(&cache).await;
    image.download(&cache).await;
    cache.close().await;
    for index in [".glance/cache.db", "cache.db"] {
        shelf.config.index_file = index.into();
        let cache = shelf.open().await;
        assert_eq!(seen(&cache, &image).await.0, 1);
        cache.close().await;
        let others = ["cache.db", ".glance/cache.db"].map(|name| shelf.path(name).exists());
        assert_eq!(others, [index == "cache.db", index != "cache.db"]);
    }
    let tool = Directory::open(&shelf.config, Clock::system()).unwrap();
    assert_eq!(tool.entries().unwrap()[0].hits, 1);
}

#[tokio::test]
async fn nothing_that_others_counted_is_lost_where_the_index_is_held_at_the_start() {
    let shelf = Shelf::new();
    let image = Image::of(1000);
    std::fs::write(shelf.path(image.id.as_str()), &image.bytes).unwrap();
    let other = rusqlite::Connection::open(shelf.path("cache.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let cache = shelf.open().await;
    let now = Clock::system().now();
    let known = Known {
        id: image.id,
        hits: 41,
        last_accessed: now,
        last_modified: now,
    };
    cache.adopt(vec![known]).await.unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    // Whoever takes it over tries again.
    cache.adopt(vec![known]).await.unwrap();
    assert_eq!(seen(&cache, &image).await.0, 41);
}

#[tokio::test]
async fn what_others_counted_is_taken_over_unless_it_was_of_an_earlier_copy() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let images = [1000, 2000].map(Image::of);
    for image in &images {
        image.fill(&cache).await;
        image.download(&cache).await;
    }
    let now = Clock::system().now();
    let known = |image: &Image, hits, modified| Known {
        id: image.id,
        hits,
        last_accessed: now + Duration::from_hours(1),
        last_modified: modified,
    };
    let earlier = now - Duration::from_hours(1);
    let counted = vec![known(&images[0], 7, now), known(&images[1], 7, earlier)];
    cache.adopt(counted).await.unwrap();
    assert_eq!(
        seen(&cache, &images[0]).await,
        (7, (now + Duration::from_hours(1)).timestamp())
    );
    assert_eq!(seen(&cache, &images[1]).await.0, 1);
    // Less is not more.
    cache.adopt(vec![known(&images[0], 2, now)]).await.unwrap();
    assert_eq!(seen(&cache, &images[0]).await.0, 7);
    cache.close().await;
}
