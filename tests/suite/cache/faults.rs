//! A directory that cannot be used makes the node slower, never wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use glance::cache::{Cache, Lookup};
use glance::clock::Clock;
use glance::telemetry::counters::Counters;

use super::support::{Image, MIB, Shelf, broken, by_hand, collect, config, read_some, until};

async fn is_bypass(cache: &Cache, image: &Image) -> bool {
    let found = cache.lookup(image.id, &image.expected()).await;
    matches!(found, Lookup::Bypass(_))
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_made() {
    let shelf = Shelf::new();
    let dir = shelf.path("a/b/c");
    let cache = Cache::open(config(&dir), Clock::system(), Counters::default()).await;
    Image::of(1000).fill(&cache).await;
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(cache.entries().await.is_err());
    Image::of(1000).fill(&cache).await;
    assert_eq!(cache.entries().await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_there_can_be_no_directory_all_is_read_past_the_cache_until_there_can() {
    let shelf = Shelf::new();
    let dir = shelf.path("cache");
    std::fs::write(&dir, b"in the way").unwrap();
    let cache = Cache::open(config(&dir), Clock::system(), Counters::default()).await;
    let image = Image::of(1000);
    assert!(is_bypass(&cache, &image).await);
    assert!(cache.queue(image.id).await.is_err());
    std::fs::remove_file(&dir).unwrap();
    until("found again", async || !is_bypass(&cache, &image).await).await;
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
}

#[tokio::test]
async fn a_directory_that_is_named_like_an_image_is_in_nobodys_way() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    std::fs::create_dir(shelf.path(image.id.as_str())).unwrap();
    assert!(is_bypass(&cache, &image).await);
    assert!(!cache.evict(image.id).await.unwrap());
    assert_eq!(cache.clear().await.unwrap(), 0);
    assert_eq!(cache.entries().await.unwrap(), []);
    Image::of(1000).fill(&cache).await;
}

#[tokio::test]
async fn a_directory_in_any_place_of_an_image_is_as_good_as_nothing_to_who_lets_go_of_it() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    for place in [
        "",
        "incomplete",
        "queue",
        ".glance/partial",
        ".glance/spans",
    ] {
        let image = Image::of(1000);
        let path = shelf.path(place).join(image.id.as_str());
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("mine"), b"mine").unwrap();
        assert!(!cache.evict(image.id).await.unwrap(), "{place}");
        assert!(!cache.unqueue(image.id).await.unwrap(), "{place}");
        assert!(path.join("mine").exists());
    }
    assert_eq!(cache.clear().await.unwrap(), 0);
}

#[tokio::test]
async fn a_link_that_is_named_like_an_image_is_not_followed() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    let secret = shelf.path("secret");
    std::fs::write(&secret, [0; 1000]).unwrap();
    for place in ["", "incomplete"] {
        let link = shelf.path(place).join(image.id.as_str());
        std::os::unix::fs::symlink(&secret, link).unwrap();
    }
    assert!(is_bypass(&cache, &image).await);
    std::fs::remove_file(shelf.path("incomplete").join(image.id.as_str())).unwrap();
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
    assert_eq!(std::fs::read(&secret).unwrap(), [0; 1000]);
}

/// A file system of a few mebibytes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("skipped: nothing can be mounted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_read_past_until_there_is_room_again() {
    let shelf = Shelf::new();
    let dir = shelf.path("disk");
    let Some(_disk) = SmallDisk::mount(&dir, 8) else {
        return;
    };
    let cache = Cache::open(config(&dir), Clock::system(), Counters::default()).await;
    let kept = Image::of(MIB);
    kept.fill(&cache).await;
    std::fs::write(dir.join("notes.txt"), vec![0; 6 * MIB]).unwrap();
    let image = Image::of(4 * MIB);
    assert!(is_bypass(&cache, &image).await);
    assert!(kept.download(&cache).await == kept.bytes);
    std::fs::remove_file(dir.join("notes.txt")).unwrap();
    until("found again", async || !is_bypass(&cache, &image).await).await;
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
}

#[tokio::test]
async fn a_disk_that_fills_up_during_a_fill_breaks_it_and_nothing_else() {
    let shelf = Shelf::new();
    let dir = shelf.path("disk");
    let Some(_disk) = SmallDisk::mount(&dir, 8) else {
        return;
    };
    let cache = Cache::open(config(&dir), Clock::system(), Counters::default()).await;
    let image = Image::of(6 * MIB);
    let mut expected = image.expected();
    // Of a known size the blocks would be taken at once.
    expected.size = None;
    let Lookup::Missing(claim) = cache.lookup(image.id, &expected).await else {
        panic!("no claim");
    };
    let (store, blob) = by_hand();
    let reader = claim.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    let (_, rest) = read_some(reader, 1000).await;
    std::fs::write(dir.join("notes.txt"), vec![0; 4 * MIB]).unwrap();
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    let error = collect(rest).await.unwrap_err();
    assert!(broken(&error).resumable);
    until("given up", async || {
        std::fs::read_dir(dir.join("incomplete")).unwrap().count() == 0
    })
    .await;
    assert!(is_bypass(&cache, &Image::of(5 * MIB)).await);
}

#[tokio::test]
async fn what_root_makes_in_somebodys_directory_is_theirs() {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let shelf = Shelf::new();
    if chown(shelf.dir.path(), Some(12345), Some(54321)).is_err() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let cache = shelf.open().await;
    let (whole, growing, wanted) = (Image::of(1000), Image::of(1000), Image::of(1000));
    whole.fill(&cache).await;
    whole.download(&cache).await;
    cache.entries().await.unwrap();
    cache.queue(wanted.id).await.unwrap();
    let _claim = growing.claim(&cache).await;
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(shelf.dir.path()) {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        let owner = (found.uid(), found.gid());
        assert_eq!(owner, (12345, 54321), "{}", entry.path().display());
        seen += 1;
    }
    // Directories: eight and the top; files: two images and their tables, the index and its journal, the lock, the
    // mark of the format, what the service goes by, a promise, a wish.
    assert_eq!(seen, 9 + 11);
}

#[tokio::test]
async fn clean_takes_bad_data_and_what_nobody_goes_on_with() {
    let mut shelf = Shelf::new();
    shelf.config.stall_time = Duration::from_mins(1);
    let cache = shelf.open().await;
    let (growing, stalled, fresh) = (Image::of(1000), Image::of(1000), Image::of(1000));
    let claim = growing.claim(&cache).await;
    let partial = |image: &Image| shelf.path("incomplete").join(image.id.as_str());
    for (image, age) in [(&stalled, 61), (&fresh, 1)] {
        std::fs::write(partial(image), b"half").unwrap();
        let at = std::fs::metadata(partial(image))
            .unwrap()
            .modified()
            .unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(partial(image))
            .unwrap();
        file.set_modified(at - Duration::from_secs(age)).unwrap();
    }
    std::fs::write(shelf.path("invalid").join("bad"), b"bad").unwrap();
    assert_eq!(cache.clean().await.unwrap(), 2);
    assert_eq!(cache.clean().await.unwrap(), 0);
    assert!(!partial(&stalled).exists());
    assert!(partial(&fresh).exists() && partial(&growing).exists());
    claim.fill_whole(growing.blob()).await.unwrap();
}
