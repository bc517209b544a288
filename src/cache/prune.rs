//! Which copies leave first, and taking the cache back to its limit.

use std::collections::HashMap;
use std::io;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, Placed};
use super::space::{SpaceLock, Usage};
use crate::domain::ImageId;

/// When each image was last used. One that is not in it was not used since it came.
pub type Uses = HashMap<ImageId, DateTime<Utc>>;

/// What a prune took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: u64,
    pub bytes: u64,
}

impl Pruned {
    pub fn of(images: &[Placed]) -> Self {
        Self {
            files: images.len() as u64,
            bytes: images.iter().map(|image| image.size).sum(),
        }
    }
}

/// The images that were not used for longest and together have `bytes`. None where all have not so much:
/// then none should leave.
pub fn least_recently_used(images: &[Placed], uses: &Uses, bytes: u64) -> Option<Vec<Placed>> {
    let mut order: Vec<(DateTime<Utc>, &Placed)> = images
        .iter()
        .map(|image| (*uses.get(&image.id).unwrap_or(&image.modified), image))
        .collect();
    order.sort_by_key(|(used, image)| (*used, image.id));
    let mut missing = bytes;
    let mut leaving = Vec::new();
    for (_, image) in order {
        if missing == 0 {
            break;
        }
        missing = missing.saturating_sub(image.size);
        leaving.push(*image);
    }
    (missing == 0).then_some(leaving)
}

/// Takes the cache back to `max_size`, and says what had to leave.
pub fn run(
    layout: &Layout,
    max_size: u64,
    uses: &Uses,
    now: DateTime<Utc>,
) -> io::Result<Vec<Placed>> {
    let lock = SpaceLock::take(layout)?;
    let mut gone = Vec::new();
    for image in plan(layout, max_size, uses, now, &lock)? {
        // Whoever takes no locks may have been there first.
        if layout::remove(&layout.image(image.id))? {
            layout::remove(&layout.spans(image.id))?;
            let (id, size) = (image.id, image.size);
            tracing::info!(image.id = %id, size, reason = "pruned", "pruned image {id}");
            gone.push(image);
        }
    }
    Ok(gone)
}

/// What must leave for the cache to be within `max_size`.
pub fn plan(
    layout: &Layout,
    max_size: u64,
    uses: &Uses,
    now: DateTime<Utc>,
    lock: &SpaceLock,
) -> io::Result<Vec<Placed>> {
    let usage = Usage::measure(layout, now, lock)?;
    let excess = usage.taken().saturating_sub(max_size);
    let images = usage.contents.images;
    // Others may have put so much there that everything leaves in vain; it is too much all the same.
    Ok(least_recently_used(&images, uses, excess).unwrap_or(images))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn image(size: u64, age: i64) -> Placed {
        let modified = DateTime::UNIX_EPOCH - TimeDelta::seconds(age);
        Placed {
            id: ImageId::random(),
            size,
            modified,
            accessed: modified,
        }
    }

    #[test]
    fn what_was_not_used_for_longest_leaves_first() {
        let (new, old, popular) = (image(10, 1), image(10, 5), image(10, 9));
        let uses = Uses::from([(popular.id, DateTime::UNIX_EPOCH)]);
        let images = [new, old, popular];
        let leaving = |bytes| least_recently_used(&images, &uses, bytes);
        assert_eq!(leaving(0), Some(vec![]));
        assert_eq!(leaving(1), Some(vec![old]));
        assert_eq!(leaving(11), Some(vec![old, new]));
        assert_eq!(leaving(30), Some(vec![old, new, popular]));
    }

    #[test]
    fn nothing_leaves_where_everything_would_not_be_enough() {
        let images = [image(10, 1), image(10, 2)];
        assert_eq!(least_recently_used(&images, &Uses::new(), 21), None);
    }
}
