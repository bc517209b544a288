//! `pin`, `unpin` and `list-pinned`: copies that never leave to make room.

use std::collections::HashMap;

use serde_json::json;

use super::Options;
use super::change::{self, Outcome};
use super::place::Place;
use super::which::Which;
use crate::cli::console::Console;
use crate::cli::table::{self, Align};
use crate::cli::{Exit, Result};
use crate::domain::ImageId;
use crate::domain::units;

/// Pins images. Nobody is asked: nothing is lost by it.
pub fn pin(
    place: &Place,
    which: &Which,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let (named, reason) = (which.named()?, which.words().join(", "));
    let ids = which.images(|query| place.find(query))?;
    if options.dry_run {
        return change::would("pin", "", &change::texts(&ids), options, console);
    }
    let mut outcome = Outcome::default();
    for id in ids {
        let done = place.pin(id, if named.contains(&id) { "" } else { &reason });
        told("Pinned", id, &done, options, console)?;
        outcome.record(id, done, console);
    }
    if options.json {
        console.json(&outcome.json("pinned"))?;
    }
    Ok(outcome.exit())
}

/// Lets copies leave again: of those that are named, those that tags and properties find, and those that were pinned
/// by just these, whatever they have now.
pub fn unpin(
    place: &Place,
    which: &Which,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    which.named()?;
    let found = which.found(|query| place.find(query))?;
    let (there, absent) = which.among(&place.pinned()?, &found)?;
    for id in absent {
        console.say(format!("Image {id} is not pinned."));
    }
    if there.is_empty() && which.looks() {
        let words = which.words().join(", ");
        console.say(format!("No pinned image found with {words}."));
    }
    if options.dry_run {
        return change::would("unpin", "", &change::texts(&there), options, console);
    }
    let mut outcome = Outcome::default();
    for id in there {
        let done = place.unpin(id);
        told("Unpinned", id, &done, options, console)?;
        outcome.record(id, done, console);
    }
    if options.json {
        console.json(&outcome.json("unpinned"))?;
    }
    Ok(outcome.exit())
}

fn told(
    what: &str,
    id: ImageId,
    done: &Result<()>,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<()> {
    if done.is_ok() && options.verbose && !options.json {
        console.result(format!("{what} image {id}"))?;
    }
    Ok(())
}

pub fn list(place: &Place, options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let pins = place.pinned()?;
    if options.json {
        console.json(&json!(pins))?;
        return Ok(Exit::Success);
    }
    let pinned = &pins.pinned_images;
    if pinned.is_empty() {
        console.result("No pinned images.")?;
        return Ok(Exit::Success);
    }
    let cached = place.cached()?.into_iter();
    let sizes: HashMap<String, u64> = cached.map(|image| (image.image_id, image.size)).collect();
    let size = |id: &ImageId| match sizes.get(id.as_str()) {
        Some(size) if options.human => units::size(*size),
        Some(size) => size.to_string(),
        None => "not cached".to_owned(),
    };
    let by = |id| match pins.pinned_by.get(id) {
        Some(reason) => reason.clone(),
        None => "its ID".to_owned(),
    };
    let rows: Vec<_> = (pinned.iter())
        .map(|id| vec![id.to_string(), size(id), by(id)])
        .collect();
    console.result(format!("Found {} pinned images...", pinned.len()))?;
    console.result(table::draw(
        &[
            ("ID", Align::Center),
            ("Size", Align::Right),
            ("Pinned By", Align::Center),
        ],
        &rows,
    ))?;
    Ok(Exit::Success)
}
