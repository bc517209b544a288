//! What a node tells of its cache, to those who manage it: in numbers, and of one image.
//!
//! The same words are the JSON of our calls, so that a tool understands what the service says, and says the same of
//! a directory that it reads by itself. Times are seconds since 1970, as in the listing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ImageId;

/// What a cache directory holds, whichever processes work on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Bytes that all copies may take.
    pub limit: u64,
    /// Bytes that are taken, room promised to fills included.
    pub used: u64,
    /// Bytes of whole copies that are pinned.
    #[serde(default)]
    pub pinned: u64,
    /// Bytes of parts of images that nobody has open. They leave before all others.
    #[serde(default)]
    pub parts: u64,
    /// Bytes that the disk has free.
    pub free: u64,
    /// Whole copies.
    pub copies: u64,
    /// Bytes of the disk that the cache leaves free.
    #[serde(default)]
    pub kept_free: u64,
    /// Images that are asked for ahead of time.
    pub queued: u64,
    /// Seconds for which the first of these has been waiting; 0 where there is none.
    #[serde(default)]
    pub waiting: u64,
    pub growing: Vec<Growth>,
}

/// A copy in the making.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    pub image_id: ImageId,
    /// Bytes that the image has, where that is known.
    pub size: Option<u64>,
    /// Bytes that are there from the beginning on.
    pub filled: u64,
}

/// A copy that is used much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hot {
    pub image_id: ImageId,
    pub size: u64,
    pub hits: u64,
    #[serde(with = "epoch")]
    pub last_accessed: Option<DateTime<Utc>>,
}

/// What the downloads of one process found, since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloads {
    pub hits: u64,
    pub followers: u64,
    pub misses: u64,
    pub bypasses: u64,
    /// Bytes that clients got without a store being read for them.
    pub saved_bytes: u64,
    /// Downloads that run.
    pub open: u64,
}

impl Downloads {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.hits + self.followers + self.misses + self.bypasses
    }
}

/// How a node does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    #[serde(flatten)]
    pub survey: Survey,
    /// The copies with the most hits, most first.
    pub hot: Vec<Hot>,
    /// Hits of all copies, since each of them came.
    pub hits: u64,
    /// None where no service was asked.
    pub downloads: Option<Downloads>,
}

/// The images whose copies never leave to make room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    pub pinned_images: Vec<ImageId>,
    /// The tag and properties that they were found with: of those that were not named.
    #[serde(default)]
    pub pinned_by: BTreeMap<ImageId, String>,
}

/// The nodes that tell each other of their caches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    pub nodes: Vec<NodeShare>,
}

/// A node, by where it says that it is reached, and what it told that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeShare {
    pub address: String,
    pub copies: u64,
    pub bytes: u64,
}

/// Everything that is known of one image on a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub image_id: ImageId,
    pub state: State,
    /// Whether it is asked for ahead of time.
    pub queued: bool,
    /// What it is pinned by: tag and properties that it was found with, or nothing where it was named. None where
    /// it is not pinned.
    pub pinned_by: Option<String>,
    /// The file with its data.
    pub path: Option<PathBuf>,
    /// Bytes of the image, where that is known.
    pub size: Option<u64>,
    /// Bytes of it that are here.
    pub here: u64,
    /// Whole downloads since the copy came.
    pub hits: u64,
    #[serde(with = "epoch")]
    pub last_accessed: Option<DateTime<Utc>>,
    #[serde(with = "epoch")]
    pub last_modified: Option<DateTime<Utc>>,
    /// Bytes that no store was read for, by an estimate: each whole download took all of the copy out of the cache.
    #[serde(default)]
    pub saved_bytes: u64,
    /// Seconds that the copy may stay unused; none where there is no such limit.
    #[serde(default)]
    pub time_to_live: Option<f64>,
    /// When it leaves if nobody uses it until then. None where it does not, also because it is pinned or wanted.
    #[serde(default, with = "epoch")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Its turn to leave when room is needed. None where nothing is here, or it never leaves for that.
    #[serde(default)]
    pub turn: Option<Turn>,
    /// The rule that has put it into the queue.
    #[serde(default)]
    pub queued_by: Option<String>,
    /// The prefetch rules that wanted it here when they last looked.
    #[serde(default)]
    pub wanted_by: Vec<String>,
    pub verification: Verification,
    /// When all of it was last read and found right.
    #[serde(default)]
    pub verified: Option<Verified>,
    /// The digest that it was compared with, or is to be.
    pub digest: Option<String>,
    /// Bytes of a span.
    pub span_size: u64,
    /// Its spans from the first to the last, as far as their number is known.
    pub spans: Vec<Run>,
}

