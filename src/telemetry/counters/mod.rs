//! What is counted, and how it is told to Prometheus.
//!
//! [`Counters`] is a value that is passed to whoever counts, so that two services in one process do not count
//! together. No label has values that clients could choose: the number of series is bounded by the words in
//! [`labels`], the routes of the API and the stores of the configuration.

mod labels;
mod text;

pub use labels::{Asked, Found, Outcome, Reason, Served};
pub use prometheus_client::metrics::counter::Counter;
pub use text::Holdings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use labels::{Label, Labels};

/// The limits of what is told of durations, in seconds: from a file in memory to an image over a slow line.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0, 3600.0,
];

/// Durations by labels.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}

/// Everything that this process counts. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Counters(Arc<Inner>);

struct Inner {
    counts: Counts,
    registry: Registry,
}

/// The counts. Those that go by a label are reached through [`Counters`].
#[derive(Debug, Clone)]
pub struct Counts {
    /// Bytes that clients got without their being read from a store for them.
    pub saved_bytes: Counter,
    /// Downloads that run.
    pub open_downloads: Gauge,
    /// Reads of a store that were continued elsewhere, or there again.
    pub store_failovers: Counter,
    /// Bytes of fills that came to their end.
    pub filled_bytes: Counter,
    /// Seconds that such fills took.
    pub fill_seconds: Histogram,
    /// Spans that ranges brought in.
    pub spans_fetched: Counter,
    /// Spans that were not what they were when they came.
    pub verify_failures: Counter,
    /// Spans of copies that were put right.
    pub spans_repaired: Counter,
    downloads: Family<[Label; 2], Counter>,
    served_bytes: Family<[Label; 1], Counter>,
    store_bytes: Family<Labels<1>, Counter>,
    fills: Family<[Label; 1], Counter>,
    evictions: Family<[Label; 1], Counter>,
    evicted_bytes: Family<[Label; 1], Counter>,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Durations<Labels<2>>,
    first_byte_seconds: Durations<Labels<2>>,
}

impl Counters {
    /// A download was opened.
    pub fn downloaded(&self, found: Found, asked: Asked) {
        let labels = [("result", found.word()), ("asked", asked.word())];
        self.downloads.get_or_create(&labels).inc();
    }

    /// How many downloads of one kind were opened.
    pub fn downloads(&self, found: Found, asked: Asked) -> u64 {
        let labels = [("result", found.word()), ("asked", asked.word())];
        self.downloads
            .get(&labels)
            .map_or(0, |counter| counter.get())
    }

    /// Counts bytes that clients got.
    pub fn served(&self, source: Served) -> Counter {
        self.served_bytes
            .get_or_create_owned(&[("source", source.word())])
    }

    /// Counts bytes that were read from a store of this name.
    pub fn read_from(&self, store: &str) -> Counter {
        self.store_bytes
            .get_or_create_owned(&[("store", store.to_owned())])
    }

    /// A fill ended.
    pub fn filled(&self, outcome: Outcome) {
        let label = [("outcome", outcome.word())];
        self.fills.get_or_create(&label).inc();
    }

    /// A whole copy of so many bytes left the cache.
    pub fn evicted(&self, reason: Reason, bytes: u64) {
        let label = [("reason", reason.word())];
        self.evictions.get_or_create(&label).inc();
        self.evicted_bytes.get_or_create(&label).inc_by(bytes);
    }

    /// A request was answered to its end, or given up. The route is that of the API, never a path.
    pub fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let [route, method] = [("route", route.to_owned()), ("method", method.to_owned())];
        let status = ("status", status.to_string());
        let labels = [Clone::clone(&route), Clone::clone(&method), status];
        self.requests.get_or_create(&labels).inc();
        let seconds = self.request_seconds.get_or_create_owned(&[route, method]);
        seconds.observe(took.as_secs_f64());
    }

    /// The first byte of an answer left.
    pub fn began(&self, route: &str, method: &'static str, took: Duration) {
        let labels = [("route", route.to_owned()), ("method", method.to_owned())];
        let seconds = self.first_byte_seconds.get_or_create_owned(&labels);
        seconds.observe(took.as_secs_f64());
    }

    /// All of it, and what the cache directory holds, as Prometheus reads it.
    pub fn text(&self, holdings: Option<&Holdings>) -> String {
        text::text(&self.0.registry, holdings)
    }
}

impl Default for Counters {
    fn default() -> Self {
        let counts = Counts::default();
        let registry = text::registered(&counts);
        Self(Arc::new(Inner { counts, registry }))
    }
}

impl Default for Counts {
    /// What has few labels is there from the beginning: a rate of what appears later misses its first events.
    fn default() -> Self {
        let counts = Self {
            saved_bytes: Counter::default(),
            open_downloads: Gauge::default(),
            store_failovers: Counter::default(),
            filled_bytes: Counter::default(),
            fill_seconds: durations(),
            spans_fetched: Counter::default(),
            verify_failures: Counter::default(),
            spans_repaired: Counter::default(),
            downloads: Family::default(),
            served_bytes: Family::default(),
            store_bytes: Family::default(),
            fills: Family::default(),
            evictions: Family::default(),
            evicted_bytes: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(durations),
            first_byte_seconds: Family::new_with_constructor(durations),
        };
        for asked in Asked::ALL {
            for found in Found::ALL {
                let labels = [("result", found.word()), ("asked", asked.word())];
                drop(counts.downloads.get_or_create(&labels));
            }
        }
        for source in Served::ALL {
            let label = [("source", source.word())];
            drop(counts.served_bytes.get_or_create(&label));
        }
        for outcome in Outcome::ALL {
            let label = [("outcome", outcome.word())];
            drop(counts.fills.get_or_create(&label));
        }
        for reason in Reason::ALL {
            let label = [("reason", reason.word())];
            drop(counts.evictions.get_or_create(&label));
            drop(counts.evicted_bytes.get_or_create(&label));
        }
        counts
    }
}

impl std::ops::Deref for Counters {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.0.counts
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}
