//! Every order in which those who work on one image can take their steps: fills of two processes, readers along and
//! of parts, evictions, prunes, starts and deaths, on real files. A step is what one of them does in one go; between
//! any two the others may be.

mod scene;

use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use super::layout::{files, open_existing};
use super::partial::{Data, Partial, Wanted};
use super::prune;
use super::reach::Attempt;
use super::residents::Residents;
use super::space::{Limits, SpaceLock};
use super::sums::{self, bytes_of};
use super::{evict, reconcile, space};
use crate::config::Eviction;
use crate::telemetry::counters::Reason;
use scene::{DATA, Fill, Scene, WRONG};

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
const FAILING: &[Step] = &[claim::<0>, write::<0>, sum::<0>, discard::<0>];
const DEAD_EARLY: &[Step] = &[claim::<0>, die::<0>];
const EARLY: &[Step] = &[claim::<0>, leave::<0>];
const CHANGED: &[Step] = &[claim_changed::<1>, leave::<1>];
const PART: &[Step] = &[reach_part::<1>, write::<1>, sum::<1>, leave::<1>];
const READER: &[Step] = &[open, read, read];
const EVICTION: &[Step] = &[evict];
const CLEARANCE: &[Step] = &[clear];
const PRUNE: &[Step] = &[prune];
const START: &[Step] = &[start];

fn claim<const WHO: usize>(scene: &mut Scene) {
    if scene.whole().is_some() {
        return;
    }
    let lock = SpaceLock::take(&scene.layout).unwrap();
    let reached = Partial::claim(&scene.layout, scene.id, &Scene::wanted(), scene.now, &lock);
    match reached.unwrap() {
        Attempt::Claimed(partial) => {
            partial.prepare().unwrap();
            scene.fills[WHO] = Some(Fill {
                partial,
                verified: false,
                dropped: false,
            });
            let promises = files(&scene.layout.fills()).unwrap().len();
            let alive = scene.fills.iter().flatten().count();
            assert!(promises <= alive, "the dead are promised room");
        }
        Attempt::Growing(..) => {}
        other => panic!("nobody is in the way, and yet {other:?}"),
    }
}

/// As one does who wants no more than a part.
fn reach_part<const WHO: usize>(scene: &mut Scene) {
    if scene.whole().is_some() {
        return;
    }
    let lock = SpaceLock::take(&scene.layout).unwrap();
    let reached = Partial::part(&scene.layout, scene.id, &Scene::wanted(), scene.now, &lock);
    if let Attempt::Claimed(partial) = reached.unwrap() {
        partial.prepare().unwrap();
        scene.fills[WHO] = Some(Fill {
            partial,
            verified: false,
            dropped: false,
        });
    }
}

/// As one does who knows that the image has other data by now.
fn claim_changed<const WHO: usize>(scene: &mut Scene) {
    if scene.whole().is_some() {
        return;
    }
    let wanted = Wanted {
        size: Some(DATA.len() as u64 + 1),
        ..Scene::wanted()
    };
    let lock = SpaceLock::take(&scene.layout).unwrap();
    let reached = Partial::claim(&scene.layout, scene.id, &wanted, scene.now, &lock);
    if let Attempt::Claimed(partial) = reached.unwrap() {
        assert_eq!(partial.table().here(), 0, "spans of other data are used");
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
        let found = fill.partial.file().metadata().unwrap();
        assert_eq!(
            Data::of(&found),
            Data::Bad,
            "those who read along are not told"
        );
    }
}

fn commit<const WHO: usize>(scene: &mut Scene) {
    let fill = scene.fills[WHO].take();
    if let Some(fill) = fill.filter(|fill| fill.verified) {
        let there = fill.partial.commit().unwrap();
        let promised = space::is_promised(&scene.layout, scene.id, fill.partial.inode());
        assert!(!promised, "its bytes are counted twice");
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

/// The disk fails the fill.
fn discard<const WHO: usize>(scene: &mut Scene) {
    if let Some(fill) = scene.fills[WHO].take() {
        fill.partial.discard().unwrap();
        let promised = space::is_promised(&scene.layout, scene.id, fill.partial.inode());
        assert!(!promised, "room is kept for it");
    }
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
    are_dropped(scene);
}

fn are_dropped(scene: &mut Scene) {
    for fill in scene.fills.iter_mut().flatten() {
        fill.dropped = true;
    }
    let (layout, id) = (&scene.layout, scene.id);
    for place in [layout.image(id), layout.part(id), layout.partial(id)] {
        assert!(!place.exists(), "it is still there");
    }
}

fn clear(scene: &mut Scene) {
    evict::all(&scene.layout).unwrap();
    are_dropped(scene);
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
    assert_eq!(play(&[FIRST, SECOND, CLEARANCE]), 2772);
}

#[test]
fn what_a_cut_or_dead_fill_leaves_is_gone_on_with_or_gone() {
    assert_eq!(play(&[CUT, SECOND]), 126);
    assert_eq!(play(&[CUT, SECOND, EVICTION]), 1260);
    assert_eq!(play(&[CUT, PRUNE]), 5);
    assert_eq!(play(&[DEAD_EARLY, SECOND]), 21);
    assert_eq!(play(&[DYING, SECOND, START]), 1260);
    assert_eq!(play(&[DYING, EVICTION, START]), 30);
}

#[test]
fn who_reads_along_is_never_told_that_wrong_bytes_are_right() {
    assert_eq!(play(&[LYING, READER, EVICTION]), 504);
    assert_eq!(play(&[FIRST, READER, PRUNE]), 504);
}

#[test]
fn who_fetches_a_part_and_who_brings_all_of_it_in_do_not_meet_in_one_file() {
    assert_eq!(play(&[FIRST, PART]), 126);
    assert_eq!(play(&[FIRST, PART, EVICTION]), 1260);
    assert_eq!(play(&[DYING, PART, CLEARANCE]), 630);
}

#[test]
fn spans_of_data_that_the_image_has_no_more_are_not_gone_on_with() {
    assert_eq!(play(&[CUT, CHANGED]), 15);
    assert_eq!(play(&[EARLY, CHANGED, EVICTION]), 30);
}

#[test]
fn what_is_wrong_or_fails_leaves_nothing_that_is_in_the_way_of_the_next() {
    assert_eq!(play(&[LYING, SECOND]), 252);
    assert_eq!(play(&[EARLY, SECOND]), 21);
    assert_eq!(play(&[FAILING, SECOND]), 126);
    assert_eq!(play(&[FAILING, SECOND, EVICTION]), 1260);
}

#[test]
fn a_start_takes_nothing_from_those_who_live() {
    assert_eq!(play(&[FIRST, START, START]), 42);
    assert_eq!(play(&[CUT, START, EVICTION]), 30);
}
