//! What stands before a slow store: the service, nginx and Varnish, one after the other, each before a store that
//! gives the same bytes a second.

use std::fmt;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::far;
use crate::http::{self, Taken};
use crate::memory::Watch;
use crate::origin::Origin;
use crate::proxy::{Kind, Proxy};
use crate::service::Service;
use crate::table::Table;
use crate::{MIB, STORE_RATE, median};

/// What our cache fetches for a range, and nginx in slices.
const SPAN: u64 = 4 * MIB;

/// Where the ranges of a measurement begin, in MiB: some in one span of the cache, most of them in spans of their own.
const RANGES: [u64; 10] = [0, 1, 37, 38, 71, 103, 130, 171, 200, 233];

/// Somebody before a store, with an empty cache.
enum Edge {
    Ours {
        service: Service,
        path: String,
        _dir: TempDir,
    },
    Proxy {
        proxy: Proxy,
        origin: Origin,
    },
}

impl Edge {
    fn ours(size: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let service = Service::start(&mut Command::new(std::env::current_exe()?), dir.path())?;
        let path = format!("/v2/images/{}/file", service.image(size)?);
        Ok(Self::Ours {
            service,
            path,
            _dir: dir,
        })
    }

    /// None where it is not installed.
    fn proxy(kind: Kind, size: u64) -> Result<Option<Self>> {
        let origin = Origin::start(http::noise(8 * MIB), size, STORE_RATE)?;
        let proxy = Proxy::start(kind, origin.address())?;
        Ok(proxy.map(|proxy| Self::Proxy { proxy, origin }))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Ours { service, .. } => service.address(),
            Self::Proxy { proxy, .. } => proxy.address(),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Ours { service, .. } => service.pid(),
            Self::Proxy { proxy, .. } => proxy.pid(),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Ours { path, .. } => path,
            Self::Proxy { .. } => "/image",
        }
    }

    /// Bytes that its store gave so far.
    fn read(&self) -> Result<u64> {
        match self {
            Self::Ours { service, .. } => far::read(service.address()),
            Self::Proxy { origin, .. } => Ok(origin.sent()),
        }
    }
}

/// Ours, and each of the others that is installed.
type Measured<T> = (T, Vec<(Kind, Option<T>)>);

/// Ours and those that are installed, each measured by itself.
fn each<T>(size: u64, measure: impl Fn(&Edge) -> Result<T>) -> Result<Measured<T>> {
    let ours = measure(&Edge::ours(size)?).context("this service")?;
    let mut theirs = Vec::new();
    for kind in Kind::ALL {
        let edge = Edge::proxy(kind, size)?;
        // What one of them does not stand says nothing of the others.
        let measured = edge.as_ref().map(&measure).transpose();
        let measured = measured.unwrap_or_else(|error| {
            eprintln!("{} failed: {error:#}", kind.name());
            None
        });
        theirs.push((kind, measured));
    }
    Ok((ours, theirs))
}

/// A crowd on an image that is not in the cache.
pub fn cold(clients: usize, table: &mut Table) -> Result<()> {
    let size = 4 * STORE_RATE;
    let ideal = Duration::from_secs(size / STORE_RATE);
    let name = format!("cold, {clients} at once");
    let (ours, theirs) = each(size, |edge| Stampede::on(edge, clients, size))?;
    table.at_most(&name, ours.whole, "the store alone", ideal, 1.1);
    table.count(&format!("{name}, store bytes"), ours.read, size);
    table.at_most(
        &format!("{name}, first byte of the last"),
        ours.behind,
        "a span takes",
        Duration::from_nanos(SPAN * 1_000_000_000 / STORE_RATE),
        1.0,
    );
    table.memory(&name, ours.memory, 60);
    for (kind, theirs) in theirs {
        let told = theirs.map(|theirs| (theirs.whole, theirs.to_string()));
        table.peer(&name, kind.name(), told);
    }
    Ok(())
}

/// How a crowd was served.
struct Stampede {
    /// From the start of all to the end of the last.
    whole: Duration,
    /// How much later than the first the last one got its first byte.
    behind: Duration,
    /// Bytes that the store gave, of an image of `size`.
    read: u64,
    size: u64,
    memory: u64,
}

