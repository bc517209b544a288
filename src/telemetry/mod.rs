//! Logs, set up the same way in every binary, and what is counted.
//!
//! Lines look as oslo.log writes them by default, so that what reads the original's logs reads
//! these. They go to a file, to standard error, or to both; [`Handle::reopen`] follows a file that
//! logrotate has moved away.

pub mod counters;
mod levels;
mod line;
mod sink;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, Registry, reload};

use crate::clock::Clock;
use crate::config::LogConfig;
use line::Lines;
use sink::Sink;

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write the log {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("logs are set up already")]
    Twice(#[from] TryInitError),
    #[error("the log levels cannot change any more")]
    Gone(#[from] reload::Error),
}

/// What can still be done with logs that are set up.
#[derive(Debug, Clone)]
pub struct Handle {
    sink: Arc<Sink>,
    levels: reload::Handle<Targets, Registry>,
}

impl Handle {
    /// Opens the log file anew, for after it was moved away. Where that fails the old one stays.
    pub fn reopen(&self) -> Result<(), Error> {
        self.sink.reopen()
    }

    /// Takes over the levels of a configuration that was read again.
    pub fn apply(&self, config: &LogConfig) -> Result<(), Error> {
        Ok(self.levels.reload(levels::targets(config))?)
    }
}

/// Sets logs up for the whole process.
pub fn init(config: &LogConfig, clock: Clock) -> Result<Handle, Error> {
    let (subscriber, handle) = subscriber(config, clock)?;
    subscriber.try_init()?;
    Ok(handle)
}

/// What writes the logs of `config`.
fn subscriber(
    config: &LogConfig,
    clock: Clock,
) -> Result<
    (
        impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
        Handle,
    ),
    Error,
> {
    let sink = Arc::new(Sink::open(config)?);
    let (targets, levels) = reload::Layer::new(levels::targets(config));
    let lines = Lines::new(Arc::clone(&sink), clock, config.json);
    let subscriber = Registry::default().with(lines.with_filter(targets));
    Ok((subscriber, Handle { sink, levels }))
}

#[cfg(test)]
mod tests;
