//! Copies of other nodes. Who brings an image in asks those that have told of one (see [`super::publish`]), and then the
//! one that is bringing it in at the moment, before it reads the store: they are near, and may be there while the store
//! is not.
//!
//! What comes from them is proven like what comes from a store, and a node whose data proves wrong is not asked again
//! for a while. Each node judges for itself who may have the image: there, it is the service's own account that asks.

mod copy;
mod feed;
mod lead;
mod turn;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Glance;
use crate::auth::Keystone;
use crate::client::{self, Hidden, NoCopy, PeerApi, Trust};
use crate::config::CacheConfig;
use crate::db::Db;
use crate::domain::report::Profile;
use crate::domain::{Image, ImageId};
use crate::stream::{ByteRange, ByteStream};

pub use feed::Feed;
use feed::Feeds;
use lead::Leads;

/// So many are asked at most, one after the other.
const MOST: usize = 3;

/// How long one is left alone that did not answer, or broke off; twice as long each time, up to [`DISTRUST`].
const REST: Duration = Duration::from_secs(30);

/// How long one is left alone whose data was not the image's.
const DISTRUST: Duration = Duration::from_mins(10);

/// What bytes from other nodes are counted as.
pub const PEER: &str = "peer";

/// The other nodes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    api: PeerApi,
    /// Who gives tokens to show them, where callers have to show one.
    keystone: Option<Keystone>,
    /// What this node is called.
    own: String,
    /// `[image_cache] peer_timeout`
    timeout: Duration,
    resting: Mutex<HashMap<String, Rest>>,
    /// Whose turn it is to be asked first.
    turn: AtomicUsize,
    feeds: Feeds,
    leads: Leads,
}

/// What another node gives.
pub(super) struct Given {
    pub node: String,
    pub bytes: ByteStream,
    /// Whether the node may have to wait for a store itself.
    pub grows: bool,
}

/// A node that is left alone, or was.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    /// For how long that was.
    time: Duration,
}

impl Peers {
    /// Prepares to ask; none where the configuration does not want it.
    pub fn new(
        config: &CacheConfig,
        db: &Db,
        keystone: Option<&Keystone>,
    ) -> client::Result<Option<Self>> {
        let (Some(peers), Some(own), Some(api)) =
            (&config.peers, &config.node_name, Self::api(config)?)
        else {
            return Ok(None);
        };
        Ok(Some(Self(Arc::new(Inner {
            db: db.clone(),
            api,
            keystone: keystone.cloned(),
            own: own.clone(),
            timeout: peers.timeout,
            resting: Mutex::default(),
            turn: AtomicUsize::new(0),
            feeds: Feeds::default(),
            leads: Leads::default(),
        }))))
    }

    /// How other nodes are reached; none where nobody asks them.
    pub fn api(config: &CacheConfig) -> client::Result<Option<PeerApi>> {
        let (Some(peers), Some(own)) = (&config.peers, &config.node_name) else {
            return Ok(None);
        };
        let trust = Trust {
            bundle: peers.ca_file.clone(),
            ..Trust::default()
        };
        let https = peers.ca_file.is_some() || own.starts_with("https:");
        PeerApi::new(&trust, https, peers.timeout).map(Some)
    }

    /// An image of so many bytes, or a range of it, from a node that has it or brings it in.
    pub(super) async fn open(
        &self,
        id: ImageId,
        size: u64,
        range: Option<ByteRange>,
    ) -> Option<Given> {
        let nodes = self.with(id).await;
        let begun = Instant::now();
        for node in nodes {
            if begun.elapsed() > self.enough() {
                return None;
            }
            if let Some(bytes) = self.try_open(&node, id, size, range).await {
                return Some(Given {
                    node,
                    bytes,
                    grows: false,
                });
            }
        }
        let spent = begun.elapsed();
        self.open_at_lead(id, size, range, spent).await
    }

    /// Other nodes may read along with a fill of this image from now on, where it reads a store.
    pub fn follow(&self, id: ImageId, feed: watch::Receiver<Feed>) {
        self.0.feeds.note(id, feed);
    }

    /// Whether a node answers, whatever it says.
    pub(super) async fn is_well(&self, node: &str, id: ImageId) -> bool {
        !matches!(self.profile_at(node, id).await, Err(NoCopy::Away(_)))
    }

    /// How long one that has begun may send nothing: there is the store.
    pub fn patience(&self) -> Duration {
        self.0.timeout.mul_f32(2.5)
    }

