//! What it costs to compare a copy's bytes with their checksums, by `[image_cache] verify`: one service for each way,
//! all of them on one directory and so on one copy of one image. They take turns, and who begins changes each round.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::service::Service;
use crate::table::Table;
use crate::{median, per_second, rate};

/// The first is what the others are measured by.
const WAYS: [&str; 4] = ["off", "sweep", "changed", "always"];

/// The default, and what of the rate without checks it has to keep where a copy is read again and again.
const DEFAULT: (&str, f64) = ("changed", 0.9);

/// Until then a change of a file cannot be told from the next one, and nothing is trusted.
const SETTLED: Duration = Duration::from_secs(3);

/// Downloads by one and by many clients, and the first one after a start, of `size` bytes.
pub fn costs(server: &Path, size: u64, rounds: usize, table: &mut Table) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = |name| {
        let more = format!("[image_cache]\nverify = {name}\n");
        Service::with(&mut Command::new(server), dir.path(), &more)
    };
    let mut services = WAYS.map(start).into_iter().collect::<Result<Vec<_>>>()?;
    let image = services[0].image(size)?;
    let path = format!("/v2/images/{image}/file");
    let read = |service: &Service, clients, times| {
        let start = Instant::now();
        for _ in 0..times {
            rate(service.address(), &path, clients, size)?;
        }
        anyhow::Ok(per_second(size * clients as u64 * times, start))
    };
    read(&services[0], 1, 1)?;
    services[0].cached(&image)?;
    thread::sleep(SETTLED);

    for (clients, times) in [(1, 4), (16, 1)] {
        for service in &services {
            read(service, 1, 1)?;
        }
        let rates = in_turns(rounds, |way| read(&services[way], clients, times))?;
        tell(
            &format!("hot, {clients} at once"),
            &rates,
            Some(DEFAULT),
            table,
        );
    }
    let rates = in_turns(rounds, |way| {
        services[way] = start(WAYS[way])?;
        read(&services[way], 1, 1)
    })?;
    tell("first after a start", &rates, None, table);
    Ok(())
}

/// What each way does, round by round.
fn in_turns(
    rounds: usize,
    mut measure: impl FnMut(usize) -> Result<f64>,
) -> Result<Vec<[f64; WAYS.len()]>> {
    let round = |round| {
        let mut rates = [0.0; WAYS.len()];
        for turn in 0..WAYS.len() {
            let way = (round + turn) % WAYS.len();
            rates[way] = measure(way).context(WAYS[way])?;
        }
        Ok(rates)
    };
    (0..rounds).map(round).collect()
}

/// Rates, and the ratio to the first within a round: what else the machine does changes from round to round.
fn tell(what: &str, rounds: &[[f64; WAYS.len()]], wanted: Option<(&str, f64)>, table: &mut Table) {
    for (way, name) in WAYS.into_iter().enumerate() {
        let rate = median(rounds.iter().map(|rates| rates[way]).collect());
        let ratio = median(rounds.iter().map(|rates| rates[way] / rates[0]).collect());
        table.share(
            &format!("{what}, verify = {name}"),
            rate.unwrap_or_default(),
            ratio.unwrap_or_default(),
            WAYS[0],
            wanted.and_then(|(default, share)| (default == name).then_some(share)),
        );
    }
}
