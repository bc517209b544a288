//! Fills of this process and those who follow them, in orders that chance decides and a seed brings back. The fill is
//! the real one, whose thread's steps are taken here one at a time; readers are polled by hand; what goes to a
//! blocking thread is done before the next step. Between any two steps somebody may drop the image, write into its
//! file, or stop the node.

mod filling;
mod reader;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::runtime::Runtime;

use super::layout::files;
use super::node::Node;
use super::sums::SPAN;
use super::{Cache, Expected, Lookup, Past, reconcile};
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;
use crate::stream::ByteRange;
use crate::telemetry::counters::Counters;
use filling::{DATA, Filling};
use reader::Reader;

/// In the place of a digest: nothing is hashed but spans.
const DIGEST: &str = "right";

/// Orders that are played.
const SEEDS: u64 = 120;
/// Those who read, in one order.
const READERS: usize = 4;
/// More steps than any order takes.
const STEPS: usize = 20_000;

/// Sizes around all that mean something, in bytes; the last leaves the memory of the fill before it ends.
const SIZES: [u64; 10] = [
    0,
    1,
    64 * 1024,
    64 * 1024 + 1,
    300_000,
    SPAN - 1,
    SPAN,
    SPAN + 70_000,
    2 * SPAN - 9,
    2 * SPAN + 100_000,
];

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn some_of<'a, T>(&mut self, things: &'a mut [T]) -> Option<&'a mut T> {
        let at = self.below(things.len());
        things.get_mut(at)
    }
}

