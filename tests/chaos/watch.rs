//! Whether the cache keeps its limit, seen from outside.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::damage::NOBODY;
use crate::notes::Notes;
use crate::site::{LIMIT, Site};

/// Looks again and again until `ended`, and writes down what is wrong. A file is counted where it is while nobody
/// gives room away.
pub fn limit(site: &Site, ended: &AtomicBool, notes: &Notes) {
    while !ended.load(Ordering::Relaxed) {
        if let Ok(lock) = File::open(site.cache(".glance/space.lock"))
            && fs2::FileExt::lock_shared(&lock).is_ok()
        {
            let whole = taken(&site.cache(""), |name| !name.starts_with("cache.db"));
            let growing =
                ["incomplete", ".glance/partial"].map(|dir| taken(&site.cache(dir), |_| true));
            let sum = whole + growing.iter().sum::<u64>();
            if sum > LIMIT {
                let told = format!("the cache takes {sum} of {LIMIT}: {whole} and {growing:?}");
                notes.complain(told);
                return;
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes of the files in a directory: those that have blocks on the disk.
fn taken(dir: &Path, counts: impl Fn(&str) -> bool) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    // What others put there asks for no room, and the cache may be full already.
    let files = entries.filter(|entry| {
        let name = entry.file_name();
        name != NOBODY && counts(&name.to_string_lossy())
    });
    let found = files.filter_map(|entry| entry.metadata().ok());
    found
        .filter(fs::Metadata::is_file)
        .map(|found| found.len().min(found.blocks() * 512))
        .sum()
}
