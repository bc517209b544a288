//! Which order of leaving serves a node best: orders of `glance::cache::eviction`, one that was not taken, and
//! what nobody can reach who does not know the future, over traces of what clouds do.
//! `cargo bench --bench eviction`; the numbers are the same on every machine.
//!
//! A request is a hit where the whole image is here. Every image that is not is brought in, as in the service,
//! and the order says who leaves for it.

mod random;
mod tiny_lfu;
mod trace;

use std::collections::{BTreeSet, HashMap};

use clap::Parser;
use glance::cache::eviction::{Lru, Order, Place, S3Fifo, Tick};

use tiny_lfu::TinyLfu;
use trace::Trace;

/// Room, in hundredths of the bytes of all images that there are at one time.
const ROOMS: [u64; 3] = [5, 10, 25];

/// Compares orders of eviction.
#[derive(Debug, Parser)]
struct Args {
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What came of a run.
#[derive(Default)]
struct Tally {
    requests: u64,
    hits: u64,
    bytes: u64,
    hit_bytes: u64,
}

impl Tally {
    fn count(&mut self, size: u64, hit: bool) {
        self.requests += 1;
        self.bytes += size;
        self.hits += u64::from(hit);
        self.hit_bytes += u64::from(hit) * size;
    }

    fn cell(&self) -> String {
        let percent = |part: u64, all: u64| part * 1000 / all.max(1);
        let [hits, bytes] = [
            percent(self.hits, self.requests),
            percent(self.hit_bytes, self.bytes),
        ];
        format!(
            "{}.{} / {}.{}",
            hits / 10,
            hits % 10,
            bytes / 10,
            bytes % 10
        )
    }
}

fn main() {
    Args::parse();
    println!("Hits / bytes of hits, in percent, by room as a part of the bytes of all images.\n");
    let rooms = ROOMS.map(|room| format!(" {room} % |"));
    println!("| trace | order |{}", rooms.concat());
    println!("|---|---|{}", "---|".repeat(ROOMS.len()));
    for trace in Trace::all() {
        type Run = fn(&Trace, u64) -> Tally;
        let orders: [(&str, Run); 4] = [
            ("LRU", |trace, room| run(&mut Lru::default(), trace, room)),
            ("W-TinyLFU", |trace, room| {
                run(&mut TinyLfu::default(), trace, room)
            }),
            ("S3-FIFO", |trace, room| {
                run(&mut S3Fifo::default(), trace, room)
            }),
            ("knowing the future", foresight),
        ];
        for (name, order) in orders {
            let cells = ROOMS.map(|part| {
                let room = trace.library / 100 * part;
                format!(" {} |", order(&trace, room).cell())
            });
            println!("| {} | {name} |{}", trace.name, cells.concat());
        }
    }
}

fn run(order: &mut dyn Order<u32>, trace: &Trace, room: u64) -> Tally {
    let mut tally = Tally::default();
    for (at, image) in (0..).zip(&trace.requests) {
        let (image, size) = (*image, trace.size(*image));
        let here = order.standing(image);
        let hit = here.is_some_and(|standing| standing.place != Place::Left);
        tally.count(size, hit);
        if hit {
            order.used(image, at);
            continue;
        }
        while order.bytes() + size > room && order.next(at).is_some() {}
        if size <= room {
            order.came(image, size, at);
        }
    }
    tally
}

/// Who is asked for last leaves first, and who comes is turned away if that is the one: the bound of Belady,
/// which is no longer exact where sizes differ, but near.
fn foresight(trace: &Trace, room: u64) -> Tally {
    const NEVER: Tick = Tick::MAX;
    let mut next = vec![NEVER; trace.requests.len()];
    let mut seen: HashMap<u32, usize> = HashMap::new();
    for (at, image) in trace.requests.iter().enumerate().rev() {
        let later = seen.insert(*image, at);
        next[at] = later.map_or(NEVER, |later| Tick::try_from(later).unwrap_or(NEVER));
    }
    let mut tally = Tally::default();
    let mut here: HashMap<u32, Tick> = HashMap::new();
    let mut queue: BTreeSet<(Tick, u32)> = BTreeSet::new();
    let mut taken = 0;
    for (image, next) in trace.requests.iter().zip(next) {
        let (image, size) = (*image, trace.size(*image));
        let known = here.remove(&image);
        tally.count(size, known.is_some());
        match known {
            Some(next) => drop(queue.remove(&(next, image))),
            None => taken += size,
        }
        here.insert(image, next);
        queue.insert((next, image));
        while taken > room
            && let Some((_, last)) = queue.pop_last()
        {
            here.remove(&last);
            taken -= trace.size(last);
        }
    }
    tally
}
