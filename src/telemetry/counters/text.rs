//! The counts as text.

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Counts;
use crate::domain::report::Hot;

/// A number of each image.
type Images = Family<[(&'static str, String); 1], Gauge>;

/// What the cache directory holds, whichever processes work on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holdings {
    /// Bytes that all copies may take.
    pub limit: u64,
    /// Bytes that are taken, room promised to fills included.
    pub used: u64,
    /// Bytes of whole copies that are pinned.
    pub pinned: u64,
    /// Bytes of parts of images that nobody has open.
    pub parts: u64,
    /// Bytes that the disk has free.
    pub free: u64,
    /// Whole copies.
    pub copies: u64,
    /// Copies in the making.
    pub growing: u64,
    /// Bytes of the disk that the cache leaves free.
    pub min_free: u64,
    /// Images that are asked for ahead of time.
    pub queued: u64,
    /// Seconds for which the first of these has been waiting.
    pub waiting: u64,
    /// Copies that are told one by one, because somebody asked for so many.
    pub hot: Vec<Hot>,
}

/// Everything that is counted, by name.
pub(super) fn registered(counts: &Counts) -> Registry {
    let mut registry = Registry::with_prefix("glance");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The service", Info::new(version));
    for (name, help, counter) in [
        (
            "store_failovers",
            "Reads of a store that were continued elsewhere, or there again",
            &counts.store_failovers,
        ),
        (
            "cache_spans_fetched",
            "Spans that ranges brought in",
            &counts.spans_fetched,
        ),
        (
            "cache_verify_failures",
            "Spans that were not what they were when they came",
            &counts.verify_failures,
        ),
        (
            "cache_spans_repaired",
            "Spans of copies that were put right",
            &counts.spans_repaired,
        ),
    ] {
        registry.register(name, help, counter.clone());
    }
    for (name, help, counter) in [
        (
            "saved",
            "Bytes that clients got without a store being read for them",
            &counts.saved_bytes,
        ),
        (
            "cache_filled",
            "Bytes of fills that came to their end",
            &counts.filled_bytes,
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
    }
    registry.register(
        "downloads",
        "Downloads by what they found on this node, and whether they asked for all of the image",
        counts.downloads.clone(),
    );
    registry.register(
        "open_downloads",
        "Downloads that run",
        counts.open_downloads.clone(),
    );
    registry.register_with_unit(
        "served",
        "Bytes that clients got, by where they came from",
        Unit::Bytes,
        counts.served_bytes.clone(),
    );
    registry.register_with_unit(
        "store_read",
        "Bytes that were read from stores",
        Unit::Bytes,
        counts.store_bytes.clone(),
    );
    registry.register(
        "cache_fills",
        "Fills by how they ended",
        counts.fills.clone(),
    );
    registry.register_with_unit(
        "cache_fill",
        "How long fills took that came to their end",
        Unit::Seconds,
        counts.fill_seconds.clone(),
    );
    registry.register(
        "cache_evictions",
        "Whole copies that left, by reason",
        counts.evictions.clone(),
    );
    registry.register_with_unit(
        "cache_evicted",
        "Bytes of whole copies that left, by reason",
        Unit::Bytes,
        counts.evicted_bytes.clone(),
    );
    register_requests(&mut registry, counts);
    registry
}

fn register_requests(registry: &mut Registry, counts: &Counts) {
    registry.register(
        "http_requests",
        "Requests by route, method and status",
        counts.requests.clone(),
    );
    registry.register_with_unit(
        "http_request",
        "From a request to the last byte of its answer",
        Unit::Seconds,
        counts.request_seconds.clone(),
    );
    registry.register_with_unit(
        "http_first_byte",
        "From a request to the first byte of its answer",
        Unit::Seconds,
        counts.first_byte_seconds.clone(),
    );
}

impl Holdings {
    fn registered(&self) -> Registry {
        let mut registry = Registry::with_prefix("glance_cache");
        for (name, help, value) in [
            ("limit", "Bytes that all copies may take", self.limit),
            (
                "used",
                "Bytes that copies take, room promised to fills included",
                self.used,
            ),
            (
                "pinned",
                "Bytes of copies that never leave to make room",
                self.pinned,
            ),
            (
                "parts",
                "Bytes of parts of images, which leave before all others",
                self.parts,
            ),
            ("free", "Bytes that the disk has free", self.free),
            (
                "min_free",
                "Bytes of the disk that the cache leaves free",
                self.min_free,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
        }
        for (name, help, value) in [
            ("copies", "Whole copies", self.copies),
            ("growing", "Copies in the making", self.growing),
            (
                "queue_length",
                "Images that are asked for ahead of time",
                self.queued,
            ),
        ] {
            registry.register(name, help, ConstGauge::new(value));
        }
        registry.register_with_unit(
            "queue_oldest",
            "How long the first of those has been waiting; 0 where there is none",
            Unit::Seconds,
            ConstGauge::new(self.waiting),
        );
        if !self.hot.is_empty() {
            self.register_images(&mut registry);
        }
        registry
    }

    /// What gets series of its own for each image: so never without being asked for, and never for many.
    fn register_images(&self, registry: &mut Registry) {
        let (hits, saved) = (Images::default(), Images::default());
        for hot in &self.hot {
            let image = [("image", hot.image_id.to_string())];
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            hits.get_or_create(&image).set(number(hot.hits));
            let bytes = hot.hits.saturating_mul(hot.size);
            saved.get_or_create(&image).set(number(bytes));
        }
        let told = "Whole downloads of a copy since it came, of those copies that have most";
        registry.register("image_hits", told, hits);
        let told =
            "Bytes that no store was read for, by an estimate: hits times the size of the copy";
        registry.register_with_unit("image_saved", told, Unit::Bytes, saved);
    }
}

/// The counts, and what the directory holds where that is known.
pub(super) fn text(counts: &Registry, holdings: Option<&Holdings>) -> String {
    let holdings = holdings.map(Holdings::registered);
    let mut text = String::new();
    for registry in [Some(counts), holdings.as_ref()].into_iter().flatten() {
        if let Err(error) = prometheus_text::encode(&mut text, registry) {
            tracing::error!(%error, "the metrics cannot be written");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Asked, Counters, Found, Outcome, Reason, Served};
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let counters = Counters::default();
        counters.clone().downloaded(Found::Hit, Asked::Whole);
        counters.served(Served::Cache).inc_by(7);
        counters.filled(Outcome::Wrong);
        counters.evicted(Reason::Room, 99);
        counters.read_from("fast").inc_by(4096);
        let took = Duration::from_millis(3);
        counters.answered("/v2/images/{id}/file", "GET", 206, took);
        counters.began("/v2/images/{id}/file", "GET", took);
        let holdings = Holdings {
            limit: u64::MAX,
            pinned: 5,
            queued: 2,
            waiting: 3,
            ..Holdings::default()
        };
        let text = counters.text(Some(&holdings));
        for line in [
            r#"glance_downloads_total{result="hit",asked="whole"} 1"#,
            r#"glance_downloads_total{result="miss",asked="range"} 0"#,
            r#"glance_served_bytes_total{source="cache"} 7"#,
            "glance_saved_bytes_total 0",
            r#"glance_store_read_bytes_total{store="fast"} 4096"#,
            r#"glance_cache_fills_total{outcome="wrong"} 1"#,
            r#"glance_cache_evictions_total{reason="room"} 1"#,
            r#"glance_cache_evicted_bytes_total{reason="room"} 99"#,
            r#"glance_http_requests_total{route="/v2/images/{id}/file",method="GET",status="206"} 1"#,
            r#"glance_http_first_byte_seconds_bucket{route="/v2/images/{id}/file",method="GET",le="0.005"} 1"#,
            "glance_cache_limit_bytes 18446744073709551615",
            "glance_cache_pinned_bytes 5",
            "glance_cache_min_free_bytes 0",
            "glance_cache_queue_length 2",
            "glance_cache_queue_oldest_seconds 3",
            "glance_open_downloads 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
        assert!(!counters.text(None).contains("glance_cache_queue_length"));
    }

    #[test]
    fn two_services_do_not_count_together() {
        let (one, other) = (Counters::default(), Counters::default());
        one.saved_bytes.inc();
        assert_eq!((one.saved_bytes.get(), other.saved_bytes.get()), (1, 0));
    }
}