/// How much of an image is on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it.
    Cached,
    /// Somebody brings it in.
    Growing,
    /// Spans that cut fills and ranges have left.
    Part,
    /// Nothing, and it is asked for.
    Queued,
    /// Nothing.
    Absent,
}

/// Whose turn it is to leave, as far as one copy is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub queue: Queue,
    /// How often it was used since its last turn, as far as that counts.
    pub uses: u8,
    /// How many copies of the queue have their turn before it, and how many are in it.
    pub before: u64,
    pub of: u64,
}

/// A queue of copies that leave when room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Of `lru`: what was not used for longest leaves first.
    Lru,
    /// Of `s3-fifo`: what came, and has to prove itself.
    Trial,
    /// Of `s3-fifo`: what was used again.
    Kept,
}

/// When and by whom all of a copy was found right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    #[serde(with = "epoch")]
    pub at: Option<DateTime<Utc>>,
    pub by: Verifier,
}

/// Who reads all of a copy to see whether it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verifier {
    /// Who brought it in.
    Fill,
    /// Who read it first, of a copy that somebody else had put there.
    Serve,
    Sweep,
}

/// What was done to be sure that a copy is the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verification {
    /// All of it was compared with the image's digest, and each span has a checksum since.
    Proven,
    /// Each span has a checksum of what came. The image has no digest.
    Checksummed,
    /// Nothing yet: it came from somebody else, and is proven when it is served.
    Unproven,
    /// It is not whole: that is when it is proven.
    Pending,
    /// There is nothing to prove.
    None,
}

/// Spans of one kind that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub span: Span,
    pub count: u64,
}

/// What there is of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// It is here, with a checksum.
    Checksummed,
    /// It is here.
    Here,
    Missing,
}

impl Profile {
    /// How many spans of a kind there are.
    pub fn count(&self, span: Span) -> u64 {
        let runs = self.spans.iter().filter(|run| run.span == span);
        runs.map(|run| run.count).sum()
    }
}

impl Run {
    /// Joins what is the same.
    pub fn join(spans: impl IntoIterator<Item = Span>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for span in spans {
            match runs.last_mut() {
                Some(last) if last.span == span => last.count += 1,
                _ => runs.push(Self { span, count: 1 }),
            }
        }
        runs
    }
}

/// Times as the listing has them.
mod epoch {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of our time fit the 53 bits of a float"
    )]
    #[expect(clippy::ref_option, reason = "serde hands out the field")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let seconds = time.map(|time| time.timestamp_micros() as f64 / 1e6);
        seconds.serialize(serializer)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of what is out of range ends at the limits, which are no times"
    )]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds
            .and_then(|seconds| DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_reads_as_it_was_written() {
        let runs = [Span::Checksummed, Span::Checksummed, Span::Missing];
        let profile = Profile {
            image_id: ImageId::random(),
            state: State::Part,
            queued: false,
            pinned_by: Some("tag golden".to_owned()),
            path: Some("/cache/.glance/partial/x".into()),
            size: Some(9 << 20),
            here: 8 << 20,
            hits: 0,
            last_accessed: None,
            last_modified: DateTime::from_timestamp_micros(1_700_000_000_123_456),
            saved_bytes: 0,
            time_to_live: Some(1.5),
            expires_at: None,
            turn: Some(Turn {
                queue: Queue::Trial,
                uses: 1,
                before: 2,
                of: 3,
            }),
            queued_by: Some("golden".to_owned()),
            wanted_by: vec!["golden".to_owned()],
            verification: Verification::Pending,
            verified: Some(Verified {
                at: DateTime::from_timestamp_micros(1_700_000_000_000_001),
                by: Verifier::Sweep,
            }),
            digest: Some("sha512:00".to_owned()),
            span_size: 4 << 20,
            spans: Run::join(runs),
        };
        let text = serde_json::to_string(&profile).unwrap();
        assert!(text.contains(r#""state":"part""#), "{text}");
        assert!(
            text.contains(r#""last_modified":1700000000.123456"#),
            "{text}"
        );
        assert!(
            text.contains(r#"[{"span":"checksummed","count":2},{"span":"missing","count":1}]"#)
        );
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
        assert_eq!(profile.count(Span::Checksummed), 2);
    }
}
