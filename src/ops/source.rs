//! An image's data in its stores, as one source that does not break: where a store fails or falls silent in the
//! middle, reading goes on at that byte, at the next location or there again. A fill begins with what other nodes have.

mod pace;
mod steady;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use super::peers::{Feed, Given, PEER, Peers};
use crate::cache::{self, Claim, Need, Supply};
use crate::domain::Image;
use crate::store::registry::Reader;
use crate::store::{self, Registry};
use crate::stream::{Blob, ByteRange, ByteStream};
use crate::telemetry::counters::Counters;

use steady::{Place, Steady};

/// The data of one image. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreSource(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stores: Registry,
    image: Image,
    /// How long a store may send nothing.
    patience: Duration,
    counters: Counters,
    /// Who is asked before it by fills, which prove what they get.
    peers: Option<Peers>,
    /// The nodes that something came from.
    helped: Mutex<Vec<String>>,
    /// Where a fill has its data from, for nodes that would read along.
    feed: watch::Sender<Feed>,
}

impl StoreSource {
    pub fn new(
        stores: &Registry,
        image: &Image,
        patience: Duration,
        counters: &Counters,
        peers: Option<Peers>,
    ) -> Self {
        Self(Arc::new(Inner {
            stores: stores.clone(),
            image: image.clone(),
            patience,
            counters: counters.clone(),
            peers,
            helped: Mutex::default(),
            feed: watch::Sender::new(Feed::Sought),
        }))
    }

    /// Opens all of the data, or the range of it.
    pub async fn read(&self, range: Option<ByteRange>, reader: Reader) -> store::Result<Blob> {
        Ok(self.begin(range, reader).await?.1)
    }

    /// The same, and the name of the store it begins with.
    async fn begin(
        &self,
        range: Option<ByteRange>,
        reader: Reader,
    ) -> store::Result<(String, Blob)> {
        let first = self.0.stores.suspects().first(&self.0.image);
        let (location, blob) = self.open_at(range, reader, first).await?;
        let store = self.store_at(location);
        // Without a known size there is no telling what is left.
        let Some(rest) = range.or(self.whole()) else {
            let count = self.0.counters.read_from(&store);
            let bytes = blob.bytes.inspect_ok(move |bytes| {
                count.inc_by(bytes.len() as u64);
            });
            let bytes = Box::pin(bytes);
            return Ok((store, Blob { bytes, ..blob }));
        };
        let bytes = self.steady(Place::Location(location), blob.bytes, rest);
        let size = blob.size;
        Ok((store, Blob { size, bytes }))
    }

    /// The same for a fill, from another node where one has a copy.
    async fn begin_fill(&self, range: Option<ByteRange>) -> store::Result<(String, Blob)> {
        if let Some(given) = self.open_at_peer(range).await
            && let Some(rest) = range.or(self.whole())
        {
            let Given { node, bytes, grows } = given;
            let blob = Blob {
                size: Some(rest.len()),
                bytes: self.steady(Place::Peer { node, grows }, bytes, rest),
            };
            return Ok((PEER.to_owned(), blob));
        }
        let begun = self.begin(range, Reader::Service).await?;
        self.0.feed.send_replace(Feed::Store);
        Ok(begun)
    }

    /// All of it or the range of it from another node.
    async fn open_at_peer(&self, range: Option<ByteRange>) -> Option<Given> {
        let Inner {
            image,
            peers,
            helped,
            feed,
            ..
        } = &*self.0;
        feed.send_replace(Feed::Sought);
        let given = peers.as_ref()?.open(image.id, image.size?, range).await?;
        let mut helped = helped.lock().unwrap_or_else(PoisonError::into_inner);
        helped.push(given.node.clone());
        feed.send_replace(Feed::Peer);
        Some(given)
    }

    fn whole(&self) -> Option<ByteRange> {
        let size = self.0.image.size?;
        Some(ByteRange {
            start: 0,
            end: size,
        })
    }

    /// Data that is gone on with where it breaks.
    fn steady(&self, from: Place, bytes: ByteStream, rest: ByteRange) -> ByteStream {
        Steady::new(self.clone(), from, bytes, rest).read()
    }

    /// What bytes from there are counted as.
    fn name_of(&self, place: &Place) -> String {
        match place {
            Place::Location(location) => self.store_at(*location),
            Place::Peer { .. } => PEER.to_owned(),
        }
    }

    /// What the store of a location is called: by its name, or where it has none by its scheme, which some store
    /// has read.
    fn store_at(&self, location: usize) -> String {
        let Inner { stores, image, .. } = &*self.0;
        let location = &image.locations[location];
        let name = location.store().filter(|name| stores.has(name));
        name.unwrap_or(location.scheme()).to_owned()
    }

    async fn open_at(
        &self,
        range: Option<ByteRange>,
        reader: Reader,
        first: usize,
    ) -> store::Result<(usize, Blob)> {
        let Inner {
            stores,
            image,
            patience,
            ..
        } = &*self.0;
        let opened = stores.read(image, range, reader, first);
        // Every location may take its time.
        let places = u32::try_from(image.locations.len().max(1)).unwrap_or(u32::MAX);
        timeout(patience.saturating_mul(places), opened)
            .await
            .unwrap_or_else(|_| Err(store::Error::Unavailable("it does not answer".into())))
    }

    /// Starts a fill for a claim.
    pub(super) async fn fill(&self, claim: Claim) -> store::Result<cache::Growing> {
        let supply = self.supply(&claim).await?;
        Ok(claim.fill_from(supply))
    }

    /// What a claim needs: its first bytes are opened now, so that whoever asks hears why they cannot be had.
    pub async fn supply(&self, claim: &Claim) -> store::Result<Supply> {
        if let Some(peers) = &self.0.peers {
            peers.follow(self.0.image.id, self.0.feed.subscribe());
        }
        let need = claim.need();
        let first = match need {
            Need::Nothing => None,
            Need::All => Some(self.begin_fill(None).await?),
            Need::Part(range) => Some(self.begin_fill(Some(range)).await?),
        };
        let (store, first) = first.unzip();
        Ok(Supply {
            need,
            first,
            store,
            source: Some(Arc::new(Filling(self.clone()))),
        })
    }
}

#[async_trait]
impl cache::Source for StoreSource {
    async fn open(&self, range: Option<ByteRange>) -> io::Result<Blob> {
        let opened = self.read(range, Reader::Service).await;
        opened.map_err(io::Error::other)
    }

    fn disproved(&self) {
        let Inner {
            stores,
            image,
            peers,
            helped,
            ..
        } = &*self.0;
        let helped = helped.lock().unwrap_or_else(PoisonError::into_inner);
        match peers {
            Some(peers) if !helped.is_empty() => {
                for node in &*helped {
                    peers.distrust(image.id, node);
                }
            }
            _ => stores.suspects().note(image.id),
        }
    }
}

/// The same for a fill.
#[derive(Debug)]
struct Filling(StoreSource);

#[async_trait]
impl cache::Source for Filling {
    async fn open(&self, range: Option<ByteRange>) -> io::Result<Blob> {
        let opened = self.0.begin_fill(range).await;
        Ok(opened.map_err(io::Error::other)?.1)
    }

    fn disproved(&self) {
        self.0.disproved();
    }
}
