//! Choosing who leaves.

use std::collections::HashSet;
use std::io;

use chrono::{DateTime, Utc};

use super::{Inner, Residents, tick};
use crate::cache::eviction::Standing;
use crate::cache::layout::{Layout, Placed};
use crate::cache::pins;
use crate::cache::rows::Rows;
use crate::domain::ImageId;

/// How much has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Bytes without which nothing is won, and nobody leaves.
    pub least: u64,
    /// Bytes that are to go where they can be had; not less than [`Wish::least`].
    pub best: u64,
}

impl Residents {
    /// Who leaves, where there are copies of so many bytes `here`. None where all who may leave have less than
    /// the least that has to go: then nobody does. Blocks, and looks at the files of those who leave alone,
    /// unless too little is known of the others. For who has the lock, under which images are pinned.
    pub fn leaving(
        &self,
        layout: &Layout,
        wish: Wish,
        spared: &HashSet<ImageId>,
        here: u64,
        now: DateTime<Utc>,
    ) -> io::Result<Option<Vec<Placed>>> {
        let looked = self.knows_too_little(layout, wish, here);
        if looked {
            self.look(layout)?;
        }
        match self.choose(layout, wish, spared, looked, now)? {
            None if !looked => {
                self.look(layout)?;
                self.choose(layout, wish, spared, true, now)
            }
            chosen => Ok(chosen),
        }
    }

    fn knows_too_little(&self, layout: &Layout, wish: Wish, here: u64) -> bool {
        let mut inner = self.lock();
        inner.read_pins(layout);
        // Of the last moment it may not be known what others brought in.
        let unknown = here.saturating_sub(inner.order.bytes() + inner.pinned_bytes());
        inner.order.bytes() < wish.least || unknown > here / 8
    }

    /// Looks at the directory, where what is known turns out to be too little.
    fn look(&self, layout: &Layout) -> io::Result<()> {
        let contents = layout.contents()?;
        self.agree(layout, &contents.images, &Rows::new());
        Ok(())
    }

    /// Unless this process has just `looked`, one who is not there tells that others may be there of whom it does
    /// not know.
    fn choose(
        &self,
        layout: &Layout,
        wish: Wish,
        spared: &HashSet<ImageId>,
        looked: bool,
        now: DateTime<Utc>,
    ) -> io::Result<Option<Vec<Placed>>> {
        let mut inner = self.lock();
        let aside = inner.set_aside(spared);
        let chosen = inner.choose(layout, wish, looked, now);
        for (id, standing) in aside {
            inner.order.put(id, standing);
        }
        chosen
    }
}

impl Inner {
    /// Takes copies out of the order, and says where they stood.
    fn set_aside(&mut self, spared: &HashSet<ImageId>) -> Vec<(ImageId, Standing)> {
        let mut aside = Vec::new();
        for id in spared {
            if let Some(standing) = self.resident(*id) {
                self.order.forget(*id);
                aside.push((*id, standing));
            }
        }
        aside
    }

    fn choose(
        &mut self,
        layout: &Layout,
        wish: Wish,
        looked: bool,
        now: DateTime<Utc>,
    ) -> io::Result<Option<Vec<Placed>>> {
        if self.order.bytes() < wish.least {
            return Ok(None);
        }
        let (mut leaving, mut bytes, mut missing) = (Vec::new(), 0, false);
        while bytes < wish.best
            && let Some(id) = self.order.next(tick(now))
        {
            if let Some(image) = layout.placed(id)? {
                // Times of a directory are coarse: a pin that came just after another may not show in them.
                if pins::has(layout, id) {
                    let standing = Standing::derived(image.size, 0, tick(image.modified));
                    self.order.forget(id);
                    self.pinned.insert(id, standing);
                    continue;
                }
                bytes += image.size;
                leaving.push(image);
            } else {
                self.order.forget(id);
                missing = true;
                if !looked {
                    break;
                }
            }
        }
        if bytes >= wish.least && (looked || !missing) {
            return Ok(Some(leaving));
        }
        for image in leaving {
            let derived = Standing::derived(image.size, 0, tick(image.modified));
            self.order.put(image.id, derived);
        }
        Ok(None)
    }
}
