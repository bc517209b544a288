//! An image's data in its stores, as one source that does not break: where a store fails or falls silent in the
//! middle, reading goes on at that byte, at the next location or there again. A fill begins with what other nodes have.

mod pace;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::peers::{PEER, Peers};
use crate::cache::{self, Claim, Need, Supply};
use crate::domain::Image;
use crate::store::registry::Reader;
use crate::store::{self, Registry};
use crate::stream::{Blob, ByteRange, ByteStream};
use crate::telemetry::counters::{Counter, Counters};

use pace::Pace;

/// How long to wait before the second try to go on, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Another node may send nothing for so long: there is the store.
const PEER_PATIENCE: Duration = Duration::from_secs(5);

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
        if let Some((node, bytes)) = self.open_at_peer(range).await
            && let Some(rest) = range.or(self.whole())
        {
            let blob = Blob {
                size: Some(rest.len()),
                bytes: self.steady(Place::Peer(node), bytes, rest),
            };
            return Ok((PEER.to_owned(), blob));
        }
        self.begin(range, Reader::Service).await
    }

    /// All of it or the range of it from another node, and which one that is.
    async fn open_at_peer(&self, range: Option<ByteRange>) -> Option<(String, ByteStream)> {
        let Inner {
            image,
            peers,
            helped,
            ..
        } = &*self.0;
        let opened = peers.as_ref()?.open(image.id, image.size?, range).await?;
        let mut helped = helped.lock().unwrap_or_else(PoisonError::into_inner);
        helped.push(opened.0.clone());
        Some(opened)
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
        let store = match &from {
            Place::Location(location) => self.store_at(*location),
            Place::Peer(_) => PEER.to_owned(),
        };
        let steady = Steady {
            source: self.clone(),
            bytes,
            from,
            count: self.0.counters.read_from(&store),
            rest,
            pace: Pace::default(),
            tries: 0,
            failing: None,
            ended: 0,
        };
        let bytes = stream::try_unfold(steady, |mut steady| async move {
            let next = steady.next().await?;
            Ok::<_, io::Error>(next.map(|bytes| (bytes, steady)))
        });
        Box::pin(bytes)
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

/// Where data comes from.
enum Place {
    Location(usize),
    /// Another node.
    Peer(String),
}

/// Data on its way.
struct Steady {
    source: StoreSource,
    bytes: ByteStream,
    from: Place,
    /// Counts what comes from there.
    count: Counter,
    /// What has not come.
    rest: ByteRange,
    /// How often it was gone on with, since a byte came, and since when.
    tries: u32,
    failing: Option<Instant>,
    /// How many locations had no more than this, since a byte came.
    ended: usize,
    pace: Pace,
}

impl Steady {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let (patience, asked) = (self.patience(), Instant::now());
            let next = timeout(patience, self.bytes.next()).await;
            let why = match next {
                Ok(Some(Ok(bytes))) => {
                    let count = bytes.len() as u64;
                    self.count.inc_by(count);
                    self.rest.start = (self.rest.start + count).min(self.rest.end);
                    (self.tries, self.failing, self.ended) = (0, None, 0);
                    let keeps_up = self.pace.note(asked.elapsed(), count);
                    if !keeps_up && !self.rest.is_empty() && matches!(self.from, Place::Peer(_)) {
                        self.go_on(io::Error::other("it is too slow")).await?;
                    }
                    return Ok(Some(bytes));
                }
                // More than there should be is for others to judge.
                Ok(None) | Err(_) if self.rest.is_empty() => return Ok(None),
                Ok(None) => {
                    self.ended += 1;
                    if self.ended > self.source.0.image.locations.len() {
                        // It is all they have: whoever compares it with the image finds it wrong.
                        return Ok(None);
                    }
                    io::Error::other("the store sent too few bytes")
                }
                Ok(Some(Err(error))) => error,
                Err(_) => io::Error::other("the store sends nothing"),
            };
            self.go_on(why).await?;
        }
    }

    fn patience(&self) -> Duration {
        let patience = self.source.0.patience;
        match self.from {
            Place::Location(_) => patience,
            Place::Peer(_) => patience.min(PEER_PATIENCE),
        }
    }

    /// Goes on at another node, where one has a copy.
    async fn go_on_at_peer(&mut self, why: &io::Error) -> bool {
        let (Place::Peer(node), Some(peers)) = (&self.from, &self.source.0.peers) else {
            return false;
        };
        peers.rest(self.source.0.image.id, node, &why.to_string());
        let Some((node, bytes)) = self.source.open_at_peer(Some(self.rest)).await else {
            return false;
        };
        (self.from, self.bytes) = (Place::Peer(node), bytes);
        true
    }

    /// Opens what has not come yet: at every location, and again for as long as a store may send nothing. The
    /// error is the one that made it necessary.
    async fn go_on(&mut self, mut why: io::Error) -> io::Result<()> {
        self.pace = Pace::default();
        if self.go_on_at_peer(&why).await {
            return Ok(());
        }
        let Inner {
            stores,
            image,
            patience,
            ..
        } = &*self.source.0;
        let places = image.locations.len().max(1);
        let failing = *self.failing.get_or_insert_with(Instant::now);
        let is_early = |tries: u32| u64::from(tries) < places as u64;
        while is_early(self.tries) || failing.elapsed() < *patience {
            self.tries += 1;
            self.source.0.counters.store_failovers.inc();
            let at = self.rest.start;
            warn!(image.id = %image.id, at, error = %why,
                "a store failed in the middle of image {}, reading on at byte {at}", image.id);
            // The other locations first, at once; then each of them again, after a while.
            let round = self.tries / u32::try_from(places).unwrap_or(u32::MAX);
            if round > 0 {
                let pause = PAUSE.saturating_mul(2_u32.saturating_pow(round - 1));
                sleep(pause.min(LONGEST_PAUSE)).await;
            }
            let first = match self.from {
                Place::Location(location) => (location + 1) % places,
                Place::Peer(_) => stores.suspects().first(image),
            };
            let opened = self.source.open_at(Some(self.rest), Reader::Service, first);
            match opened.await {
                Ok((location, blob)) => {
                    self.from = Place::Location(location);
                    self.count =
                        (self.source.0.counters).read_from(&self.source.store_at(location));
                    self.bytes = blob.bytes;
                    return Ok(());
                }
                // Nothing is there at this byte.
                Err(_) if self.ended > 0 => {
                    self.bytes = Box::pin(stream::empty());
                    return Ok(());
                }
                Err(error) => why = io::Error::other(error),
            }
        }
        Err(why)
    }
}
