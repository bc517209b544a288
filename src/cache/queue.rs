//! Images asked for ahead of time: files, put there by us or by anyone.
//!
//! An empty one is somebody's wish. One that a rule has put there has the name of the rule in it, and becomes
//! somebody's when it is asked for by hand.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, files, image_named};
use super::owner;
use super::space::SpaceLock;
use super::{Cache, QueueWatch, Result, is_file};
use crate::domain::ImageId;

impl Cache {
    /// Whether the image is asked for ahead of time.
    pub async fn is_queued(&self, id: ImageId) -> Result<bool> {
        self.work(move |node| Ok(is_file(&node.layout.queue().join(id.as_str()))))
            .await
    }

    /// The queue, first to be fetched first.
    pub async fn queued(&self) -> Result<Vec<ImageId>> {
        let (queue, _) = self.work(|node| list(&node.layout)).await?;
        Ok(queue.into_iter().map(|queued| queued.id).collect())
    }

    /// Puts an image into the queue. False where it is cached, growing or queued already.
    pub async fn queue(&self, id: ImageId) -> Result<bool> {
        let added = self
            .work(move |node| add(&node.layout, id, node.clock.now()))
            .await?;
        self.node.wishes.change();
        Ok(added)
    }

    /// Puts an image into the queue in the name of a rule. False where it is cached, growing or queued already.
    pub async fn queue_for_rule(&self, id: ImageId, rule: &str) -> Result<bool> {
        let rule = rule.to_owned();
        let added = self
            .work(move |node| add_for_rule(&node.layout, id, &rule, node.clock.now()))
            .await?;
        self.node.wishes.change();
        Ok(added)
    }

    /// An image that is in the queue need not rest there: it is fetched as soon as somebody can.
    pub fn hurry(&self, id: ImageId) {
        self.node.wishes.hurry(id);
    }

    pub async fn unqueue(&self, id: ImageId) -> Result<bool> {
        self.work(move |node| remove(&node.layout, id)).await
    }

    /// Empties the queue and says how many were in it.
    pub async fn unqueue_all(&self) -> Result<u64> {
        self.work(|node| clear(&node.layout)).await
    }

    /// Waits for images that are asked for. One at a time is enough for a cache.
    pub fn watch_queue(&self) -> QueueWatch {
        QueueWatch::new(Arc::clone(&self.node))
    }
}

/// The name of a rule is no longer than this.
const LONGEST_RULE: u64 = 1024;

/// What a rule wishes is written down under such a name, in our own directory, before it is put into the queue.
const DRAFT: &str = "wish-";

/// An image that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queued {
    pub since: DateTime<Utc>,
    pub id: ImageId,
    /// The rule that wants it; none where somebody does.
    pub rule: Option<String>,
}

/// The queue, first to be fetched first, and the names in it that are no image's.
pub fn list(layout: &Layout) -> io::Result<(Vec<Queued>, Vec<String>)> {
    let mut queue = Vec::new();
    let mut strange = Vec::new();
    for (name, found) in files(&layout.queue())? {
        match image_named(&name) {
            Some(id) => queue.push(Queued {
                since: DateTime::from(found.modified()?),
                id,
                rule: if found.len() == 0 {
                    None
                } else {
                    rule_in(&layout.queue().join(&name))?
                },
            }),
            None => strange.push(name.to_string_lossy().into_owned()),
        }
    }
    queue.sort_unstable();
    Ok((queue, strange))
}

/// The rule that asked for an image. None where somebody did, or nobody.
pub fn rule_of(layout: &Layout, id: ImageId) -> io::Result<Option<String>> {
    rule_in(&layout.queue().join(id.as_str()))
}

/// The rule that a file names. None where it went away meanwhile, too.
fn rule_in(path: &Path) -> io::Result<Option<String>> {
    let Some(file) = layout::open_readable(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(LONGEST_RULE).read_to_end(&mut bytes)?;
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok((!name.is_empty()).then_some(name))
}

/// Asks for an image. False where it is here, on its way or asked for by somebody already.
pub fn add(layout: &Layout, id: ImageId, now: DateTime<Utc>) -> io::Result<bool> {
    if is_here(layout, id, now, &SpaceLock::take(layout)?)? {
        return Ok(false);
    }
    let path = layout.queue().join(id.as_str());
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => {
            layout.adopt(&file)?;
            // Finer than the kernel's own stamps, so that the order is that of the asking.
            file.set_times(FileTimes::new().set_modified(now.into()))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(&path);
            let by_rule = found.is_ok_and(|found| found.is_file() && found.len() > 0);
            if by_rule && let Some(file) = layout::open_to_write(&path)? {
                file.set_len(0)?;
                file.set_times(FileTimes::new().set_modified(now.into()))?;
            }
            Ok(by_rule)
        }
        Err(error) => Err(error),
    }
}

/// Asks for an image in the name of a rule. False where it is here, on its way or asked for already.
pub fn add_for_rule(
    layout: &Layout,
    id: ImageId,
    rule: &str,
    now: DateTime<Utc>,
) -> io::Result<bool> {
    // Held to the end: drafts that are there without it are of processes that died.
    let lock = SpaceLock::take(layout)?;
    if is_here(layout, id, now, &lock)? {
        return Ok(false);
    }
    // It comes whole: an empty one would be somebody's.
    let draft = layout.own().join(format!("{DRAFT}{id}"));
    let mut file = File::create(&draft)?;
    layout.adopt(&file)?;
    writeln!(file, "{rule}")?;
    file.set_times(FileTimes::new().set_modified(now.into()))?;
    let linked = fs::hard_link(&draft, layout.queue().join(id.as_str()));
    layout::remove(&draft)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Wishes of rules that were not written to their end. For who has the lock.
pub fn drafts(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let found = files(&layout.own())?.into_iter();
    let drafts = found.filter(|(name, _)| name.as_encoded_bytes().starts_with(DRAFT.as_bytes()));
    Ok(drafts.map(|(name, _)| layout.own().join(name)).collect())
}

/// Whether there is a copy, or somebody is making one.
fn is_here(layout: &Layout, id: ImageId, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<bool> {
    let here = fs::symlink_metadata(layout.image(id)).is_ok_and(|found| found.is_file());
    Ok(here || owner::is_growing(layout, id, now, lock)?)
}

/// Takes a wish back. False where there was none.
pub fn remove(layout: &Layout, id: ImageId) -> io::Result<bool> {
    layout::remove(&layout.queue().join(id.as_str()))
}

/// Takes every wish back, and says how many there were.
pub fn clear(layout: &Layout) -> io::Result<u64> {
    let mut gone = 0;
    for queued in list(layout)?.0 {
        gone += u64::from(remove(layout, queued.id)?);
    }
    Ok(gone)
}
