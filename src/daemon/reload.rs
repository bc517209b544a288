//! What SIGHUP changes: the log file is opened anew; what is logged, the limits of images and those of the
//! cache follow the configuration. Rules need no signal: the policy file counts as it is edited. Everything
//! else takes a restart, and is named.

use crate::config::{Config, Sources, Written};
use crate::ops::Glance;
use crate::telemetry;

/// What a reload needs.
#[derive(Debug, Clone)]
pub struct Reload {
    pub telemetry: telemetry::Handle,
    pub sources: Sources,
    /// What the service was started with.
    pub started_with: Written,
    pub glance: Glance,
}

impl Reload {
    /// Reads again what can change. Whatever fails stays as it is.
    pub async fn run(&self) {
        let reload = self.clone();
        // Files are read here, and not on the threads that serve requests.
        if let Err(error) = tokio::task::spawn_blocking(move || reload.read()).await {
            tracing::error!(%error, "the reload did not come to its end");
        }
    }

    fn read(&self) {
        if let Err(error) = self.telemetry.reopen() {
            tracing::error!(%error, "cannot open the log file anew");
        }
        let loaded = match Config::load(&self.sources) {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(%error, "the configuration is wrong now and was not read");
                return;
            }
        };
        if let Err(error) = self.telemetry.apply(&loaded.config.log) {
            tracing::error!(%error, "cannot change what is logged");
        }
        self.glance.reconfigure(&loaded.config);
        tracing::info!("reloaded: the log file is open anew, its levels and all limits are read");
        let waiting = self.started_with.waiting(&loaded.written());
        if !waiting.is_empty() {
            tracing::warn!(
                "changed, but in force from the next start only: {}",
                waiting.join(", ")
            );
        }
    }
}
