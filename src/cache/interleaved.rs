//! Every order in which those who work on one image can take their steps: fills of two processes, readers along,
//! evictions, prunes, starts and deaths, on real files. A step is what one of them does in one go; between any two
//! the others may be.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::layout::{InPlace, Layout, files, open_existing};
use super::partial::{Data, Partial, Wanted};
use super::prune;
use super::reach::Attempt;
use super::residents::Residents;
use super::space::{Limits, SpaceLock};
use super::spans::Proof;
use super::sums::{self, bytes_of};
use super::{evict, parked, reconcile, space};
use crate::config::Eviction;
use crate::domain::ImageId;
use crate::domain::checksum::Checksums;
use crate::telemetry::counters::Reason;

const DATA: &[u8] = b"the bytes of an image";
const WRONG: &[u8] = b"the bytes of no image";

/// One directory, and those who are at work in it.
struct Scene {
    _dir: tempfile::TempDir,
    layout: Layout,
    id: ImageId,
    now: DateTime<Utc>,
    fills: [Option<Fill>; 2],
    reader: Option<File>,
    died: bool,
}

struct Fill {
    partial: Partial,
    verified: bool,
    /// Somebody has dropped the image since it was claimed.
    dropped: bool,
}

type Step = fn(&mut Scene);

const FIRST: &[Step] = &[claim::<0>, write::<0>, sum::<0>, verify::<0>, commit::<0>];
const SECOND: &[Step] = &[claim::<1>, write::<1>, sum::<1>, verify::<1>, commit::<1>];
const CUT: &[Step] = &[claim::<0>, write::<0>, sum::<0>, leave::<0>];
const DYING: &[Step] = &[claim::<0>, write::<0>, sum::<0>, die::<0>];
const LYING: &[Step] = &[
    claim::<0>,
    write_wrong::<0>,
    sum::<0>,
    verify::<0>,
    commit::<0>,
];
const READER: &[Step] = &[open, read, read];
const EVICTION: &[Step] = &[evict];
const PRUNE: &[Step] = &[prune];
const START: &[Step] = &[start];

impl Scene {
    fn new() -> Self {
        // In memory where there is such a place: there are many scenes.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.unwrap();
        let layout = Layout::new(dir.path(), Path::new("cache.db"));
        layout.prepare().unwrap();
        Self {
            _dir: dir,
            layout,
            id: ImageId::random(),
            now: crate::clock::Clock::system().now() + TimeDelta::minutes(1),
            fills: [None, None],
            reader: None,
            died: false,
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            size: Some(DATA.len() as u64),
            proof: Proof::of(&Checksums::default()),
        }
    }

