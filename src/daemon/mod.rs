//! The service as a process: what starts it, what runs between requests, what ends it.

use crate::config::{Config, Sources};
use crate::telemetry;

/// What the service starts with.
#[derive(Debug)]
pub struct Start {
    pub config: Config,
    /// Reopened on SIGHUP, which also takes over the levels of the configuration read again.
    pub telemetry: telemetry::Handle,
    /// From these SIGHUP reads the configuration again, with [`Config::load`].
    pub sources: Sources,
}

/// Runs the service until SIGTERM, and returns when the last request is done.
#[expect(unused_variables, reason = "outline")]
pub async fn run(start: Start) -> anyhow::Result<()> {
    todo!()
}
