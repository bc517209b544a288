//! `pin`, `unpin` and `list-pinned`: copies that never leave to make room.

use std::collections::HashMap;

use serde_json::json;

use super::Options;
use super::change::{self, Outcome};
use super::options::{self, Which};
use super::place::Place;
use crate::cli::console::Console;
use crate::cli::table::{self, Align};
use crate::cli::{Error, Exit, Result, units};
use crate::domain::ImageId;

/// Pins images. Nobody is asked: nothing is lost by it.
pub fn pin(
    place: &Place,
    which: &Which,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let words = words(which);
    let reason = words.join(", ");
    let found = found(place, which)?;
    if found.is_empty() && !words.is_empty() {
        return Err(Error::NoneFound(reason));
    }
    let ids = options::image_ids(&[which.ids.clone(), found].concat())?;
    if options.dry_run {
        return change::would("pin", "", &change::texts(&ids), options, console);
    }
    let mut outcome = Outcome::default();
    for id in ids {
        let done = place.pin(id, if is_named(id, which) { "" } else { &reason });
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
    let words = words(which);
    let mut ids = [which.ids.clone(), found(place, which)?].concat();
    let pins = place.pinned()?;
    if !words.is_empty() {
        let by = (pins.pinned_by.iter()).filter(|(_, reason)| names_all(reason, &words));
        ids.extend(by.map(|(id, _)| id.to_string()));
    }
    let ids = match &ids[..] {
        [] if !words.is_empty() => Vec::new(),
        ids => options::image_ids(ids)?,
    };
    let (there, absent): (Vec<_>, Vec<_>) =
        (ids.into_iter()).partition(|id| pins.pinned_images.contains(id));
    for id in absent.into_iter().filter(|id| is_named(*id, which)) {
        console.say(format!("Image {id} is not pinned."));
    }
    if there.is_empty() && !words.is_empty() {
        console.say(format!("No pinned image found with {}.", words.join(", ")));
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

/// What images are found by, in words: `tag golden`, `os_distro=debian`. Joined they are the reason of a pin.
fn words(which: &Which) -> Vec<String> {
    let tags = which.tag.iter().map(|tag| format!("tag {tag}"));
    let properties = which.property.iter();
    let properties = properties.map(|(name, value)| format!("{name}={value}"));
    tags.chain(properties).collect()
}

/// Whether the reason of a pin has all these words.
fn names_all(reason: &str, words: &[String]) -> bool {
    let reason = format!(", {reason}, ");
    (words.iter()).all(|word| reason.contains(&format!(", {word}, ")))
}

fn is_named(id: ImageId, which: &Which) -> bool {
    options::image_ids(&which.ids).is_ok_and(|named| named.contains(&id))
}

/// Those that tags and properties find.
fn found(place: &Place, which: &Which) -> Result<Vec<String>> {
    let tags = which.tag.iter().map(|tag| ("tag".to_owned(), tag.clone()));
    let query: Vec<_> = tags.chain(which.property.iter().cloned()).collect();
    if query.is_empty() {
        return Ok(Vec::new());
    }
    place.find(&query)
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
