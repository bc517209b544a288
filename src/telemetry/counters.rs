//! What is counted, and how it is told to Prometheus.
//!
//! [`Counters`] is a value that is passed to whoever counts, so that two services in one process do not count
//! together. No label has values that clients could choose: the number of series is bounded by this file.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// How a fill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The copy is in its place.
    Cached,
    /// Store, disk or process let it down.
    Broken,
    /// The data was not the image's.
    Wrong,
    /// It was taken out of the cache before it came to its end.
    Evicted,
}

/// Why a copy left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Another image needed its room.
    Room,
    /// A prune brought the cache within its limit.
    Pruned,
    /// Somebody asked for it.
    Asked,
    /// The image was deleted, or is another one now.
    Stale,
}

/// A label and its value.
type Label = [(&'static str, &'static str); 1];

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Cached => "cached",
            Outcome::Broken => "broken",
            Outcome::Wrong => "wrong",
            Outcome::Evicted => "evicted",
        }
    }
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Reason::Room => "room",
            Reason::Pruned => "pruned",
            Reason::Asked => "asked",
            Reason::Stale => "stale",
        }
    }
}

/// Everything that this process counts. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Counters(Arc<Inner>);

struct Inner {
    counts: Counts,
    registry: Registry,
}

/// The counts. Those that go by a label are reached through [`Counters`].
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Whole downloads that a copy answered.
    pub hits: Counter,
    /// Whole downloads that began a fill, or read past the cache.
    pub misses: Counter,
    /// Whole downloads that read along with a fill that had begun before.
    pub followers: Counter,
    /// Spans whose bytes were not those that were written.
    pub verify_failures: Counter,
    /// Spans that ranges brought in.
    pub spans_fetched: Counter,
    /// Spans that were fetched again because they were bad.
    pub spans_repaired: Counter,
    /// Fills that went on with what an earlier one had left.
    pub resumed_fills: Counter,
    /// Reads of a store that were continued elsewhere, or anew.
    pub store_failovers: Counter,
    /// Bytes that fills and downloads read from stores.
    pub store_bytes: Counter,
    /// Bytes that clients got from copies.
    pub cache_bytes: Counter,
    fills: Family<Label, Counter>,
    evictions: Family<Label, Counter>,
}

impl Counters {
    /// A fill ended.
    pub fn filled(&self, outcome: Outcome) {
        self.fills
            .get_or_create(&[("outcome", outcome.word())])
            .inc();
    }

    /// A copy left the cache.
    pub fn evicted(&self, reason: Reason) {
        self.evictions
            .get_or_create(&[("reason", reason.word())])
            .inc();
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for Counters {
    fn default() -> Self {
        let counts = Counts::default();
        let registry = counts.registered();
        Self(Arc::new(Inner { counts, registry }))
    }
}

impl Counts {
    fn registered(&self) -> Registry {
        let mut registry = Registry::with_prefix("glance");
        let cache = registry.sub_registry_with_prefix("cache");
        for (name, help, counter) in [
            ("hits", "Whole downloads from a copy", &self.hits),
            ("misses", "Whole downloads without a copy", &self.misses),
            (
                "followers",
                "Whole downloads along with a fill",
                &self.followers,
            ),
            (
                "verify_failures",
                "Spans that were found bad",
                &self.verify_failures,
            ),
            (
                "spans_fetched",
                "Spans brought in for ranges",
                &self.spans_fetched,
            ),
            (
                "spans_repaired",
                "Bad spans fetched again",
                &self.spans_repaired,
            ),
            (
                "resumed_fills",
                "Fills that went on with an earlier one",
                &self.resumed_fills,
            ),
            (
                "store_failovers",
                "Store reads continued elsewhere or anew",
                &self.store_failovers,
            ),
        ] {
            cache.register(name, help, counter.clone());
        }
        for (name, help, counter) in [
            ("store_read", "Bytes read from stores", &self.store_bytes),
            (
                "served",
                "Bytes that clients got from copies",
                &self.cache_bytes,
            ),
        ] {
            cache.register_with_unit(name, help, Unit::Bytes, counter.clone());
        }
        cache.register("fills", "Fills by how they ended", self.fills.clone());
        cache.register(
            "evictions",
            "Copies that left, by reason",
            self.evictions.clone(),
        );
        registry
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
        self.0.counts.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let counters = Counters::default();
        counters.clone().hits.inc();
        counters.filled(Outcome::Wrong);
        counters.evicted(Reason::Room);
        counters.store_bytes.inc_by(4096);
        let text = counters.text().unwrap();
        for line in [
            "glance_cache_hits_total 1",
            "glance_cache_misses_total 0",
            "glance_cache_store_read_bytes_total 4096",
            r#"glance_cache_fills_total{outcome="wrong"} 1"#,
            r#"glance_cache_evictions_total{reason="room"} 1"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn two_services_do_not_count_together() {
        let (one, other) = (Counters::default(), Counters::default());
        one.hits.inc();
        assert_eq!((one.hits.get(), other.hits.get()), (1, 0));
    }
}