    /// No more are asked when so much time has gone by.
    fn enough(&self) -> Duration {
        self.0.timeout.mul_f32(1.5)
    }

    /// The same from this node.
    async fn try_open(
        &self,
        node: &str,
        id: ImageId,
        size: u64,
        range: Option<ByteRange>,
    ) -> Option<ByteStream> {
        match self.open_at(node, id, size, range).await {
            Ok(bytes) => {
                self.resting().remove(node);
                tracing::info!(image.id = %id, node, "image {id} comes from the copy at {node}");
                return Some(bytes);
            }
            Err(NoCopy::Away(why)) => self.rest(id, node, &why),
            Err(why) => {
                tracing::info!(image.id = %id, node, "{node} gives no copy of image {id}: {why}");
            }
        }
        None
    }

    /// The nodes to ask for a copy, in that order.
    async fn with(&self, id: ImageId) -> Vec<String> {
        let nodes = match self.0.db.nodes_with(id).await {
            Ok(nodes) => nodes,
            Err(error) => {
                tracing::info!(image.id = %id, "nobody is asked for a copy of image {id}: {error}");
                return Vec::new();
            }
        };
        let mut nodes = self.awake(nodes);
        if !nodes.is_empty() {
            let first = self.0.turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
            nodes.rotate_left(first);
        }
        nodes.truncate(MOST);
        nodes
    }

    /// Of these nodes the others, without those that rest.
    fn awake(&self, mut nodes: Vec<String>) -> Vec<String> {
        let (mut resting, now) = (self.resting(), Instant::now());
        // One that was well for as long as it rested is as good as new.
        resting.retain(|_, rest| rest.until + rest.time > now);
        nodes.retain(|node| {
            let rests = resting.get(node).is_some_and(|rest| rest.until > now);
            *node != self.0.own && node.starts_with("http") && !rests
        });
        nodes
    }

    /// Leaves a node alone that did not answer, or broke off.
    pub fn rest(&self, id: ImageId, node: &str, why: &str) {
        let before = self.resting().get(node).map(|rest| rest.time);
        let time = before.map_or(REST, |before| (before * 2).min(DISTRUST));
        self.leave_alone(id, node, time, why);
    }

    /// Leaves a node alone whose data was not the image's.
    pub fn distrust(&self, id: ImageId, node: &str) {
        self.leave_alone(id, node, DISTRUST, "its data was not the image's");
    }

    fn leave_alone(&self, id: ImageId, node: &str, time: Duration, why: &str) {
        tracing::warn!(image.id = %id, node, "{node} is not asked for copies for {time:?}: {why}");
        let until = Instant::now() + time;
        self.resting().insert(node.to_owned(), Rest { until, time });
    }

    fn resting(&self) -> MutexGuard<'_, HashMap<String, Rest>> {
        // A map is whole whatever happened to the thread that held it.
        (self.0.resting.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    async fn open_at(
        &self,
        node: &str,
        id: ImageId,
        size: u64,
        range: Option<ByteRange>,
    ) -> std::result::Result<ByteStream, NoCopy> {
        let api = &self.0.api;
        self.with_token(async |token| api.open(node, id, size, range, token).await)
            .await
    }

    /// What a node knows of an image.
    async fn profile_at(&self, node: &str, id: ImageId) -> std::result::Result<Profile, NoCopy> {
        let api = &self.0.api;
        self.with_token(async |token| api.profile(node, id, token).await)
            .await
    }

    /// Asks with the token of the service's account, where callers have to show one.
    async fn with_token<T>(
        &self,
        ask: impl AsyncFnOnce(Option<&Hidden>) -> std::result::Result<T, NoCopy>,
    ) -> std::result::Result<T, NoCopy> {
        let Some(keystone) = &self.0.keystone else {
            return ask(None).await;
        };
        let session = keystone.session();
        let token = session.own_token().await;
        // That Keystone gives us none says nothing of the node.
        let token = token.map_err(|_| NoCopy::Refused(StatusCode::UNAUTHORIZED))?;
        let answer = ask(Some(&token)).await;
        if let Err(NoCopy::Refused(StatusCode::UNAUTHORIZED)) = answer {
            session.forget(&token).await;
        }
        answer
    }
}

impl Glance {
    /// The other nodes, for who brings the image in: where it can be proven that what they have is its data.
    pub(super) fn peers_for(&self, image: &Image) -> Option<Peers> {
        let proven = image.size.is_some() && image.checksums.proof().is_some();
        self.peers.clone().filter(|_| proven)
    }
}
