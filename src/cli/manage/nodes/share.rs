//! What became of images, node by node, and how that is told.

use serde_json::{Value, json};

use super::node::Node;
use super::{Missed, Nodes};
use crate::cli::console::Console;
use crate::cli::manage::Options;
use crate::cli::manage::change::texts;
use crate::cli::{Error, Exit, Result};
use crate::client;
use crate::domain::ImageId;

/// How one speaks of what is done to an image.
pub struct Words {
    /// What would be done: `delete cached image`.
    pub would: String,
    /// What was: `Deleted cached image`.
    pub did: String,
    /// The field with the images where it was.
    pub field: &'static str,
}

impl Words {
    pub fn new(would: impl Into<String>, did: impl Into<String>, field: &'static str) -> Self {
        Self {
            would: would.into(),
            did: did.into(),
            field,
        }
    }
}

/// What became of the images on one node.
#[derive(Default)]
pub struct Share {
    pub done: Vec<ImageId>,
    pub failed: Vec<(ImageId, String)>,
    /// Why the node was asked for no more.
    pub left: Option<Error>,
}

impl Share {
    /// Whether nothing came of it, good or bad.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.failed.is_empty()
    }
}

/// Does it to one image after the other. A node that fails as a whole is asked for no more.
pub async fn done_to(ids: &[ImageId], work: impl AsyncFn(ImageId) -> Result<()>) -> Share {
    let mut share = Share::default();
    for id in ids {
        match work(*id).await {
            Ok(()) => share.done.push(*id),
            Err(error) if is_of_image(&error) => share.failed.push((*id, error.sentence())),
            Err(error) => {
                share.left = Some(error);
                break;
            }
        }
    }
    share
}

/// Whether another image may fare better on the same node.
fn is_of_image(error: &Error) -> bool {
    matches!(
        error,
        Error::Unfetchable(_)
            | Error::NoSuchImage(_)
            | Error::Api(client::Error::NotFound { .. } | client::Error::Refused { .. })
    )
}

/// What would be done on each node.
pub fn would(
    nodes: &Nodes,
    words: &Words,
    plan: &impl AsyncFn(&Node) -> Result<Vec<String>>,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let mut missed = Missed::default();
    let there = missed.sort(nodes.each(plan));
    missed.say(options, console);
    if options.json {
        let row =
            |(node, ids): &(&Node, Vec<String>)| json!({ "node": node.name(), "image_ids": ids });
        let rows: Vec<Value> = there.iter().map(row).collect();
        console.json(&json!({ "dry_run": true, "nodes": rows, "failed": missed.json() }))?;
        return Ok(missed.exit());
    }
    let would = &words.would;
    for (node, ids) in &there {
        for id in ids {
            console.result(format!("Would {would} {id} on {}", node.name()))?;
        }
    }
    if there.iter().all(|(_, ids)| ids.is_empty()) {
        console.result(format!("Would {would} on no node."))?;
    }
    Ok(missed.exit())
}

pub fn report(
    shares: Vec<(&Node, Share)>,
    words: &Words,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let mut missed = Missed::default();
    let mut rows: Vec<Value> = Vec::new();
    let mut exit = Exit::Success;
    for (node, share) in shares {
        let name = node.name();
        if options.verbose && !options.json {
            for id in &share.done {
                console.result(format!("{} {id} on {name}", words.did))?;
            }
        }
        for (id, reason) in &share.failed {
            console.say(format!("{name}: {id}: {reason}"));
            exit = Exit::Failure;
        }
        if !share.is_empty() || share.left.is_none() {
            let failed = share.failed.iter();
            let failed: Vec<Value> = failed
                .map(|(id, reason)| json!({ "image_id": id.as_str(), "reason": reason }))
                .collect();
            let done = words.field;
            rows.push(json!({ "node": name, done: texts(&share.done), "failed": failed }));
        }
        missed.0.extend(share.left.map(|error| (node, error)));
    }
    missed.say(options, console);
    if options.json {
        console.json(&json!({ "nodes": rows, "failed": missed.json() }))?;
    }
    Ok(exit.worse_of(missed.exit()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_image_that_fails_leaves_the_others_and_a_node_that_fails_is_left() {
        let ids: Vec<ImageId> = (0..5).map(|_| ImageId::random()).collect();
        let share = done_to(&ids, async |id| {
            match ids.iter().position(|one| *one == id) {
                Some(1) => Err(Error::NoSuchImage(id)),
                Some(3) => Err(Error::Late(Duration::from_secs(30))),
                Some(4) => panic!("the node has been left"),
                _ => Ok(()),
            }
        })
        .await;
        assert_eq!(share.done, [ids[0], ids[2]]);
        let failed: Vec<ImageId> = share.failed.iter().map(|(id, _)| *id).collect();
        assert_eq!(failed, [ids[1]]);
        assert!(matches!(share.left, Some(Error::Late(_))));
    }
}
