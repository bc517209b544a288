//! `list-nodes`, and the lists of all nodes in one.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Everywhere, Missed, Nodes};
use crate::cli::console::Console;
use crate::cli::manage::Options;
use crate::cli::manage::choice::Choice;
use crate::cli::manage::list::{columns, row};
use crate::cli::table::{self, Align};
use crate::cli::{Exit, Result};
use crate::client::CachedImage;
use crate::clock::Clock;
use crate::domain::units;

const NODE: (&str, Align) = ("Node", Align::Center);

/// A copy, and where it is.
#[derive(Serialize)]
struct Held<'a> {
    node: &'a str,
    #[serde(flatten)]
    image: CachedImage,
}

impl AsRef<CachedImage> for Held<'_> {
    fn as_ref(&self) -> &CachedImage {
        &self.image
    }
}

/// The nodes, what each told that it has, and whether it answers.
pub fn all(patience: Duration, options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let nodes = Nodes::open(options, patience)?;
    let mut missed = Missed::default();
    missed.sort(nodes.each(&async |node| node.answers().await));
    missed.say(options, console);
    let reason = |name: &str| {
        let error = missed.0.iter().find(|(node, _)| node.name() == name);
        error.map(|(_, error)| error.sentence())
    };
    let shares = nodes.all.iter().map(|node| &node.share);
    if options.json {
        let rows = shares.map(|share| {
            let reason = reason(&share.address);
            json!({
                "address": share.address, "copies": share.copies, "bytes": share.bytes,
                "answers": reason.is_none(), "reason": reason,
            })
        });
        let rows: Vec<Value> = rows.collect();
        console.json(&json!({ "nodes": rows }))?;
        return Ok(missed.exit());
    }
    let rows = shares.map(|share| {
        let answers = if reason(&share.address).is_none() {
            "yes"
        } else {
            "no"
        };
        let bytes = if options.human {
            units::size(share.bytes)
        } else {
            share.bytes.to_string()
        };
        let (name, copies) = (share.address.clone(), share.copies.to_string());
        vec![name, copies, bytes, answers.to_owned()]
    });
    let columns = [
        NODE,
        ("Copies", Align::Right),
        ("Size", Align::Right),
        ("Answers", Align::Center),
    ];
    console.result(format!("Found {}...", nodes.count()))?;
    console.result(table::draw(&columns, &rows.collect::<Vec<_>>()))?;
    Ok(missed.exit())
}

/// `list-cached --all-nodes`
pub fn cached(
    everywhere: &Everywhere,
    choice: &Choice,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let now = Clock::system().now();
    let mut missed = Missed::default();
    let there = missed.sort(nodes.each(&async |node| node.cached().await));
    let held = there.into_iter().flat_map(|(node, images)| {
        let node = node.name();
        images.into_iter().map(move |image| Held { node, image })
    });
    let held: Vec<Held<'_>> = held.collect();
    let all = held.len();
    let held = choice.of(held, now)?;
    missed.say(options, console);
    if options.json {
        console.json(&json!({ "cached_images": held, "failed": missed.json() }))?;
    } else if all == 0 {
        console.result("No cached images.")?;
    } else if held.is_empty() {
        console.result(format!("None of {all} cached images is like that."))?;
    } else {
        let found = match held.len() {
            found if choice.is_all() => found.to_string(),
            found => format!("{found} of {all}"),
        };
        console.result(format!("Found {found} cached images..."))?;
        let now = options.human.then_some(now);
        let rows = held.iter().map(|held| {
            let node = vec![held.node.to_owned()];
            [node, row(&held.image, now)].concat()
        });
        let columns = [&[NODE][..], &columns(options.human)].concat();
        console.result(table::draw(&columns, &rows.collect::<Vec<_>>()))?;
    }
    Ok(missed.exit())
}

/// `list-queued --all-nodes`
pub fn queued(
    everywhere: &Everywhere,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let mut missed = Missed::default();
    let there = missed.sort(nodes.each(&async |node| node.queued().await));
    let rows = there.into_iter().flat_map(|(node, ids)| {
        let row = |id| vec![node.name().to_owned(), id];
        ids.into_iter().map(row).collect::<Vec<_>>()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    missed.say(options, console);
    if options.json {
        let row = |row: &Vec<String>| json!({ "node": row[0], "image_id": row[1] });
        let rows: Vec<Value> = rows.iter().map(row).collect();
        console.json(&json!({ "queued_images": rows, "failed": missed.json() }))?;
    } else if rows.is_empty() {
        console.result("No queued images.")?;
    } else {
        console.result(format!("Found {} queued images...", rows.len()))?;
        console.result(table::draw(&[NODE, ("ID", Align::Center)], &rows))?;
    }
    Ok(missed.exit())
}
