//! Data that does not break: where its store or node does, it goes on from another one.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::pace::Pace;
use super::{Inner, StoreSource};
use crate::ops::peers::{Feed, Given};
use crate::store::registry::Reader;
use crate::stream::{ByteRange, ByteStream};
use crate::telemetry::counters::Counter;

/// How long to wait before the second try to go on, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where data comes from.
pub(super) enum Place {
    Location(usize),
    /// Another node, which may have to wait for a store itself.
    Peer {
        node: String,
        grows: bool,
    },
}

/// Data on its way.
pub(super) struct Steady {
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
    /// For how long nothing has come.
    silent: Duration,
    pace: Pace,
}

impl Steady {
    pub(super) fn new(
        source: StoreSource,
        from: Place,
        bytes: ByteStream,
        rest: ByteRange,
    ) -> Self {
        let count = source.0.counters.read_from(&source.name_of(&from));
        Self {
            source,
            bytes,
            from,
            count,
            rest,
            pace: Pace::default(),
            tries: 0,
            failing: None,
            ended: 0,
            silent: Duration::ZERO,
        }
    }

    /// All that is left.
    pub(super) fn read(self) -> ByteStream {
        Box::pin(stream::try_unfold(self, |mut steady| async move {
            let next = steady.next().await?;
            Ok::<_, io::Error>(next.map(|bytes| (bytes, steady)))
        }))
    }

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
                    self.silent = Duration::ZERO;
                    let keeps_up = self.pace.note(asked.elapsed(), count);
                    if !keeps_up && !self.rest.is_empty() && matches!(self.from, Place::Peer { .. })
                    {
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
                Err(_) if self.waits_as_well(patience).await => continue,
                Err(_) => io::Error::other("it sends nothing"),
            };
            self.go_on(why).await?;
        }
    }

    fn patience(&self) -> Duration {
        let patience = self.source.0.patience;
        match self.from {
            Place::Location(_) => patience,
            Place::Peer { .. } => {
                let peers = self.source.0.peers.as_ref();
                peers.map_or(patience, |peers| patience.min(peers.patience()))
            }
        }
    }

    /// Whether who is silent only waits for a store, which would be as silent here: a node that answers, for as long as
    /// the store may send nothing.
    async fn waits_as_well(&mut self, waited: Duration) -> bool {
        self.silent += waited;
        let Inner {
            image,
            patience,
            peers,
            ..
        } = &*self.source.0;
        match (&self.from, peers) {
            (Place::Peer { node, grows: true }, Some(peers)) if self.silent <= *patience => {
                peers.is_well(node, image.id).await
            }
            _ => false,
        }
    }

    /// Goes on at another node, where one has a copy.
    async fn go_on_at_peer(&mut self, why: &io::Error) -> bool {
        let (Place::Peer { node, .. }, Some(peers)) = (&self.from, &self.source.0.peers) else {
            return false;
        };
        peers.rest(self.source.0.image.id, node, &why.to_string());
        let Some(given) = self.source.open_at_peer(Some(self.rest)).await else {
            return false;
        };
        let Given { node, bytes, grows } = given;
        (self.from, self.bytes) = (Place::Peer { node, grows }, bytes);
        true
    }

    /// Opens what has not come yet: at every location, and again for as long as a store may send nothing. The
    /// error is the one that made it necessary.
    async fn go_on(&mut self, mut why: io::Error) -> io::Result<()> {
        (self.pace, self.silent) = (Pace::default(), Duration::ZERO);
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
                Place::Peer { .. } => stores.suspects().first(image),
            };
            let opened = self.source.open_at(Some(self.rest), Reader::Service, first);
            match opened.await {
                Ok((location, blob)) => {
                    self.from = Place::Location(location);
                    let store = self.source.store_at(location);
                    self.count = self.source.0.counters.read_from(&store);
                    self.bytes = blob.bytes;
                    self.source.0.feed.send_replace(Feed::Store);
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
