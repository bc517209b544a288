//! The service as a process: what starts it, what runs between requests, what ends it.

use crate::config::Config;

/// Runs the service until SIGTERM, and returns when the last request is done.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let _ = config;
    todo!()
}
