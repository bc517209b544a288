//! The commands that change something: asked about first, then done for each image in turn.
//!
//! One image that fails does not keep the others from being done; the exit code tells.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use super::place::Place;
use super::wait;
use super::which::Which;
use crate::cli::console::Console;
use crate::cli::{Exit, Result};
use crate::domain::ImageId;

/// Opens the place, once it is clear that there is something to do there.
type Open<'a> = &'a dyn Fn() -> Result<Place>;

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Cached,
    Queued,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Cached => "cached",
            Kind::Queued => "queued",
        }
    }

    fn ids(self, place: &Place) -> Result<Vec<String>> {
        match self {
            Kind::Cached => Ok(place
                .cached()?
                .into_iter()
                .map(|row| row.image_id)
                .collect()),
            Kind::Queued => place.queued(),
        }
    }
}

pub fn queue(
    open: Open<'_>,
    which: &Which,
    patience: Option<Duration>,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let early = which.looks().then(open).transpose()?;
    let ids = which.images(|query| early.as_ref().map_or(Ok(vec![]), |place| place.find(query)))?;
    if options.dry_run {
        return would("queue", "for caching", &texts(&ids), options, console);
    }
    let question = match &ids[..] {
        [id] => format!("Queue image {id} for caching?"),
        _ => format!("Queue {} images for caching?", ids.len()),
    };
    if !agreed(&question, options, console)? {
        return Ok(Exit::Success);
    }
    let place = early.map_or_else(open, Ok)?;
    let mut outcome = Outcome::default();
    for id in ids {
        let fetchable = match patience {
            Some(_) => place.expect_fetchable(id),
            None => Ok(()),
        };
        let done = fetchable.and_then(|()| place.queue(id));
        if done.is_ok() && options.verbose && !options.json {
            console.result(format!("Queued image {id} for caching"))?;
        }
        outcome.record(id, done, console);
    }
    if options.json && patience.is_none() {
        console.json(&outcome.json("queued"))?;
    }
    match patience {
        Some(patience) => {
            let rest = wait::until_cached(&place, &outcome.done, patience, options, console)?;
            Ok(outcome.exit().worse_of(rest))
        }
        None => Ok(outcome.exit()),
    }
}

pub fn delete(
    open: Open<'_>,
    kind: Kind,
    ids: &[ImageId],
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let word = kind.word();
    if options.dry_run {
        let present: HashSet<String> = kind.ids(&open()?)?.into_iter().collect();
        let (there, absent): (Vec<_>, Vec<_>) =
            texts(ids).into_iter().partition(|id| present.contains(id));
        for id in absent {
            console.say(format!("Image {id} is not {word}."));
        }
        return would(&format!("delete {word}"), "", &there, options, console);
    }
    let question = match ids {
        [id] => format!("Delete {word} image {id}?"),
        _ => format!("Delete {} {word} images?", ids.len()),
    };
    if !agreed(&question, options, console)? {
        return Ok(Exit::Success);
    }
    let place = open()?;
    let mut outcome = Outcome::default();
    for id in ids {
        let done = match kind {
            Kind::Cached => place.evict(*id),
            Kind::Queued => place.unqueue(*id),
        };
        if done.is_ok() && options.verbose && !options.json {
            console.result(format!("Deleted {word} image {id}"))?;
        }
        outcome.record(*id, done, console);
    }
    if options.json {
        console.json(&outcome.json("deleted"))?;
    }
    Ok(outcome.exit())
}

pub fn delete_all(
    open: Open<'_>,
    kind: Kind,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let word = kind.word();
    if options.dry_run {
        let present = kind.ids(&open()?)?;
        return would(&format!("delete {word}"), "", &present, options, console);
    }
    if !agreed(&format!("Delete all {word} images?"), options, console)? {
        return Ok(Exit::Success);
    }
    let place = open()?;
    let count = match kind {
        Kind::Cached => place.evict_all()?,
        Kind::Queued => place.unqueue_all()?,
    };
    if options.json {
        console.json(&json!({ "num_deleted": count }))?;
    } else if options.verbose {
        console.result(format!("Deleted {count} {word} images"))?;
    }
    Ok(Exit::Success)
}

pub(super) fn agreed(question: &str, options: &Options, console: &mut Console<'_>) -> Result<bool> {
    if options.force {
        return Ok(true);
    }
    console.confirm(question)
}

pub(super) fn would(
    verb: &str,
    end: &str,
    ids: &[String],
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    if options.json {
        console.json(&json!({ "dry_run": true, "image_ids": ids }))?;
        return Ok(Exit::Success);
    }
    for id in ids {
        console.result(format!("Would {verb} image {id} {end}").trim_end())?;
    }
    if ids.is_empty() {
        console.result(format!("Would {verb} no image."))?;
    }
    Ok(Exit::Success)
}

pub(super) fn texts(ids: &[ImageId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// What became of each image.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    done: Vec<ImageId>,
    failed: Vec<(ImageId, String)>,
}

impl Outcome {
    pub(super) fn record(&mut self, id: ImageId, done: Result<()>, console: &mut Console<'_>) {
        match done {
            Ok(()) => self.done.push(id),
            Err(error) => {
                console.say(format!("{id}: {}", error.sentence()));
                self.failed.push((id, error.sentence()));
            }
        }
    }

    pub(super) fn json(&self, done: &str) -> Value {
        let failed: Vec<_> = self
            .failed
            .iter()
            .map(|(id, reason)| json!({"image_id": id.as_str(), "reason": reason}))
            .collect();
        json!({ done: texts(&self.done), "failed": failed })
    }

    pub(super) fn exit(&self) -> Exit {
        if self.failed.is_empty() {
            Exit::Success
        } else {
            Exit::Failure
        }
    }
}