impl Stampede {
    fn on(edge: &Edge, clients: usize, size: u64) -> Result<Self> {
        let run = Watch::during(edge.pid(), || {
            let start = Instant::now();
            let taken = crowd(clients, || http::timed(edge.address(), edge.path(), None))?;
            ensure!(
                taken.iter().all(|one| one.bytes == size),
                "an answer is too short"
            );
            Ok((start.elapsed(), taken))
        })?;
        let (whole, taken) = run.value;
        let firsts = || taken.iter().map(|one| one.first);
        let (first, last) = (firsts().min(), firsts().max());
        Ok(Self {
            whole,
            behind: last
                .unwrap_or_default()
                .saturating_sub(first.unwrap_or_default()),
            read: edge.read()?,
            size,
            memory: run.most,
        })
    }
}

impl fmt::Display for Stampede {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = self.behind.as_millis();
        let memory = self.memory / MIB;
        let percent = self.read * 100 / self.size;
        write!(
            f,
            "last {behind} ms behind, store {percent} %, {memory} MiB"
        )
    }
}

/// Ranges of an image that is not in the cache, and the same ones again.
pub fn ranges(table: &mut Table) -> Result<()> {
    let size = 256 * MIB;
    let measure = |edge: &Edge| {
        let cold = median_range(edge)?;
        let read = edge.read()?;
        Ok((cold, read, median_range(edge)?))
    };
    let ((cold, read, warm), theirs) = each(size, measure)?;
    let most = RANGES.len() as u64 * SPAN;
    let ideal = Duration::from_nanos(SPAN * 1_000_000_000 / STORE_RATE);
    table.at_most("a range of 1 MiB, cold", cold, "a span takes", ideal, 1.5);
    table.up_to("ten cold ranges, store MiB", read / MIB, most / MIB);
    table.within("a range of 1 MiB, warm", warm, Duration::from_millis(20));
    for (kind, theirs) in theirs {
        let told = theirs.map(|(cold, read, warm)| {
            let warm = warm.as_secs_f64() * 1000.0;
            (cold, format!("warm {warm:.1} ms, store {} MiB", read / MIB))
        });
        table.peer("a range of 1 MiB, cold", kind.name(), told);
    }
    Ok(())
}

/// How long a range takes, in the middle.
fn median_range(edge: &Edge) -> Result<Duration> {
    let taken: Result<Vec<_>> = (RANGES.iter())
        .map(|at| {
            let taken = http::timed(edge.address(), edge.path(), Some(at * MIB..(at + 1) * MIB))?;
            ensure!(
                taken.bytes == MIB,
                "{} bytes in place of a MiB",
                taken.bytes
            );
            Ok(taken.whole.as_secs_f64())
        })
        .collect();
    let median = median(taken?).context("no ranges")?;
    Ok(Duration::from_secs_f64(median))
}

/// Clients that take a byte a second each, of an image that is in the cache.
pub fn slow(clients: usize, table: &mut Table) -> Result<()> {
    let measure = |edge: &Edge| {
        http::timed(edge.address(), edge.path(), None)?;
        let run = Watch::during(edge.pid(), || {
            let asked: Result<Vec<_>> = (0..clients)
                .map(|_| http::ask(edge.address(), edge.path()))
                .collect();
            let mut asked = asked?;
            for _ in 0..5 {
                for stream in &mut asked {
                    stream.read_exact(&mut [0])?;
                }
                thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        })?;
        Ok(run.most)
    };
    let (ours, theirs) = each(64 * MIB, measure)?;
    let name = format!("{clients} slow readers");
    table.memory(&name, ours, 256);
    for (kind, theirs) in theirs {
        let told = theirs.map(|memory| (Duration::ZERO, format!("{} MiB", memory / MIB)));
        table.peer(&name, kind.name(), told);
    }
    Ok(())
}

/// So many at once, and how each of them fared.
fn crowd(clients: usize, ask: impl Fn() -> Result<Taken> + Sync) -> Result<Vec<Taken>> {
    let ready = Barrier::new(clients);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    ask()
                })
            })
            .collect();
        (asking.into_iter())
            .map(|one| one.join().ok().context("a client panicked")?)
            .collect()
    })
}
