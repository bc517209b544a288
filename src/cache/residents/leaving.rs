//! Choosing who leaves.

use std::io;

use chrono::{DateTime, Utc};

use super::{Inner, Residents, tick};
use crate::cache::eviction::{Place, Standing};
use crate::cache::layout::{Layout, Placed};
use crate::cache::pins;
use crate::cache::rows::Rows;
use crate::domain::ImageId;

/// For whom room is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// What rules want leaves last, and no more of it than has to go.
    Anybody,
    /// What rules want stays.
    Rule,
}

/// How much has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Bytes that have to go.
    pub needed: u64,
    /// Bytes that are to go where they can be had; not less than [`Wish::needed`].
    pub best: u64,
    pub asker: Asker,
    /// Whether copies leave also where they have less than what is needed.
    pub anyway: bool,
}

impl Wish {
    /// Bytes without which nobody leaves.
    fn least(self) -> u64 {
        if self.anyway { 0 } else { self.needed }
    }
}

/// Who was chosen.
#[derive(Debug, Default)]
struct Chosen {
    leaving: Vec<Placed>,
    bytes: u64,
    /// One that was thought to be here is not.
    missing: bool,
}

impl Residents {
    /// Who leaves, where there are copies of so many bytes `here`. None where all who may leave have less than
    /// has to go: then nobody does, unless they go anyway. Blocks, and looks at the files of those who leave alone,
    /// unless too little is known of the others. For who has the lock, under which images are pinned.
    pub fn leaving(
        &self,
        layout: &Layout,
        wish: Wish,
        here: u64,
        now: DateTime<Utc>,
    ) -> io::Result<Option<Vec<Placed>>> {
        let looked = self.knows_too_little(layout, wish, here);
        if looked {
            self.look(layout)?;
        }
        match self.choose(layout, wish, looked, now)? {
            None if !looked => {
                self.look(layout)?;
                self.choose(layout, wish, true, now)
            }
            chosen => Ok(chosen),
        }
    }

    fn knows_too_little(&self, layout: &Layout, wish: Wish, here: u64) -> bool {
        let mut inner = self.lock();
        inner.read_pins(layout);
        // Of the last moment it may not be known what others brought in.
        let unknown = here.saturating_sub(inner.order.bytes() + inner.pinned_bytes());
        inner.order.bytes() < wish.least() || unknown > here / 8
    }

    /// Looks at the directory, where what is known turns out to be too little.
    fn look(&self, layout: &Layout) -> io::Result<()> {
        let contents = layout.contents()?;
        self.agree(layout, &contents.images, &Rows::new());
        Ok(())
    }

    fn choose(
        &self,
        layout: &Layout,
        wish: Wish,
        looked: bool,
        now: DateTime<Utc>,
    ) -> io::Result<Option<Vec<Placed>>> {
        let mut inner = self.lock();
        let aside = inner.set_aside_wanted();
        let wanted: u64 = aside.iter().map(|(.., standing)| standing.size).sum();
        let may_leave = match wish.asker {
            Asker::Anybody => inner.order.bytes() + wanted,
            Asker::Rule => inner.order.bytes(),
        };
        let mut chosen = Chosen::default();
        let enough = may_leave >= wish.least();
        let mut took = Ok(());
        if enough {
            took = inner.take(&mut chosen, layout, wish.best, looked, now);
        }
        // Then what the least important of them want.
        let mut aside = aside.into_iter().peekable();
        while took.is_ok()
            && (enough && wish.asker == Asker::Anybody && chosen.bytes < wish.needed)
            && let Some(rank) = aside.peek().map(|(rank, ..)| *rank)
        {
            while let Some((_, id, standing)) = aside.next_if(|(other, ..)| *other == rank) {
                inner.order.put(id, standing);
            }
            took = inner.take(&mut chosen, layout, wish.needed, looked, now);
        }
        for (_, id, standing) in aside {
            inner.order.put(id, standing);
        }
        took?;
        if enough && chosen.bytes >= wish.least() && (looked || !chosen.missing) {
            return Ok(Some(chosen.leaving));
        }
        for image in chosen.leaving {
            let derived = Standing::derived(image.size, 0, tick(image.modified));
            inner.order.put(image.id, derived);
        }
        Ok(None)
    }
}

impl Inner {
    /// Takes what rules want out of the order, and says where it stood: what the least important of them want first.
    fn set_aside_wanted(&mut self) -> Vec<(usize, ImageId, Standing)> {
        let mut aside = Vec::new();
        for (id, rank) in &self.wanted {
            let standing = self.order.standing(*id);
            if let Some(standing) = standing.filter(|standing| standing.place != Place::Left) {
                self.order.forget(*id);
                aside.push((*rank, *id, standing));
            }
        }
        aside.sort_unstable_by_key(|(rank, ..)| std::cmp::Reverse(*rank));
        aside
    }

    /// Chooses, until so many bytes are. Unless this process has just `looked`, one who is not there tells that
    /// others may be there of whom it does not know: then that is all.
    fn take(
        &mut self,
        chosen: &mut Chosen,
        layout: &Layout,
        bytes: u64,
        looked: bool,
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        while chosen.bytes < bytes
            && (looked || !chosen.missing)
            && let Some(id) = self.order.next(tick(now))
        {
            let Some(image) = layout.placed(id)? else {
                self.order.forget(id);
                chosen.missing = true;
                continue;
            };
            // Times of a directory are coarse: a pin that came just after another may not show in them.
            if pins::has(layout, id) {
                let standing = Standing::derived(image.size, 0, tick(image.modified));
                self.order.forget(id);
                self.pinned.insert(id, standing);
                continue;
            }
            chosen.bytes += image.size;
            chosen.leaving.push(image);
        }
        Ok(())
    }
}
