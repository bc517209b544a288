//! What a cache directory holds, in numbers.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, files, image_named};
use super::owner::{Owner, owner};
use super::space::{Limits, SpaceLock, Usage};
use super::spans::Table;
use super::tally;
use super::{pins, queue};
use crate::domain::ImageId;
use crate::domain::report::{Growth, Survey};

/// Reads the directory. Nothing in it changes for that, and nobody who asks for room waits for more than a look at
/// the fills.
pub fn take(layout: &Layout, limits: Limits, now: DateTime<Utc>) -> io::Result<Survey> {
    let tally = tally::seen(layout, now)?;
    let (usage, makers) = {
        let lock = SpaceLock::look(layout)?;
        let usage = Usage::beside(tally, layout, now, &lock)?;
        (usage, makers(layout, now, &lock)?)
    };
    let (queued, _) = queue::list(layout)?;
    let waiting = queued.first().map(|first| now - first.since);
    Ok(Survey {
        limit: limits.max_size,
        used: usage.taken(),
        pinned: pins::bytes(layout)?,
        parts: usage.tally.parts.bytes,
        free: fs2::available_space(layout.root())?,
        copies: usage.tally.copies.files,
        kept_free: limits.min_free,
        queued: queued.len() as u64,
        // Whoever touches a file gives it whatever time.
        waiting: waiting.map_or(0, |waiting| waiting.num_seconds().max(0).unsigned_abs()),
        growing: growing(layout, makers)?,
    })
}

/// A copy that somebody is making.
struct Making {
    id: ImageId,
    file: File,
    owner: Owner,
}

fn makers(layout: &Layout, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<Vec<Making>> {
    let mut makers = Vec::new();
    for (name, _) in files(&layout.incomplete())? {
        let Some(id) = image_named(&name) else {
            continue;
        };
        let Some(file) = layout::open_readable(&layout.partial(id))? else {
            continue;
        };
        let owner = owner(layout, id, &file, now, lock)?;
        if matches!(owner, Owner::Filler | Owner::Stranger) {
            makers.push(Making { id, file, owner });
        }
    }
    makers.sort_unstable_by_key(|making| making.id);
    Ok(makers)
}

/// How far they are.
fn growing(layout: &Layout, makers: Vec<Making>) -> io::Result<Vec<Growth>> {
    let mut growing = Vec::new();
    for Making { id, file, owner } in makers {
        let found = file.metadata()?;
        let table = match owner {
            Owner::Filler => Table::open(layout, id)?,
            Owner::Stranger | Owner::Dead | Owner::Nobody => None,
        };
        let table = table.filter(|table| table.inode == found.ino());
        growing.push(match table {
            Some(table) => Growth {
                image_id: id,
                size: table.size,
                filled: table.filled()?.unwrap_or(0),
            },
            // It has not begun, or its maker writes it from end to end without a table.
            None => Growth {
                image_id: id,
                size: None,
                filled: found.len(),
            },
        });
    }
    Ok(growing)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use chrono::TimeDelta;

    use super::*;
    use crate::clock::Clock;

    fn limits(min_free: u64) -> Limits {
        Limits {
            max_size: 0,
            min_free,
            low_water: 100,
        }
    }

    #[test]
    fn the_first_of_the_queue_tells_how_long_it_waits() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        let now = Clock::system().now();
        let waiting = || take(&layout, limits(77), now).unwrap().waiting;
        assert_eq!(take(&layout, limits(77), now).unwrap().kept_free, 77);
        assert_eq!(waiting(), 0);
        for (ago, expected) in [(-30, 0), (90, 90), (60, 90)] {
            let file = fs::File::create(layout.queue().join(ImageId::random().as_str())).unwrap();
            file.set_modified((now - TimeDelta::seconds(ago)).into())
                .unwrap();
            assert_eq!(waiting(), expected);
        }
    }

    #[test]
    fn what_is_pinned_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        let pinned = || {
            take(&layout, limits(0), Clock::system().now())
                .unwrap()
                .pinned
        };
        let (here, to_come) = (ImageId::random(), ImageId::random());
        fs::write(layout.image(here), [0; 7]).unwrap();
        assert_eq!(pinned(), 0);
        for id in [here, to_come] {
            pins::add(&layout, id, "").unwrap();
        }
        assert_eq!(pinned(), 7);
        pins::remove(&layout, here).unwrap();
        assert_eq!(pinned(), 0);
    }

    #[test]
    fn who_asks_for_room_does_not_wait_until_somebody_has_counted_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        drop(SpaceLock::take(&layout).unwrap());
        for _ in 0..20_000 {
            fs::write(layout.image(ImageId::random()), b"").unwrap();
        }
        let now = Clock::system().now();
        // How often there is room to be had while somebody counts. The machine may let one of the two wait for the
        // other once, but not always.
        let asked_meanwhile = || {
            let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
            thread::scope(|scope| {
                let counter = scope.spawn(|| {
                    begun.store(true, Ordering::Relaxed);
                    let survey = take(&layout, limits(0), now).unwrap();
                    ended.store(true, Ordering::Relaxed);
                    assert_eq!(survey.copies, 20_000);
                });
                let mut asked = 0;
                while !ended.load(Ordering::Relaxed) {
                    drop(SpaceLock::take(&layout).unwrap());
                    asked += u32::from(begun.load(Ordering::Relaxed));
                }
                counter.join().unwrap();
                asked
            })
        };
        assert!((0..5).any(|_| asked_meanwhile() > 100));
    }
}
