//! What SIGHUP changes: the log file is opened anew, and what is logged follows the configuration. Rules need
//! no signal: the policy file counts as it is edited. Everything else takes a restart.

use crate::config::{Config, Sources};
use crate::telemetry;

/// Reads again what can change. Whatever fails stays as it is.
pub async fn run(telemetry: &telemetry::Handle, sources: &Sources) {
    let (telemetry, sources) = (telemetry.clone(), sources.clone());
    // Files are read here, and not on the threads that serve requests.
    let read = move || {
        if let Err(error) = telemetry.reopen() {
            tracing::error!(%error, "cannot open the log file anew");
        }
        let loaded = match Config::load(&sources) {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(%error, "the configuration is wrong now and was not read");
                return;
            }
        };
        match telemetry.apply(&loaded.config.log) {
            Ok(()) => tracing::info!("reloaded: the log file is open anew, its levels are read"),
            Err(error) => tracing::error!(%error, "cannot change what is logged"),
        }
    };
    if let Err(error) = tokio::task::spawn_blocking(read).await {
        tracing::error!(%error, "the reload did not come to its end");
    }
}
