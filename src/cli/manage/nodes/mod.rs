//! `--all-nodes` and `list-nodes`: all nodes that share a database, by the addresses that the API tells.
//!
//! The API is asked who they are, then each of them as the same caller, a few at once. One that does not answer in
//! time keeps nobody from the others: it is named, and the exit code tells.

mod change;
mod list;
mod node;
mod share;

pub use change::{delete, delete_all, pin, queue, unpin};
pub use list::{all, cached, queued};

use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};

use super::{Options, options};
use crate::cli::console::Console;
use crate::cli::{Error, Exit, Result};
use crate::client::{self, ImageApi};
use node::Node;

/// Nodes that are asked at once.
const AT_ONCE: usize = 8;

/// Whether a command is for all nodes.
#[derive(Debug, Args)]
pub struct Everywhere {
    /// Do it on all nodes that share the database: the API tells which those are.
    #[arg(long)]
    pub all_nodes: bool,
    /// With --all-nodes, give a node up that has not answered a call for so long.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = options::moment)]
    pub node_timeout: Duration,
}

/// The nodes, and the API that told of them.
struct Nodes {
    runtime: Runtime,
    hub: ImageApi,
    all: Vec<Node>,
}

impl Nodes {
    /// Asks who they are.
    fn open(options: &Options, patience: Duration) -> Result<Self> {
        if options.cache_dir.is_some() {
            return Err(Error::Options(
                "A directory is of one node: leave out --cache-dir, so that the API is asked for the others"
                    .into(),
            ));
        }
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let hub = options.reach.api()?;
        let nobody = || Error::NoNodes(hub.address().to_string());
        let nodes: Result<Vec<Node>> = runtime.block_on(async {
            let told = match hub.nodes().await {
                Err(client::Error::NotFound { .. }) => return Err(nobody()),
                told => told?.nodes,
            };
            let mut nodes = Vec::with_capacity(told.len());
            for share in told {
                nodes.push(Node::beside(&hub, share, options.reach.port, patience).await?);
            }
            Ok(nodes)
        });
        let nodes = nodes?;
        if nodes.is_empty() {
            return Err(nobody());
        }
        Ok(Self {
            runtime,
            hub,
            all: nodes,
        })
    }

    /// The images that a query finds.
    fn find(&self, query: &[(String, String)]) -> Result<Vec<String>> {
        Ok(self.runtime.block_on(self.hub.find(query))?)
    }

    /// `3 nodes`, for people.
    fn count(&self) -> String {
        match self.all.len() {
            1 => "1 node".to_owned(),
            count => format!("{count} nodes"),
        }
    }

    /// Does it on each of them; what came of it, in the order of their names.
    fn each<T>(&self, work: &impl AsyncFn(&Node) -> T) -> Vec<(&Node, T)> {
        let all = stream::iter(self.all.iter().enumerate())
            .map(async |(place, node)| (place, node, work(node).await))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        let mut all = self.runtime.block_on(all);
        all.sort_by_key(|(place, ..)| *place);
        all.into_iter()
            .map(|(_, node, came)| (node, came))
            .collect()
    }
}

/// The nodes where it could not be done, and why.
#[derive(Default)]
struct Missed<'a>(Vec<(&'a Node, Error)>);

impl<'a> Missed<'a> {
    /// Keeps what came from a node, or why nothing did.
    fn sort<T>(&mut self, came: Vec<(&'a Node, Result<T>)>) -> Vec<(&'a Node, T)> {
        let mut there = Vec::with_capacity(came.len());
        for (node, came) in came {
            match came {
                Ok(came) => there.push((node, came)),
                Err(error) => self.0.push((node, error)),
            }
        }
        there
    }

    fn say(&self, options: &Options, console: &mut Console<'_>) {
        for (node, error) in &self.0 {
            console.say(format!("{}: {}", node.name(), error.sentence()));
            if options.debug {
                console.causes(error);
            }
        }
    }

    fn json(&self) -> Value {
        let row = |(node, error): &(&Node, Error)| json!({ "node": node.name(), "reason": error.sentence() });
        self.0.iter().map(row).collect()
    }

    fn exit(&self) -> Exit {
        if self.0.is_empty() {
            Exit::Success
        } else {
            Exit::Failure
        }
    }
}
