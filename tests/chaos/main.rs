//! Lives of real `glance-api` processes that end by SIGKILL, on a store that misbehaves, a disk that fills up and a
//! directory that others write into. What holds: a body that comes to its end is right; of one that breaks off every
//! byte is, but for bits that were turned around on purpose where nobody could tell yet; the cache keeps its limit; a
//! directory that was killed and started again has nothing wrong with it, and what others have done to it can be
//! repaired.
//!
//! ```text
//! cargo test --test chaos                          the seeds that once failed, a few kills each
//! cargo test --test chaos -- --kills 1000          so many, with a seed of the day, which is printed
//! cargo test --test chaos -- --kills 50 --seed 7   again
//! ```
//!
//! A seed decides what is done; what the machine makes of it is up to the machine. One that fails goes into
//! `seeds.txt`.

mod answer;
mod chance;
mod client;
mod damage;
mod disk;
mod flips;
mod http;
mod life;
mod notes;
mod site;
mod store;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use chance::Chance;
use life::World;

/// Seeds that once failed, with the kills that it took.
const SEEDS: &str = include_str!("seeds.txt");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let runs: Vec<(u64, u64)> = match number("--kills") {
        Some(kills) => vec![(number("--seed").unwrap_or_else(today), kills)],
        // A filter that is meant for other tests.
        None if arguments
            .iter()
            .any(|word| !word.starts_with('-') && word != "chaos") =>
        {
            vec![]
        }
        None => SEEDS.lines().filter_map(known).collect(),
    };
    for (seed, kills) in runs {
        let begun = Instant::now();
        println!("chaos: seed {seed}, {kills} kills");
        match run(seed, kills) {
            Ok(told) => println!("chaos: {told} in {} s", begun.elapsed().as_secs()),
            Err(wrong) => {
                println!("chaos: seed {seed} FAILED: {wrong}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// A line of the list: seed, kills, and what it was.
fn known(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn today() -> u64 {
    let now = glance::clock::Clock::system().now().timestamp();
    now.unsigned_abs()
}

fn run(seed: u64, kills: u64) -> Result<String, String> {
    let mut chance = Chance::of(seed);
    let mut world = World::make(&mut chance)?;
    for life in 1..=kills {
        let done = world.live(&mut chance);
        done.map_err(|wrong| format!("in life {life}: {wrong}"))?;
        if life % 50 == 0 {
            println!("chaos: {life} kills: {}", world.told());
        }
    }
    world.last_judgement()?;
    Ok(format!("{kills} kills, {}", world.told()))
}
