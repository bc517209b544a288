//! `pin`, `unpin` and `list-pinned`: copies that never leave to make room.

use std::collections::HashMap;

use serde_json::json;

use super::Options;
use super::change::{self, Outcome};
use super::options::{self, Which};
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::table::{self, Align};
use crate::cli::{Exit, Result, units};
use crate::domain::ImageId;

/// What is done with a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Pin,
    Unpin,
}

/// Pins images or lets them go. Nobody is asked: nothing is lost by either.
pub fn change(
    place: &Place,
    which: &Which,
    change: Change,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let ids = chosen(place, which)?;
    let reason = reason(which);
    let (verb, done_word, json_word) = match change {
        Change::Pin => ("pin", "Pinned", "pinned"),
        Change::Unpin => ("unpin", "Unpinned", "unpinned"),
    };
    if options.dry_run {
        return change::would(verb, "", &change::texts(&ids), options, console);
    }
    let mut outcome = Outcome::default();
    for id in ids {
        let done = match change {
            Change::Pin => place.pin(id, reason_for(id, which, &reason)),
            Change::Unpin => place.unpin(id),
        };
        if done.is_ok() && options.verbose && !options.json {
            console.result(format!("{done_word} image {id}"))?;
        }
        outcome.record(id, done, console);
    }
    if options.json {
        console.json(&outcome.json(json_word))?;
    }
    Ok(outcome.exit())
}

/// What images are found by, in words: `tag golden, os_distro=debian`.
fn reason(which: &Which) -> String {
    let tag = which.tag.iter().map(|tag| format!("tag {tag}"));
    let properties = which.property.iter();
    let properties = properties.map(|(name, value)| format!("{name}={value}"));
    let words: Vec<String> = tag.chain(properties).collect();
    words.join(", ")
}

/// None but its own name, where an image is named.
fn reason_for<'r>(id: ImageId, which: &Which, reason: &'r str) -> &'r str {
    let is_named = which.ids.iter().any(|named| named.parse() == Ok(id));
    if is_named { "" } else { reason }
}

/// Those that are named, and those that tags and properties find.
fn chosen(place: &Place, which: &Which) -> Result<Vec<ImageId>> {
    let tags = which.tag.iter().map(|tag| ("tag".to_owned(), tag.clone()));
    let query: Vec<_> = tags.chain(which.property.iter().cloned()).collect();
    if query.is_empty() {
        return options::image_ids(&which.ids);
    }
    let mut ids = which.ids.clone();
    ids.extend(place.find(&query)?);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    options::image_ids(&ids)
}

pub fn list(place: &Place, options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let pinned = place.pinned()?;
    if options.json {
        console.json(&json!({ "pinned_images": pinned }))?;
        return Ok(Exit::Success);
    }
    if pinned.is_empty() {
        console.result("No pinned images.")?;
        return Ok(Exit::Success);
    }
    let cached = place.cached()?.into_iter();
    let sizes: HashMap<String, u64> = cached.map(|image| (image.image_id, image.size)).collect();
    let size = |id: &String| match sizes.get(id) {
        Some(size) if options.human => units::size(*size),
        Some(size) => size.to_string(),
        None => "not cached".to_owned(),
    };
    let rows: Vec<_> = pinned.iter().map(|id| vec![id.clone(), size(id)]).collect();
    console.result(format!("Found {} pinned images...", pinned.len()))?;
    console.result(table::draw(
        &[("ID", Align::Center), ("Size", Align::Right)],
        &rows,
    ))?;
    Ok(Exit::Success)
}
