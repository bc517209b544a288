//! The commands that change something, on all nodes: asked about once, then done on each.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::node::Node;
use super::share::{Share, Words, done_to, report, would};
use super::{Everywhere, Missed, Nodes};
use crate::cli::console::Console;
use crate::cli::manage::Options;
use crate::cli::manage::change::{Kind, agreed, texts};
use crate::cli::manage::which::Which;
use crate::cli::watch::Watch;
use crate::cli::{Exit, Result};
use crate::domain::ImageId;

/// How often one looks whether images are cached.
const POLL: Duration = Duration::from_secs(1);

pub fn queue(
    everywhere: &Everywhere,
    which: &Which,
    patience: Option<Duration>,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    which.named()?;
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let ids = which.images(|query| nodes.find(query))?;
    let words = match patience {
        Some(_) => Words::new("queue image", "Cached image", "cached"),
        None => Words::new("queue image", "Queued image", "queued"),
    };
    if options.dry_run {
        let all = async |node: &Node| node.answers().await.map(|()| texts(&ids));
        return would(&nodes, &words, &all, options, console);
    }
    let images = counted("image", &ids);
    let question = format!("Queue {images} for caching on {}?", nodes.count());
    if !agreed(&question, options, console)? {
        return Ok(Exit::Success);
    }
    let shares = nodes.each(&async |node| {
        let share = done_to(&ids, async |id| {
            if patience.is_some() {
                node.expect_fetchable(id).await?;
            }
            node.queue(id).await
        });
        match patience {
            Some(patience) => cached(node, share.await, patience).await,
            None => share.await,
        }
    });
    report(shares, &words, options, console)
}

pub fn delete(
    everywhere: &Everywhere,
    kind: Kind,
    ids: &[ImageId],
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let words = deleting(kind);
    if options.dry_run {
        let wanted: HashSet<String> = texts(ids).into_iter().collect();
        let there = async |node: &Node| {
            let mut there = held(node, kind).await?;
            there.retain(|id| wanted.contains(id));
            Ok(there)
        };
        return would(&nodes, &words, &there, options, console);
    }
    let images = counted(&format!("{} image", kind.word()), ids);
    if !agreed(
        &format!("Delete {images} on {}?", nodes.count()),
        options,
        console,
    )? {
        return Ok(Exit::Success);
    }
    let shares = nodes.each(&async |node| {
        done_to(ids, async |id| match kind {
            Kind::Cached => node.evict(id).await,
            Kind::Queued => node.unqueue(id).await,
        })
        .await
    });
    report(shares, &words, options, console)
}

pub fn delete_all(
    everywhere: &Everywhere,
    kind: Kind,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    if options.dry_run {
        let there = async |node: &Node| held(node, kind).await;
        return would(&nodes, &deleting(kind), &there, options, console);
    }
    let word = kind.word();
    let question = format!("Delete all {word} images on {}?", nodes.count());
    if !agreed(&question, options, console)? {
        return Ok(Exit::Success);
    }
    let mut missed = Missed::default();
    let there = missed.sort(nodes.each(&async |node| match kind {
        Kind::Cached => node.evict_all().await,
        Kind::Queued => node.unqueue_all().await,
    }));
    missed.say(options, console);
    if options.json {
        let rows = there
            .iter()
            .map(|(node, count)| json!({ "node": node.name(), "num_deleted": count }));
        let rows: Vec<Value> = rows.collect();
        console.json(&json!({ "nodes": rows, "failed": missed.json() }))?;
    } else if options.verbose {
        for (node, count) in &there {
            console.result(format!("Deleted {count} {word} images on {}", node.name()))?;
        }
    }
    Ok(missed.exit())
}

pub fn pin(
    everywhere: &Everywhere,
    which: &Which,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let (named, reason) = (which.named()?, which.words().join(", "));
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let ids = which.images(|query| nodes.find(query))?;
    let words = Words::new("pin image", "Pinned image", "pinned");
    if options.dry_run {
        let all = async |node: &Node| node.pinned().await.map(|_| texts(&ids));
        return would(&nodes, &words, &all, options, console);
    }
    let shares = nodes.each(&async |node| {
        done_to(&ids, async |id| {
            let by = if named.contains(&id) { "" } else { &reason };
            node.pin(id, by).await
        })
        .await
    });
    report(shares, &words, options, console)
}

pub fn unpin(
    everywhere: &Everywhere,
    which: &Which,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    which.named()?;
    let nodes = Nodes::open(options, everywhere.node_timeout)?;
    let found = which.found(|query| nodes.find(query))?;
    let words = Words::new("unpin image", "Unpinned image", "unpinned");
    let pinned = async |node: &Node| Ok(which.among(&node.pinned().await?, &found)?.0);
    if options.dry_run {
        let pinned = async |node: &Node| pinned(node).await.map(|ids| texts(&ids));
        return would(&nodes, &words, &pinned, options, console);
    }
    let shares = nodes.each(&async |node| match pinned(node).await {
        Ok(ids) => done_to(&ids, async |id| node.unpin(id).await).await,
        Err(error) => Share {
            left: Some(error),
            ..Share::default()
        },
    });
    if shares.iter().all(|(_, share)| share.is_empty()) {
        console.say("None of these images is pinned on any node.");
    }
    report(shares, &words, options, console)
}

fn deleting(kind: Kind) -> Words {
    let word = kind.word();
    let (would, did) = (
        format!("delete {word} image"),
        format!("Deleted {word} image"),
    );
    Words::new(would, did, "deleted")
}

/// What a node holds of a kind.
async fn held(node: &Node, kind: Kind) -> Result<Vec<String>> {
    match kind {
        Kind::Cached => {
            let rows = node.cached().await?.into_iter();
            Ok(rows.map(|row| row.image_id).collect())
        }
        Kind::Queued => node.queued().await,
    }
}

/// `image ID` or `3 images`.
fn counted(image: &str, ids: &[ImageId]) -> String {
    match ids {
        [id] => format!("{image} {id}"),
        _ => format!("{} {image}s", ids.len()),
    }
}

/// Stays until the images of a share are cached, one has left the queue without, or `patience` is at its end.
async fn cached(node: &Node, mut share: Share, patience: Duration) -> Share {
    let mut watch = Watch::new(&share.done);
    let begun = Instant::now();
    while !watch.is_over() && begun.elapsed() < patience {
        match node.state().await {
            Ok(state) => watch.observe(&state),
            Err(error) => {
                share.left = Some(error);
                break;
            }
        }
        if !watch.is_over() {
            sleep(POLL).await;
        }
    }
    let done: HashSet<ImageId> = ids(&watch.cached).collect();
    let failed: HashSet<ImageId> = ids(&watch.failed).collect();
    let uncached = share.done.iter().filter(|id| !done.contains(id));
    let uncached = uncached.map(|id| {
        let reason = if failed.contains(id) {
            "it left the queue and is not cached: the log of the node says why".to_owned()
        } else {
            let waited = begun.elapsed().as_secs();
            format!("it is not cached after {waited} seconds, and stays queued")
        };
        (*id, reason)
    });
    let uncached: Vec<_> = uncached.collect();
    share.failed.extend(uncached);
    share.done.retain(|id| done.contains(id));
    share
}

fn ids(texts: &[String]) -> impl Iterator<Item = ImageId> {
    texts.iter().filter_map(|text| text.parse().ok())
}