    fn whole(&self) -> Option<File> {
        match self.layout.open_image(self.id, Some(DATA.len() as u64)) {
            Ok(InPlace::Whole(file, _)) => Some(file),
            Ok(_) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What holds after every step.
    fn holds(&self) {
        if let Ok(copy) = fs::read(self.layout.image(self.id)) {
            assert_eq!(copy, DATA, "a wrong copy is in its place");
        }
        let place = fs::symlink_metadata(self.layout.partial(self.id)).map(|found| found.ino());
        let fillers = self.fills.iter().flatten();
        let here = fillers.filter(|fill| place.as_ref().ok() == Some(&fill.partial.inode()));
        assert!(here.count() <= 1, "two fill one file");
    }

    /// What holds when all are done.
    fn ends(mut self) {
        self.fills = [None, None];
        if self.died {
            start(&mut self);
        }
        self.holds();
        let lock = SpaceLock::take(&self.layout).unwrap();
        let names = |dir: &Path| files(dir).unwrap().len();
        assert_eq!(names(&self.layout.incomplete()), 0, "a fill is left");
        assert_eq!(names(&self.layout.fills()), 0, "a promise is left");
        let orphans = parked::orphans(&self.layout, &lock).unwrap();
        assert_eq!(orphans.len(), 0, "a table is left");
        assert!(space::orphans(&self.layout, &lock).unwrap().is_empty());
        let useless = parked::is_useless(&self.layout, self.id, &lock).unwrap();
        assert!(!useless, "a part is left that nobody can go on with");
    }
}

fn claim<const WHO: usize>(scene: &mut Scene) {
    if scene.whole().is_some() {
        return;
    }
    let lock = SpaceLock::take(&scene.layout).unwrap();
    let reached = Partial::claim(&scene.layout, scene.id, &Scene::wanted(), scene.now, &lock);
    if let Attempt::Claimed(partial) = reached.unwrap() {
        partial.prepare().unwrap();
        scene.fills[WHO] = Some(Fill {
            partial,
            verified: false,
            dropped: false,
        });
    }
}

fn put<const WHO: usize>(scene: &mut Scene, bytes: &[u8]) {
    if let Some(fill) = &scene.fills[WHO]
        && fill.partial.table().sum(0).is_none()
    {
        fill.partial.file().write_all_at(bytes, 0).unwrap();
    }
}

fn write<const WHO: usize>(scene: &mut Scene) {
    put::<WHO>(scene, DATA);
}

fn write_wrong<const WHO: usize>(scene: &mut Scene) {
    put::<WHO>(scene, WRONG);
}

fn sum<const WHO: usize>(scene: &mut Scene) {
    if let Some(fill) = &scene.fills[WHO] {
        let size = DATA.len() as u64;
        let sum = sums::sum_of(fill.partial.file(), bytes_of(0, 1, size)).unwrap();
        fill.partial.table().set(0, sum).unwrap();
    }
}

/// As a fill does it: right data is shown to those who read along, other data is put aside.
fn verify<const WHO: usize>(scene: &mut Scene) {
    let Some(fill) = &mut scene.fills[WHO] else {
        return;
    };
    let mut bytes = vec![0; DATA.len()];
    fill.partial.file().read_exact_at(&mut bytes, 0).unwrap();
    if bytes == DATA {
        fill.partial.mark_verified().unwrap();
        fill.verified = true;
    } else {
        fill.partial.reject().unwrap();
    }
}

fn commit<const WHO: usize>(scene: &mut Scene) {
    let fill = scene.fills[WHO].take();
    if let Some(fill) = fill.filter(|fill| fill.verified) {
        let there = fill.partial.commit().unwrap();
        assert!(!(there && fill.dropped), "what was dropped is back");
        assert_eq!(
            there,
            scene
                .whole()
                .is_some_and(|copy| { copy.metadata().unwrap().ino() == fill.partial.inode() })
        );
    }
}

/// The fill breaks off, and its spans stay.
fn leave<const WHO: usize>(scene: &mut Scene) {
    scene.fills[WHO] = None;
}

/// The process dies: the kernel drops its lock, and nobody tidies up.
fn die<const WHO: usize>(scene: &mut Scene) {
    if let Some(fill) = scene.fills[WHO].take() {
        fs2::FileExt::unlock(fill.partial.file()).unwrap();
        std::mem::forget(fill);
        scene.died = true;
    }
}

/// Opens a copy, whole or growing, as another process would.
fn open(scene: &mut Scene) {
    let growing = || open_existing(&scene.layout.partial(scene.id)).unwrap();
    scene.reader = scene.whole().or_else(growing);
}

fn read(scene: &mut Scene) {
    let Some(file) = &scene.reader else {
        return;
    };
    if Data::of(&file.metadata().unwrap()) == Data::Verified {
        let mut bytes = vec![0; DATA.len()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, DATA, "a reader is told that wrong bytes are right");
    }
}

fn evict(scene: &mut Scene) {
    evict::image(&scene.layout, scene.id, Reason::Asked).unwrap();
    for fill in scene.fills.iter_mut().flatten() {
        fill.dropped = true;
    }
    assert!(scene.whole().is_none(), "it is still there");
}

fn prune(scene: &mut Scene) {
    let rules = prune::Rules {
        limits: Limits {
            max_size: 0,
            min_free: 0,
            low_water: 100,
        },
        life: None,
    };
    prune::run(
        &scene.layout,
        rules,
        &Residents::new(Eviction::Lru),
        scene.now,
    )
    .unwrap();
    assert!(scene.whole().is_none(), "it is still there");
}

fn start(scene: &mut Scene) {
    reconcile::files(&scene.layout, scene.now).unwrap();
}

/// Plays all orders of the steps that each of them takes one after the other, and says how many there are.
fn play(actors: &[&[Step]]) -> usize {
    fn go(actors: &[&[Step]], taken: &mut Vec<usize>, order: &mut Vec<usize>, played: &mut usize) {
        let mut last = true;
        for actor in 0..actors.len() {
            if taken[actor] < actors[actor].len() {
                last = false;
                taken[actor] += 1;
                order.push(actor);
                go(actors, taken, order, played);
                order.pop();
                taken[actor] -= 1;
            }
        }
        if last {
            *played += 1;
            scene_of(actors, order);
        }
    }
    let mut played = 0;
    go(
        actors,
        &mut vec![0; actors.len()],
        &mut Vec::new(),
        &mut played,
    );
    played
}

fn scene_of(actors: &[&[Step]], order: &[usize]) {
    let played = std::panic::catch_unwind(|| {
        let mut scene = Scene::new();
        let mut taken = vec![0; actors.len()];
        for actor in order {
            actors[*actor][taken[*actor]](&mut scene);
            taken[*actor] += 1;
            scene.holds();
        }
        scene.ends();
    });
    assert!(played.is_ok(), "in the order {order:?}");
}

#[test]
fn two_fills_of_one_image_in_any_order_leave_one_right_copy() {
    assert_eq!(play(&[FIRST, SECOND]), 252);
}

#[test]
fn what_is_dropped_while_it_is_brought_in_does_not_come_back() {
    assert_eq!(play(&[FIRST, EVICTION, PRUNE]), 42);
    assert_eq!(play(&[FIRST, SECOND, EVICTION]), 2772);
}

#[test]
fn what_a_cut_or_dead_fill_leaves_is_gone_on_with_or_gone() {
    assert_eq!(play(&[CUT, SECOND]), 126);
    assert_eq!(play(&[CUT, SECOND, EVICTION]), 1260);
    assert_eq!(play(&[DYING, SECOND, START]), 1260);
    assert_eq!(play(&[DYING, EVICTION, START]), 30);
}

#[test]
fn who_reads_along_is_never_told_that_wrong_bytes_are_right() {
    assert_eq!(play(&[LYING, READER, EVICTION]), 504);
    assert_eq!(play(&[FIRST, READER, PRUNE]), 504);
}

#[test]
fn a_start_takes_nothing_from_those_who_live() {
    assert_eq!(play(&[FIRST, START, START]), 42);
    assert_eq!(play(&[CUT, START, EVICTION]), 30);
}
