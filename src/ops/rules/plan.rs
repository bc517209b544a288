//! What rules want of a node, and whether it fits: all of them together, the most important first.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::select;
use crate::cache::Inventory;
use crate::config::PrefetchRule;
use crate::db::{self, Db};
use crate::domain::{Image, ImageId};

/// What a rule wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub rule: String,
    /// The latest first. After one without room none follows; one that is larger than all room is passed over.
    pub images: Vec<Wanted>,
}

/// An image that a rule wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub id: ImageId,
    pub name: Option<String>,
    /// Bytes.
    pub size: u64,
    /// What makes it one of the rule's.
    pub why: String,
    pub state: State,
}

/// What is here of an image that a rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Cached,
    Growing,
    Queued,
    /// Nothing, and it is not asked for.
    Missing,
    /// Beside what is more important there is no room for it: if it is here it may leave. The rule stops there.
    NoRoom,
    /// It is larger than all the room there is for rules, and passed over.
    TooLarge,
}

impl State {
    /// Whether the rule keeps room for it.
    pub(super) fn is_kept(self) -> bool {
        !matches!(self, State::NoRoom | State::TooLarge)
    }

    /// In a word, for people and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Cached => "cached",
            State::Growing => "growing",
            State::Queued => "queued",
            State::Missing => "missing",
            State::NoRoom => "no-room",
            State::TooLarge => "too-large",
        }
    }
}

impl Plan {
    /// The images in that state.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Wanted> {
        self.images.iter().filter(move |image| image.state == state)
    }

    /// Bytes of the images that are to be asked for.
    #[must_use]
    pub fn bytes_missing(&self) -> u64 {
        self.in_state(State::Missing).map(|image| image.size).sum()
    }

    /// Whether there is room for all that the rule wants.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.images.iter().all(|image| image.state.is_kept())
    }
}

/// What the rules want, the most important first, of a node that has this.
pub async fn plans(
    db: &Db,
    rules: &[PrefetchRule],
    inventory: &Inventory,
) -> db::Result<Vec<Plan>> {
    let mut room = Room {
        inventory,
        queued: inventory.queued.iter().map(|queued| queued.id).collect(),
        kept: HashSet::new(),
        left: inventory.room,
    };
    let mut plans = Vec::new();
    for rule in rules {
        let mut images = Vec::new();
        let take = |image: &Image, why| {
            let size = image.size.unwrap_or(0);
            let state = room.keep(image.id, size);
            images.push(Wanted {
                id: image.id,
                name: image.name.clone(),
                size,
                why,
                state,
            });
            if state == State::NoRoom {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        select::each(db, rule, take).await?;
        plans.push(Plan {
            rule: rule.name.clone(),
            images,
        });
    }
    Ok(plans)
}

/// The room that is not kept for anything more important.
struct Room<'i> {
    inventory: &'i Inventory,
    queued: HashSet<ImageId>,
    kept: HashSet<ImageId>,
    left: u64,
}

impl Room<'_> {
    /// Keeps room for an image, if there is any.
    fn keep(&mut self, id: ImageId, size: u64) -> State {
        // What is pinned has its room already.
        let is_kept = self.kept.contains(&id) || self.inventory.pinned.contains(&id);
        let fits = is_kept || size <= self.left;
        if fits && !is_kept {
            self.left -= size;
            self.kept.insert(id);
        }
        if !fits && size > self.inventory.room {
            State::TooLarge
        } else if !fits {
            State::NoRoom
        } else if self.inventory.cached.contains(&id) {
            State::Cached
        } else if self.inventory.growing.contains(&id) {
            State::Growing
        } else if self.queued.contains(&id) {
            State::Queued
        } else {
            State::Missing
        }
    }
}