struct Scene {
    chance: Chance,
    runtime: Runtime,
    cache: Cache,
    id: ImageId,
    expected: Expected,
    size: u64,
    fills: Vec<Filling>,
    /// The one that lookups find.
    known: Option<usize>,
    readers: Vec<Reader>,
    stopped: bool,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.unwrap();
        let config = CacheConfig {
            max_size: 1 << 30,
            min_free_space: 0,
            ..CacheConfig::at(dir.path().to_owned())
        };
        let node = Arc::new(Node::new(&config, Clock::system(), Counters::default()));
        reconcile::files(&node.layout, node.clock.now()).unwrap();
        let size = SIZES[chance.below(SIZES.len())];
        // Of some images nobody knows how large they are.
        let known = chance.below(4) > 0;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_time()
            .build();
        Self {
            runtime: runtime.unwrap(),
            cache: Cache { node },
            id: ImageId::random(),
            expected: Expected {
                size: known.then_some(size),
                checksums: Checksums {
                    md5: Some(DIGEST.to_owned()),
                    ..Checksums::default()
                },
            },
            size,
            chance,
            fills: Vec::new(),
            known: None,
            readers: Vec::new(),
            stopped: false,
            _dir: dir,
        }
    }

    /// Somebody comes.
    fn come(&mut self) {
        let found = self.cache.lookup(self.id, &self.expected);
        let found = self.runtime.block_on(found);
        let range = self.some_range();
        match found {
            Lookup::Missing(claim) => {
                assert!(
                    self.known.is_none(),
                    "a second fill beside one that is known"
                );
                if self.chance.below(12) == 0 {
                    return;
                }
                let data = &DATA[..usize::try_from(self.size).unwrap()];
                self.known = Some(self.fills.len());
                let fill = Filling::new(claim, data, &mut self.chance);
                self.fills.push(fill.after(&self.fills));
                self.come();
            }
            Lookup::Growing(growing) => {
                let fill = self.known.expect("nobody fills it");
                let reader = Reader::new(growing.read(range), fill, range, false);
                self.readers.push(reader);
            }
            Lookup::Cached(copy) => {
                let made = self.fills.iter().rposition(|fill| fill.verified);
                let made = made.expect("nobody has filled it");
                let reader = Reader::new(copy.read(range), made, range, true);
                self.readers.push(reader);
            }
            Lookup::Bypass(why) => assert!(self.stopped && why == Past::Ending, "{why}"),
            found @ Lookup::Part(_) => panic!("{found:?}"),
        }
    }

    fn some_range(&mut self) -> Option<ByteRange> {
        if self.expected.size.is_none() || self.size == 0 || self.chance.below(2) == 0 {
            return None;
        }
        let size = usize::try_from(self.size).unwrap();
        let start = self.chance.below(size);
        let end = start + 1 + self.chance.below(size - start);
        Some(ByteRange {
            start: start as u64,
            end: end as u64,
        })
    }

    fn fill(&mut self, at: usize) {
        let dropped = self.fills[at].step();
        let mut following = self.readers.iter().filter(|one| one.is_following(at));
        assert!(!dropped || following.next().is_none(), "it had readers");
        let over = self.fills[at].has_ended() || self.fills[at].verified;
        let mut waiting = self.readers.iter().filter(|one| one.is_following(at));
        assert!(
            !over || waiting.all(Reader::is_woken),
            "some were not woken"
        );
        if self.fills[at].has_ended() && self.known == Some(at) {
            self.known = None;
        }
    }

    fn read(&mut self, at: usize, pieces: usize) {
        let reader = &mut self.readers[at];
        reader.read(pieces, &self.runtime, &self.fills[reader.follows]);
    }

    /// One step of somebody.
    fn step(&mut self) {
        let running = (0..self.fills.len()).filter(|at| !self.fills[*at].has_ended());
        let running: Vec<usize> = running.collect();
        let awake = (0..self.readers.len()).filter(|at| self.readers[*at].is_woken());
        let awake: Vec<usize> = awake.collect();
        let fill = running.get(self.chance.below(running.len())).copied();
        let reader = awake.get(self.chance.below(awake.len())).copied();
        let pieces = [1, 2, 8, 40, 200][self.chance.below(5)];
        match (self.chance.below(100), fill, reader) {
            (0..45, Some(fill), _) => self.fill(fill),
            (45..84, _, Some(reader)) => self.read(reader, pieces),
            (84..90, ..) if self.readers.len() < READERS => self.come(),
            (90..92, _, Some(reader)) => self.readers[reader].leave(),
            (92..95, Some(fill), _) => self.fills[fill].flip(&mut self.chance),
            (95, ..) => {
                self.runtime.block_on(self.cache.evict(self.id)).unwrap();
                self.known = None;
            }
            (96, ..) => {
                self.runtime.block_on(self.cache.clear()).unwrap();
                self.known = None;
            }
            (97, ..) if self.chance.below(4) == 0 => {
                self.stopped = true;
                self.cache.node.stop.cancel();
                self.fills.iter_mut().for_each(Filling::stop);
            }
            _ => {}
        }
    }

    /// Plays until all have ended, and says whether they do.
    fn play(&mut self) {
        self.come();
        for _ in 0..STEPS {
            self.step();
            let fills = self.fills.iter().all(Filling::has_ended);
            if fills && !self.readers.iter().any(Reader::is_woken) {
                let ended = self.readers.iter().all(Reader::has_ended);
                assert!(ended, "somebody waits for what does not come");
                return self.ends();
            }
        }
        panic!("it does not end");
    }

    /// What holds when all have ended.
    fn ends(&mut self) {
        let node = Arc::clone(&self.cache.node);
        let bad = !self.fills.iter().all(Filling::is_untouched);
        if let Ok(copy) = std::fs::read(node.layout.image(self.id)) {
            let right = copy == DATA[..usize::try_from(self.size).unwrap()];
            assert!(right || bad, "a wrong copy is in its place");
        }
        self.fills.clear();
        self.readers.clear();
        assert!(node.fills.get(self.id).is_none(), "a fill is still known");
        assert!(
            node.fills.ended().now_or_never().is_some(),
            "a fill is left"
        );
        assert!(
            node.parts.ended().now_or_never().is_some(),
            "a file is left"
        );
        for dir in [node.layout.incomplete(), node.layout.fills()] {
            assert_eq!(files(&dir).unwrap().len(), 0, "{}", dir.display());
        }
    }
}

#[test]
fn whoever_follows_a_fill_in_any_order_gets_right_bytes_to_a_proven_end_or_hears_that_it_broke() {
    for seed in 0..SEEDS {
        let played = catch_unwind(AssertUnwindSafe(|| Scene::new(seed).play()));
        assert!(played.is_ok(), "with the seed {seed}");
    }
}
